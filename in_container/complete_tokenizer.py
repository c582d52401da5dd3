"""Completes the tokenizer of a whole model that LLaMA-Factory has written.

Usage: complete_tokenizer.py [--revision REVISION]
           --begin-token | --no-begin-token  SOURCE MODEL_DIRECTORY

With transformers 5 neither training nor export writes `tokenizer.model`, the list of added tokens
or `add_bos_token`. The converter of llama.cpp needs the first two for a sentencepiece model:
without them it spells special tokens out as text, and the model no longer sees where a turn ends.
Without the third the served model gets a token before every question that it may never have seen.
A base that never had a `tokenizer.model`, but the same in `tokenizer.json`, gets one made of that:
the converter would take all its pieces for equally likely.

SOURCE is the model that was trained: a folder, or an id of the hub that has been fetched.
Runs inside the LLaMA-Factory image.
"""

# ruff: noqa: PLC0415 - huggingface_hub is in the image only, and not every model comes from the hub

import argparse
import json
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

VOCABULARY = "tokenizer.model"
MODEL_CONFIG = "config.json"
CONFIG = "tokenizer_config.json"
TOKENIZER = "tokenizer.json"


class InputError(Exception):
    """The tokenizer cannot be completed."""


def find_vocabulary(source: str, *, revision: str) -> Path | None:
    """The sentencepiece vocabulary of `source`; None where it has none (a BPE tokenizer)."""
    folder = Path(source)
    if not folder.is_dir():
        from huggingface_hub import try_to_load_from_cache  # type: ignore[import-not-found]

        # Every model has this file. Nobody is asked: what was fetched is all that there is.
        config = try_to_load_from_cache(source, MODEL_CONFIG, revision=revision)
        if not isinstance(config, str):
            raise InputError(
                f"whether {source} has a {VOCABULARY} cannot be found out: revision {revision} "
                "has not been fetched"
            )
        folder = Path(config).parent
    return folder / VOCABULARY if (folder / VOCABULARY).exists() else None


def complete_tokenizer(model: Path, *, vocabulary: Path | None, begins: bool) -> None:
    """Adds what is missing in the folder `model`; done twice, it changes nothing more.

    `begins` says whether a conversation of the training began with the beginning-of-sequence token.
    """
    config = _read(model / CONFIG)
    # LLaMA-Factory writes none where the tokenizer has none, whatever the template says.
    config["add_bos_token"] = begins and config.get("bos_token") is not None
    target = model / VOCABULARY
    if not target.exists():
        if vocabulary is not None:
            shutil.copyfile(vocabulary, target)
        elif (model / TOKENIZER).exists() and is_sentencepiece(_read(model / TOKENIZER)):
            target.write_bytes(sentencepiece_of(_read(model / TOKENIZER), config["unk_token"]))
    if target.exists() and "added_tokens_decoder" not in config:
        config["added_tokens_decoder"] = {
            str(token["id"]): {key: token[key] for key in token if key != "id"}
            for token in _read(model / TOKENIZER).get("added_tokens", [])
        }
    text = json.dumps(config, indent=2, ensure_ascii=False) + "\n"
    (model / CONFIG).write_text(text, encoding="utf-8")


def is_sentencepiece(tokenizer: Mapping[str, Any]) -> bool:
    """Whether a `tokenizer.json` holds what sentencepiece's own file would."""
    model = tokenizer.get("model", {})
    return model.get("type") == "BPE" and bool(model.get("byte_fallback"))


def sentencepiece_of(tokenizer: Mapping[str, Any], unknown: str) -> bytes:
    """The content of a `tokenizer.model` that says the same as this `tokenizer.json`."""
    from sentencepiece_file import (  # type: ignore[import-not-found]
        Piece,
        kind_of,
        scores_of_merges,
        sentencepiece_model,
    )

    model = tokenizer["model"]
    numbers: Mapping[str, int] = model["vocab"]
    tokens = sorted(numbers, key=lambda token: numbers[token])
    if [numbers[token] for token in tokens] != list(range(len(tokens))):
        raise InputError(f"{TOKENIZER} leaves out numbers of its vocabulary")
    merges = [merge.split(" ") if isinstance(merge, str) else merge for merge in model["merges"]]
    scores = scores_of_merges(tokens, merges)
    special = {token["content"] for token in tokenizer["added_tokens"] if token["special"]}
    pieces = [
        Piece(text=token, score=scores[number], type=kind_of(token, unknown, special))
        for number, token in enumerate(tokens)
    ]
    return bytes(sentencepiece_model(pieces, prepends_space=True))


def _read(file: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: {error.strerror}") from error
    except ValueError as error:
        raise InputError(f"{file} is not JSON: {error}") from error
    return content


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(prog="complete_tokenizer.py")
    parser.add_argument("source")
    parser.add_argument("model", type=Path)
    parser.add_argument("--revision", default="main")
    parser.add_argument("--begin-token", action=argparse.BooleanOptionalAction, required=True)
    given = parser.parse_args(arguments)
    try:
        vocabulary = find_vocabulary(given.source, revision=given.revision)
        complete_tokenizer(given.model, vocabulary=vocabulary, begins=given.begin_token)
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


if __name__ == "__main__":
    main(sys.argv[1:])
