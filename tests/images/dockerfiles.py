"""The Dockerfiles of the project, read for the tests."""

from pathlib import Path

from stack_configs.settings.root import Settings

PROJECT = Path(__file__).parents[2]
IMAGES = PROJECT / "images"
DOCKERFILES = sorted(
    path for path in IMAGES.glob("*/Dockerfile*") if path.suffix != ".dockerignore"
)


def below_images(path: Path) -> str:
    """The path as the plan writes it, without the folder of all images."""
    return path.relative_to(IMAGES).as_posix()


def instructions(dockerfile: Path) -> list[str]:
    """The instructions, continuation lines joined, comments left out."""
    lines = dockerfile.read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    return [line for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def settings(hardware: str) -> Settings:
    """Settings with which every image is built."""
    return Settings.model_validate(
        {
            "host": {"hardware": hardware},
            "images": {"ollama": {"build": True}},
            "metrics": {"enabled": True},
            "reverse_proxy": {"enabled": True, "certificate": "proxy.pem"},
            "datasets": [{"name": "rows", "file": "rows.json"}],
            "models": [
                {
                    "name": "model",
                    "template": "llama3",
                    "base_model": {"hub": "owner/model-8B"},
                    "training_runs": [{"datasets": ["rows"]}],
                }
            ],
        }
    )
