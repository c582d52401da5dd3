"""Runs llama.cpp's converter, and tells the file how the model's tokenizer treats white space.

Usage: convert.py MODEL_DIRECTORY --outfile FILE --outtype TYPE

Whether llama.cpp puts a space before a text follows from the model's tokenizer; the converter
leaves it open. Whether a conversation begins with a token is what `complete_tokenizer.py` wrote:
`tokenizer.json`, which the converter prefers, says it of any text. Runs inside the image of the
converter.
"""

# ruff: noqa: PLC0415 - transformers and gguf are in the image only, and a wrong call needs neither

import json
import runpy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Never

CONVERTER = Path("/opt/llama.cpp/convert_hf_to_gguf.py")
SENTENCEPIECE = "llama"
"""What llama.cpp calls a vocabulary of sentencepiece."""


def correct(writer: type[Any], *, begins: bool | None, after_tokens: bool) -> None:
    """Lets a GGUF writer say what is so: whether a conversation begins with a token, and whether
    llama.cpp puts a space before a text and after each token."""
    write_model, write_space = writer.add_tokenizer_model, writer.add_add_space_prefix
    write_begin = writer.add_add_bos_token

    def add_tokenizer_model(self: Any, model: str) -> None:
        write_model(self, model)
        if model == SENTENCEPIECE:
            write_space(self, after_tokens)

    writer.add_tokenizer_model = add_tokenizer_model
    if begins is not None:
        # The converter goes by what the tokenizer does to a text, which is no conversation.
        writer.add_add_bos_token = lambda self, _: write_begin(self, begins)
    # What it would write itself, from settings that say less.
    writer.add_add_space_prefix = lambda _self, _value: None


def _fail(text: str, status: int) -> Never:
    print(f"error: {text}", file=sys.stderr)
    sys.exit(status)


def main(arguments: Sequence[str]) -> None:
    """The command line."""
    if not arguments:
        _fail("usage: convert.py MODEL_DIRECTORY --outfile FILE --outtype TYPE", 2)
    sys.path[:0] = [str(CONVERTER.parent), str(CONVERTER.parent / "gguf-py")]
    from gguf import GGUFWriter  # type: ignore[import-not-found]
    from text_beginnings import puts_space_after_tokens  # type: ignore[import-not-found]
    from transformers import AutoTokenizer  # type: ignore[import-not-found]

    tokenizer = AutoTokenizer.from_pretrained(arguments[0], trust_remote_code=True)
    config = json.loads((Path(arguments[0]) / "tokenizer_config.json").read_text(encoding="utf-8"))
    after_tokens = puts_space_after_tokens(tokenizer)
    correct(GGUFWriter, begins=config.get("add_bos_token"), after_tokens=after_tokens)
    sys.argv = [str(CONVERTER), *arguments]
    runpy.run_path(str(CONVERTER), run_name="__main__")


if __name__ == "__main__":
    main(sys.argv[1:])
