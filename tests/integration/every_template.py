"""What LLaMA-Factory makes of every template with a generated model; runs inside its image.

Usage: every_template.py FOLDER

In FOLDER lie `tiny_model.py`, the data file `answers.json` and, for each template, a folder with
`parameters.json`. Its last line is a JSON object: for each template what it found.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from llamafactory.data.template import TEMPLATES  # type: ignore[import-not-found]
from llamafactory.train.tuner import run_exp  # type: ignore[import-not-found]
from transformers import AutoTokenizer  # type: ignore[import-not-found]

DATASET = {"file_name": "answers.json", "columns": {"prompt": "instruction", "response": "output"}}


def examine(name: str, folder: Path) -> dict[str, Any]:
    """Generate the template's model, look at both, and train two steps."""
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
    return {
        "writes_begin": {"bos_token"} in template.format_prefix.slots,
        "tokens_added": len(tokenizer) - size,
        "pieces_of_turns": {
            token: len(tokenizer.encode(token, add_special_tokens=False))
            for token in json.loads(parameters.read_text())["special_tokens"]["turns"]
        },
        "ends_with": tokenizer.eos_token,
        "default_system": template.default_system,
        "stop_words": template.stop_words,
        "train_loss": results["train_loss"],
    }


def main(folder: Path) -> None:
    """The command line."""
    (folder / "dataset_info.json").write_text(json.dumps({"answers": DATASET}))
    names = sorted(path.parent.name for path in folder.glob("*/parameters.json"))
    print(json.dumps({name: examine(name, folder) for name in names}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
