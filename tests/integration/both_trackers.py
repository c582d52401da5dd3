"""Prints what two trackers say of one training: ours and PyTorch's own. Runs in the image."""

import json
from typing import Any

import torch  # type: ignore[import-not-found]
from torch._subclasses.fake_tensor import FakeTensorMode  # type: ignore[import-not-found]
from torch.distributed._tools.mem_tracker import MemTracker  # type: ignore[import-not-found]
from tracked_peak import Tracker  # type: ignore[import-not-found]
from transformers import LlamaConfig, LlamaForCausalLM  # type: ignore[import-not-found]

CONFIG = LlamaConfig(
    vocab_size=32000,
    hidden_size=1024,
    intermediate_size=2816,
    num_hidden_layers=4,
    num_attention_heads=16,
)


def peak_told_by(track: Any) -> int:
    """Bytes at the peak of a step, of tracked weights, gradients, figures and activations."""
    model = LlamaForCausalLM(CONFIG).train()
    optimizer = torch.optim.AdamW(model.parameters(), foreach=True)
    tracker, peak = track(model, optimizer)
    ids = torch.zeros((2, 512), dtype=torch.long)
    with tracker:
        model(input_ids=ids, labels=ids, use_cache=False).loss.backward()
        optimizer.step()
    return int(peak())


def ours(model: Any, optimizer: Any) -> tuple[Any, Any]:
    tracker = Tracker(model, optimizer)
    return tracker, lambda: sum(tracker.peak.values())


def pytorchs(model: Any, optimizer: Any) -> tuple[Any, Any]:
    tracker = MemTracker()
    tracker.track_external(model, optimizer)
    return tracker, lambda: next(
        size
        for figures in tracker.get_tracker_snapshot("peak").values()
        for kind, size in figures.items()
        if kind == "Total"
    )


with FakeTensorMode(allow_non_fake_inputs=True):
    print(json.dumps({"ours": peak_told_by(ours), "pytorchs": peak_told_by(pytorchs)}))
