"""Makes the argument rope_scaling run with transformers 5.

LLaMA-Factory 0.9.4 and 0.9.5 write a model's positions as transformers 4 keeps them: with a length
that is no whole number, which transformers 5 refuses, and without the base of the rotation, which
it keeps in the same place and so loses. An older transformers is left as it is.
"""

import compileall
import sysconfig
from importlib.metadata import version
from pathlib import Path

from source_edits import Edit, edit

SITE = Path(sysconfig.get_path("purelib"))
FEATURE = "argument rope_scaling"

EDITS: tuple[Edit, ...] = (
    (
        'setattr(config, "max_position_embeddings", old_max_length * rope_factor)',
        'setattr(config, "max_position_embeddings", int(old_max_length * rope_factor))',
    ),
    (
        '    setattr(config, "rope_scaling", rope_kwargs)\n',
        '    rope_kwargs["rope_theta"] = (config.rope_parameters or {}).get("rope_theta")\n'
        '    setattr(config, "rope_scaling", rope_kwargs)\n',
    ),
)


def is_needed(transformers: str) -> bool:
    """Whether this transformers keeps positions in the new way."""
    return int(transformers.partition(".")[0]) >= 5  # noqa: PLR2004 - where it began


def main() -> None:
    """The command line."""
    file = SITE / "llamafactory/model/model_utils/rope.py"
    if not is_needed(version("transformers")) or EDITS[1][1] in file.read_text(encoding="utf-8"):
        return
    edit(file, EDITS, feature=FEATURE)
    compileall.compile_file(file, quiet=1)


if __name__ == "__main__":
    main()
