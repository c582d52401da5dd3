"""Runs in the Board's container: the Train tab's own code, where the Board works.

Arguments: folder of the base model, template, data set, name of the output.
"""

import json
import os
import sys

# The Board itself is the container's first process.
os.chdir("/proc/1/cwd")

from llamafactory.webui import interface  # type: ignore[import-not-found]  # noqa: E402

CHANGED = {
    "train.max_samples": "4",
    "train.num_train_epochs": "1",
    "train.cutoff_len": 32,
    "train.val_size": 0,
    "train.compute_type": "fp32",
    "train.extra_args": json.dumps({"optim": "adamw_torch", "preprocessing_num_workers": 1}),
}


class SeenEngine(interface.Engine):  # type: ignore[misc]
    """The page's engine, which the page keeps to itself."""

    last: interface.Engine

    def __init__(self, **given: bool) -> None:
        super().__init__(**given)
        SeenEngine.last = self


def main(model: str, template: str, dataset: str, output: str) -> None:
    """Fill in the form, press the button, wait for the end."""
    interface.Engine = SeenEngine
    interface.create_ui()
    engine = SeenEngine.last
    form = {
        "top.lang": "en",
        "top.model_name": "Custom",
        "top.model_path": model,
        "top.template": template,
        "train.dataset": [dataset],
        "train.output_dir": output,
        **CHANGED,
    }
    manager = engine.manager
    data = {each: getattr(each, "value", None) for each in manager.get_elem_list()}
    data |= {manager.get_elem_by_id(name): value for name, value in form.items()}
    for shown in engine.runner.run_train(data):
        last = {manager.get_id_by_elem(each): value for each, value in shown.items()}
    print(last["train.output_box"])


if __name__ == "__main__":
    main(*sys.argv[1:])
