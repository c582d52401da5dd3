"""Tells how much memory a training run holds at its peak, by PyTorch's own tracker.

Usage: tracked_peak.py CASES_JSON

Runs inside the LLaMA-Factory image. The model, its adapter and its precision are what LLaMA-Factory
makes of the arguments; forward, backward and optimizer are PyTorch's. All tensors are fake: they
have shapes and storage sizes, and take no memory. Prints a line of JSON for each case: its name,
and bytes by kind.
"""

import json
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, get_args

import torch  # type: ignore[import-not-found]
from accelerate import Accelerator  # type: ignore[import-not-found]
from llamafactory.hparams import get_train_args  # type: ignore[import-not-found]
from llamafactory.model import load_model  # type: ignore[import-not-found]
from llamafactory.train.trainer_utils import get_batch_logps  # type: ignore[import-not-found]
from torch._subclasses.fake_tensor import FakeTensorMode  # type: ignore[import-not-found]
from torch.utils._python_dispatch import TorchDispatchMode  # type: ignore[import-not-found]
from torch.utils._pytree import tree_map_only  # type: ignore[import-not-found]
from transformers import masking_utils  # type: ignore[import-not-found]

masked_attention = torch.nn.functional.scaled_dot_product_attention
TOKENIZER = SimpleNamespace(init_kwargs={})
"""LLaMA-Factory asks it for code of its own; no text is read here."""
Kind = Literal["weights", "gradients", "optimizer", "activations"]


