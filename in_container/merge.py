"""Runs `llamafactory-cli export` and completes the tokenizer that it writes.

Usage: merge.py EXPORT_YAML

With transformers 5 the export leaves out `tokenizer.model` and the list of added tokens. The
converter of llama.cpp needs both for a sentencepiece model: without them it spells special tokens
out as text, and the model no longer sees where a turn ends. Runs inside the LLaMA-Factory image.
"""

# ruff: noqa: PLC0415 - transformers is in the image only, and takes seconds to import

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Never

VOCABULARY = "tokenizer.model"
CONFIG = "tokenizer_config.json"
ADDED_TOKENS = "added_tokens_decoder"


def complete_tokenizer(source: Path | None, exported: Path) -> bool:
    """Adds what the export left out; returns whether anything was missing.

    `source` is the base model's vocabulary file, None where it has none (a BPE tokenizer).
    """
    if source is None or (exported / VOCABULARY).exists():
        return False
    shutil.copyfile(source, exported / VOCABULARY)
    config_file, tokens_file = exported / CONFIG, exported / "tokenizer.json"
    if config_file.exists() and tokens_file.exists():
        config: dict[str, Any] = json.loads(config_file.read_text(encoding="utf-8"))
        tokens = json.loads(tokens_file.read_text(encoding="utf-8")).get("added_tokens", [])
        if ADDED_TOKENS not in config:
            config[ADDED_TOKENS] = {
                str(token["id"]): {key: token[key] for key in token if key != "id"}
                for token in tokens
            }
            text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
            config_file.write_text(text, encoding="utf-8")
    return True


def find_vocabulary(model: str, revision: str | None) -> Path | None:
    """The base model's vocabulary file, in its folder or in the hub's cache."""
    folder = Path(model)
    if folder.is_dir():
        return folder / VOCABULARY if (folder / VOCABULARY).exists() else None
    # The export has just loaded the model, so its files are in the cache.
    from transformers.utils import cached_file  # type: ignore[import-not-found]

    found = cached_file(
        model, VOCABULARY, revision=revision, _raise_exceptions_for_missing_entries=False
    )
    return Path(found) if found else None


def _fail(text: str, status: int) -> Never:
    print(f"error: {text}", file=sys.stderr)
    sys.exit(status)


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    if len(arguments) != 1:
        _fail("usage: merge.py EXPORT_YAML", 2)
    import yaml

    file = Path(arguments[0])
    try:
        settings = yaml.safe_load(file.read_text(encoding="utf-8"))
        model, target = settings["model_name_or_path"], Path(settings["export_dir"])
    except OSError as error:
        _fail(f"{file}: {error.strerror}", 1)
    except (yaml.YAMLError, KeyError, TypeError) as error:
        _fail(f"{file} needs model_name_or_path and export_dir: {error}", 1)

    # In this process: a second one would import torch and transformers again.
    from llamafactory.cli import main as llamafactory_cli  # type: ignore[import-not-found]

    sys.argv = ["llamafactory-cli", "export", str(file)]
    llamafactory_cli()
    vocabulary = find_vocabulary(model, settings.get("model_revision"))
    if complete_tokenizer(vocabulary, target):
        print(f"added {VOCABULARY} to {target}", file=sys.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
