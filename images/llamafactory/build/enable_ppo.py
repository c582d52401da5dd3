"""Makes stage ppo run beside the TRL that LLaMA-Factory's other stages need.

LLaMA-Factory 0.9.4 and 0.9.5 are installed with TRL 0.18 to 0.24 and import it in every stage, but
their PPO trainer is written for TRL 0.9.6, and with transformers 5 it stops half-way. This puts
that TRL beside the other one, as the package trl_ppo, and lets the PPO trainer alone import it.
An older LLaMA-Factory has the old TRL anyway and is left as it is.
"""

import compileall
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from importlib.metadata import version
from pathlib import Path

from source_edits import Edit, edit, fail

TRL = "trl==0.9.6 --hash=sha256:4753f190c94c11488fcc46ec74b2128e53fbc61d51f0887b7204ec4dc333af4b"
SITE = Path(sysconfig.get_path("purelib"))
PACKAGE = "trl_ppo"
FEATURE = "stage ppo"

TRL_EDITS: dict[str, tuple[Edit, ...]] = {
    # tyro describes command lines, which nobody gives here; not every version does it on every
    # Python.
    "trainer/ppo_config.py": (
        ("tyro.conf.Suppress[int]", "int"),
        ("tyro.conf.Suppress[bool]", "bool"),
    ),
    # The models come from LLaMA-Factory, made by the TRL that it knows.
    "trainer/ppo_trainer.py": (
        ("from ..models import", "from trl.models import"),
        (
            f"from {PACKAGE} import AutoModelForCausalLMWithValueHead",
            "from trl import AutoModelForCausalLMWithValueHead",
        ),
    ),
}

TRAINER_EDITS: tuple[Edit, ...] = (
    ("from trl import PPOConfig, PPOTrainer", f"from {PACKAGE} import PPOConfig, PPOTrainer"),
    ("from trl import __version__", f"from {PACKAGE} import __version__"),
    ("from trl.models.utils import", f"from {PACKAGE}.models.utils import"),
    ("from trl.core import", f"from {PACKAGE}.core import"),
    ('"trl>=0.8.6,<=0.9.6"', '"trl"'),
    # Gone from transformers 5.
    (
        "self.tokenizer.additional_special_tokens_ids",
        'getattr(self.tokenizer, "additional_special_tokens_ids", self.tokenizer.all_special_ids)',
    ),
    # Asked for when the model is saved, since transformers 4.46.
    (
        "        self.args = training_args\n",
        "        self.args = training_args\n        self.processing_class = tokenizer\n",
    ),
)


def needs_old_trl(installed: str) -> bool:
    """Whether the PPO trainer of this image finds a TRL that it cannot use."""
    return tuple(int(part) for part in installed.split(".")[:2]) > (0, 9)


def install(target: Path) -> None:
    """The old TRL as a package of another name."""
    with tempfile.TemporaryDirectory() as folder:
        requirements = Path(folder) / "requirements.txt"
        requirements.write_text(f"{TRL}\n", encoding="utf-8")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile"]
        arguments = ["--require-hashes", "--target", f"{folder}/packages", "-r", str(requirements)]
        if subprocess.run([*pip, *arguments], check=False).returncode:
            fail(
                FEATURE,
                "pip's messages are above; if the index is slow or unreachable, set "
                "images.mirrors.python_index",
            )
        shutil.copytree(Path(folder) / "packages/trl", target)
    for file in target.rglob("*.py"):
        text = file.read_text(encoding="utf-8")
        file.write_text(re.sub(r"\b(from|import) trl\b", rf"\1 {PACKAGE}", text), encoding="utf-8")
    for name, edits in TRL_EDITS.items():
        edit(target / name, edits, feature=FEATURE)


def main() -> None:
    """The command line."""
    if not needs_old_trl(version("trl")):
        return
    if (SITE / PACKAGE).exists():
        return
    trainer = SITE / "llamafactory/train/ppo/trainer.py"
    edit(trainer, TRAINER_EDITS, feature=FEATURE)
    install(SITE / PACKAGE)
    # A container that imports uncompiled modules compiles them again at each start.
    compileall.compile_file(trainer, quiet=1)
    compileall.compile_dir(SITE / PACKAGE, quiet=1)
    # Every stage imports it: what is wrong with it ends the build. There is no device in a build.
    check = [sys.executable, "-c", f"from {PACKAGE} import PPOConfig, PPOTrainer"]
    environment = {**os.environ, "TORCH_DEVICE_BACKEND_AUTOLOAD": "0"}
    if subprocess.run(check, env=environment, check=False).returncode:
        fail(FEATURE, "its trainer cannot be imported; Python's messages are above")


if __name__ == "__main__":
    main()
