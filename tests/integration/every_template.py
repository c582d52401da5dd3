"""What LLaMA-Factory makes of every template with a generated model; runs inside its image.

Usage: every_template.py FOLDER TRAINED...

In FOLDER lie `tiny_model.py`, the data file `answers.json` and, for each template, a folder with
`parameters.json`. The templates TRAINED are trained with as well. Its last line is a JSON object:
for each template what it found.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from llamafactory.data.template import TEMPLATES  # type: ignore[import-not-found]
from llamafactory.train.tuner import run_exp  # type: ignore[import-not-found]
from transformers import AutoTokenizer  # type: ignore[import-not-found]

BEGIN = 1
DATASET = {"file_name": "answers.json", "columns": {"prompt": "instruction", "response": "output"}}


def examine(name: str, folder: Path, *, trains: bool) -> dict[str, Any]:
    """Generate the template's model, look at both, and train two steps where it is asked for."""
    parameters, base = folder / name / "parameters.json", folder / name / "base"
    program = [sys.executable, str(folder / "tiny_model.py")]
    subprocess.run(
        [*program, str(parameters), str(base), str(folder / "answers.json")],
        check=True,
        capture_output=True,
    )
    template, tokenizer = TEMPLATES[name], AutoTokenizer.from_pretrained(base)
    size = len(tokenizer)
    template.fix_special_tokens(tokenizer)
    found = {
        "writes_begin": begins(template),
        "tokens_added": len(tokenizer) - size,
        "pieces_of_turns": {
            token: len(tokenizer.encode(token, add_special_tokens=False))
            for token in json.loads(parameters.read_text())["special_tokens"]["turns"]
        },
        "ends_with": tokenizer.eos_token,
    }
    if not trains:
        return found
    run_exp(
        {
            "stage": "sft",
            "do_train": True,
            "model_name_or_path": str(base),
            "template": name,
            "dataset": "answers",
            "dataset_dir": str(folder),
            "output_dir": str(folder / name / "trained"),
            "max_steps": 2,
            "report_to": "none",
        }
    )
    results = json.loads((folder / name / "trained/all_results.json").read_text())
    return found | {"train_loss": results["train_loss"]}


def begins(template: Any) -> bool:
    """Whether every conversation begins with the token for it."""
    return all(
        template._encode(Marked(), [{"role": "user", "content": "a"}], system, "")[0][:1] == [BEGIN]
        for system in ("", "b")
    )


class Marked:
    """A tokenizer that shows where the beginning-of-sequence token is, and nothing else."""

    bos_token_id, eos_token_id = BEGIN, 0

    def encode(self, text: str, *, add_special_tokens: bool) -> list[int]:
        return [0] * len(text)

    def convert_tokens_to_ids(self, token: str) -> int:
        return 0


def main(folder: Path, trained: Sequence[str]) -> None:
    """The command line."""
    (folder / "dataset_info.json").write_text(json.dumps({"answers": DATASET}))
    names = sorted(path.parent.name for path in folder.glob("*/parameters.json"))
    print(json.dumps({name: examine(name, folder, trains=name in trained) for name in names}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