class Tracker(TorchDispatchMode):  # type: ignore[misc]
    """Counts the storages that are alive, whoever made them, and what they are for.

    PyTorch's `MemTracker` counts the same, and refuses models with frozen weights.
    """

    def __init__(self, model: Any, optimizer: Any) -> None:
        super().__init__()
        self.held: dict[Kind, int] = dict.fromkeys(get_args(Kind), 0)
        self.peak = dict(self.held)
        self._kinds: dict[int, Kind] = {}
        for tensor in (*model.parameters(), *model.buffers()):
            self.see(tensor, "weights")
        for weight in model.parameters():
            if weight.requires_grad:
                weight.register_post_accumulate_grad_hook(
                    lambda weight: self.see(weight.grad, "gradients")
                )
        optimizer.register_step_post_hook(self._see_figures)

    def see_weights(self, model: Any) -> None:
        """Another model that is there."""
        for tensor in (*model.parameters(), *model.buffers()):
            self.see(tensor, "weights")

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Whatever PyTorch computes passes through here."""
        made = func(*args, **(kwargs or {}))
        tree_map_only(torch.Tensor, self.see, made)
        return made

    def see(self, tensor: Any, kind: Kind | None = None) -> None:
        """A tensor that is there, and what it is for where that is known."""
        storage = tensor.untyped_storage()
        key, size = storage._cdata, storage.nbytes()
        before = self._kinds.get(key)
        if before is None:
            weakref.finalize(storage, self._forget, key, size)
        elif kind is None or kind == before:
            return
        else:
            self.held[before] -= size
        self._kinds[key] = kind or "activations"
        self.held[self._kinds[key]] += size
        if sum(self.held.values()) > sum(self.peak.values()):
            self.peak = dict(self.held)

    def _forget(self, key: int, size: int) -> None:
        self.held[self._kinds.pop(key)] -= size

    def _see_figures(self, optimizer: Any, *_: Any) -> None:
        for figures in optimizer.state.values():
            for figure in figures.values():
                self.see(figure, "optimizer")


def main(path: Path) -> None:
    """The command line."""
    for case in json.loads(path.read_text(encoding="utf-8")):
        print(json.dumps({"name": case["name"], "bytes": track_case(case)}), flush=True)


def track_case(case: Mapping[str, Any]) -> dict[Kind, int]:
    """Bytes by kind at the peak of one run.

    `case` has a model's `configuration`, and LLaMA-Factory's `arguments`.
    """
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.json").write_text(json.dumps(case["configuration"]))
        told: dict[str, Any] = {
            "model_name_or_path": folder,
            "dataset_dir": folder,
            "output_dir": folder,
        }
        # From the configuration alone: there are no weights to load.
        told |= {"train_from_scratch": True, "use_cpu": True}
        given = case["arguments"]
        # LLaMA-Factory lets no processor have it.
        is_pure = given.pop("pure_bf16", False)
        model_args, _, training_args, finetuning_args, _ = get_train_args(
            given | told | ({"bf16": True} if is_pure else {})
        )
        if is_pure:
            training_args.bf16, finetuning_args.pure_bf16 = False, True
        with FakeTensorMode(allow_non_fake_inputs=True):
            return track(model_args, training_args, finetuning_args)


def track(model_args: Any, training_args: Any, finetuning_args: Any) -> dict[Kind, int]:
    """Bytes by kind at the peak of a few steps."""
    stage = finetuning_args.stage
    policy = load_model(
        TOKENIZER,
        model_args,
        finetuning_args,
        is_trainable=True,
        add_valuehead=stage in ("rm", "ppo"),
    )
    policy.train()
    reference = None
    if finetuning_args.use_ref_model and finetuning_args.finetuning_type != "lora":
        reference = load_model(TOKENIZER, model_args, type(finetuning_args)(), is_trainable=False)
    precision = "bf16" if training_args.bf16 else "no"
    model = Accelerator(mixed_precision=precision, cpu=True).prepare_model(policy)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    # As on a GPU, where PyTorch takes all weights in one motion unless it is told otherwise.
    optimizer = torch.optim.AdamW(trained, foreach=True)
    tracker = Tracker(model, optimizer)
    if reference is not None:
        tracker.see_weights(reference)
    loss_of = LOSSES.get(stage, language_loss)
    batch = batch_of(stage, training_args, model_args)
    # transformers leaves a mask out that hides nothing, and cannot look into a fake one.
    is_padded = len(batch["input_ids"]) > 1
    masking_utils._ignore_causal_mask_sdpa = lambda *_, **__: not is_padded
    torch.nn.functional.scaled_dot_product_attention = attention
    with tracker:
        # As in the middle of a training: an earlier step has left the optimizer's figures, earlier
        # batches gradients.
        for weight in trained:
            weight.grad = torch.zeros_like(weight)
            tracker.see(weight.grad, "gradients")
        optimizer.step()
        tracker.peak = dict(tracker.held)
        torch.nn.utils.clip_grad_norm_(trained, 1.0, foreach=True)
        optimizer.step()
        loss_of(model, reference, batch).backward()
    return tracker.peak


class FlashAttention(torch.autograd.Function):  # type: ignore[misc]
    """What flash attention keeps on a GPU, with fewer keys than queries too.

    PyTorch has no such kernel for processors.
    """

    @staticmethod
    def forward(context: Any, query: Any, key: Any, value: Any) -> Any:
        """The answer, and a sum for each query and head."""
        answer = torch.empty_like(query)
        sums = query.new_empty(query.shape[:-1], dtype=torch.float32)
        context.save_for_backward(query, key, value, answer, sums)
        return answer

    @staticmethod
    def backward(context: Any, gradient: Any) -> Any:
        """A gradient for each input."""
        return tuple(torch.empty_like(tensor) for tensor in context.saved_tensors[:3])


def attention(query: Any, key: Any, value: Any, **told: Any) -> Any:
    """As on a GPU: flash attention wherever nothing is masked but what comes later."""
    if told.get("attn_mask") is not None:
        return masked_attention(query, key, value, **told)
    return FlashAttention.apply(query, key, value)


def batch_of(stage: str, training_args: Any, model_args: Any) -> dict[str, Any]:
    """A batch of the longest rows."""
    rows = training_args.per_device_train_batch_size * (2 if stage in ("rm", "dpo") else 1)
    ids = torch.zeros((rows, model_args.model_max_length), dtype=torch.long)
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids)}


def language_loss(model: Any, reference: Any, batch: dict[str, Any]) -> Any:
    """Of stages pt and sft."""
    items = torch.tensor(batch["input_ids"].numel())
    return model(**batch, labels=batch["input_ids"], use_cache=False, num_items_in_batch=items).loss


def preference_loss(model: Any, reference: Any, batch: dict[str, Any]) -> Any:
    """Of stage dpo: LLaMA-Factory's `get_batch_loss_metrics`."""

    def log_probabilities(judge: Any) -> tuple[Any, Any]:
        logits = judge(**batch, return_dict=True, use_cache=False).logits.to(torch.float32)
        return get_batch_logps(logits=logits, labels=batch["input_ids"])[0], logits

    # LLaMA-Factory keeps the logits for its figures.
    wanted, _logits = log_probabilities(model)
    with torch.no_grad(), nullcontext() if reference else model.disable_adapter():
        expected, _ = log_probabilities(reference or model)
    chosen, rejected = (wanted - expected).chunk(2)
    return -torch.nn.functional.logsigmoid(0.1 * (chosen - rejected)).mean()


def ranking_loss(model: Any, reference: Any, batch: dict[str, Any]) -> Any:
    """Of stage rm: LLaMA-Factory's `PairwiseTrainer.compute_loss`."""
    values = model(**batch, output_hidden_states=True, return_dict=True, use_cache=False)[2]
    chosen, rejected = values[:, -1].chunk(2)
    return -torch.nn.functional.logsigmoid(chosen.float() - rejected.float()).mean()


LOSSES: dict[str, Callable[[Any, Any, dict[str, Any]], Any]] = {
    "dpo": preference_loss,
    "rm": ranking_loss,
}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
