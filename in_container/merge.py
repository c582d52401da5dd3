"""Runs `llamafactory-cli export` with positions scaled as training scaled them.

A `chat_request.json` beside it is answered as well, by `chat_encoding.py`: all that it needs is in
memory then.

Usage: merge.py EXPORT_YAML

With `rope_scaling` the factor follows from `cutoff_len`, and the export does not look at that: on a
device it takes the factor 2, on the processor too where the length is the default one. Runs inside
the LLaMA-Factory image.
"""

# ruff: noqa: PLC0415 - llamafactory is in the image only, and takes seconds to import

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Never

REQUEST, RESULT = "chat_request.json", "chat_encoding.json"


def load_for_length(parse: Any, length: int) -> Any:
    """`get_infer_args`, but that the model is loaded for texts of this many tokens."""

    def parsed(arguments: Any = None) -> Any:
        model, *others = parse(arguments)
        model.model_max_length = length
        return model, *others

    return parsed


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
    except OSError as error:
        _fail(f"{file}: {error.strerror}", 1)
    except yaml.YAMLError as error:
        _fail(f"{file} is not YAML: {error}", 1)
    if not isinstance(settings, dict):
        _fail(f"{file} holds no arguments of the export", 1)

    from llamafactory.train import tuner  # type: ignore[import-not-found]

    if "cutoff_len" in settings:
        tuner.get_infer_args = load_for_length(tuner.get_infer_args, settings["cutoff_len"])
    tuner.export_model(settings)
    if (request := file.parent / REQUEST).exists():
        from chat_encoding import write_encodings  # type: ignore[import-not-found]

        write_encodings(request, file.parent / RESULT)


if __name__ == "__main__":
    main(sys.argv[1:])
