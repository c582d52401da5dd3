"""Rules between data sets and what is made from them."""

from collections.abc import Iterator
from pathlib import Path

from plan.problem import Problem
from stack_configs.settings.root import Settings


def find_misuse(settings: Settings) -> Iterator[Problem]:
    """Data sets that do not go together, and models that need more than a hub's."""
    datasets = {dataset.name: dataset for dataset in settings.datasets}
    for index, model in enumerate(settings.models):
        used = {name for run in model.training_runs for name in run.datasets if name in datasets}
        generated = model.base_model.generate
        reads_files = generated is not None and generated.family is None
        if reads_files and used and not any(datasets[name].file for name in used):
            yield Problem(
                f"models[{index}].base_model.generate",
                "",
                "its tokenizer is made from the data sets' files, and all of them are on a hub",
                "Train on at least one file, or name a base model",
            )
        for run_index, run in enumerate(model.training_runs):
            folders = dict.fromkeys(
                folder
                for name in (*run.datasets, *run.eval_datasets)
                if name in datasets and (folder := datasets[name].media_dir)
            )
            if len(folders) > 1 and (name := _name_in_two(list(folders))):
                yield Problem(
                    f"models[{index}].training_runs[{run_index}].datasets",
                    repr(list(run.datasets)),
                    f"two of their media folders hold a file {name!r}, and LLaMA-Factory knows one "
                    "folder for all data sets of a run",
                    "Rename the file, or give the data sets one media_dir",
                )


def _name_in_two(folders: list[Path]) -> str | None:
    seen: set[str] = set()
    for folder in folders:
        names = {
            path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()
        }
        if both := seen & names:
            return min(both)
        seen |= names
    return None
