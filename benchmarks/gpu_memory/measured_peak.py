"""Trains models of random weights with LLaMA-Factory, and tells what the GPU held at the peak.

Usage: measured_peak.py CASES_JSON FOLDER

Runs inside the LLaMA-Factory image on a GPU host. `FOLDER` gets the models: 16 GB for each of 8
billion weights, and no download. Each case is a process of its own, of three steps on rows of full
length. Prints a line of JSON for each: its name, the device, the steps, and the bytes that PyTorch
gave to tensors and that its allocator held; none on a processor, which counts none.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

STEPS = 3
WORDS = 100
"""Of the vocabulary in use: the embedding has as many rows as the configuration says."""
END = "<|end_of_text|>"


def main(cases: Path, folder: Path) -> None:
    """One case after the other; what fails is told in the place of its figures."""
    for case in json.loads(cases.read_text(encoding="utf-8")):
        told = subprocess.run(
            [sys.executable, __file__, "--case", json.dumps(case), str(folder)],
            capture_output=True,
            text=True,
            check=False,
        )
        lines = told.stdout.splitlines() if told.returncode == 0 else []
        said = json.loads(lines[-1]) if lines else {"error": told.stderr.strip()[-500:]}
        print(json.dumps({"name": case["name"], **said}), flush=True)


def measure(case: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """What one training of a few steps held."""
    import torch  # type: ignore[import-not-found] # noqa: PLC0415 - not in the process of all cases
    from llamafactory.train.tuner import (  # type: ignore[import-not-found] # noqa: PLC0415
        run_exp,
    )

    on_gpu = torch.cuda.is_available()
    model = folder / case["model"]
    if not (model / "config.json").exists():
        make_model(model, case["configuration"], device="cuda" if on_gpu else "cpu")
    rows, result = folder / "rows", folder / "result"
    make_rows(rows, length=case["arguments"]["cutoff_len"])
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    places = {"model_name_or_path": str(model), "dataset_dir": str(rows), "output_dir": str(result)}
    few = {"dataset": "rows", "max_steps": STEPS, "save_strategy": "no", "logging_steps": 1}
    run_exp({**case["arguments"], **places, **few})
    state = json.loads((result / "trainer_state.json").read_text(encoding="utf-8"))
    return {
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "steps": state["global_step"],
        "allocated": torch.cuda.max_memory_allocated() if on_gpu else None,
        "reserved": torch.cuda.max_memory_reserved() if on_gpu else None,
    }


def make_model(folder: Path, configuration: Mapping[str, Any], *, device: str) -> None:
    """Random weights of this shape, and a tokenizer of a few words."""
    import torch  # noqa: PLC0415
    from tokenizers import (  # type: ignore[import-not-found] # noqa: PLC0415
        Tokenizer,
        models,
        pre_tokenizers,
    )
    from transformers import (  # type: ignore[import-not-found] # noqa: PLC0415
        AutoConfig,
        AutoModelForCausalLM,
        PreTrainedTokenizerFast,
    )

    words = [END, *(f"w{number}" for number in range(WORDS - 1))]
    known = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(known, unk_token=END))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token=END, pad_token=END)
    config = AutoConfig.for_model(**configuration)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
    fast.save_pretrained(folder)
    model.save_pretrained(folder)


def make_rows(folder: Path, *, length: int) -> None:
    """Texts of more tokens than a row takes."""
    folder.mkdir(parents=True, exist_ok=True)
    text = " ".join(f"w{number % (WORDS - 1)}" for number in range(length + 1))
    rows = [{"text": text}] * 64
    (folder / "rows.json").write_text(json.dumps(rows), encoding="utf-8")
    info = {"rows": {"file_name": "rows.json", "columns": {"prompt": "text"}}}
    (folder / "dataset_info.json").write_text(json.dumps(info), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "--case":
        print("\n" + json.dumps(measure(json.loads(sys.argv[2]), Path(sys.argv[3]))))
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
