"""A training run as operators of LLaMA-Factory write it: its own YAML, key by key.

Keys that are settings of the stack under another name are translated, those that say what the stack
does anyway are dropped, and every other argument of the release goes into `arguments`.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stack_configs.settings.release_arguments import RELEASE_ARGUMENTS
from stack_configs.settings.rule import SECRET_KEY


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What a key says that cannot be done."""

    key: str
    value: Any
    rule: str
    way_out: str


@dataclass(frozen=True, kw_only=True)
class Spelling:
    """A run in the stack's own words."""

    run: Mapping[str, Any] = field(default_factory=dict)
    beside: frozenset[str] = frozenset()
    """Arguments of the release that stood in the run itself."""
    faults: tuple[Fault, ...] = ()


OWNED_ARGUMENTS = frozenset(
    {
        "model_name_or_path",
        "model_revision",
        "adapter_name_or_path",
        "adapter_folder",
        "cache_dir",
        "dataset",
        "eval_dataset",
        "dataset_dir",
        "media_dir",
        "output_dir",
        "template",
        "do_train",
        "overwrite_output_dir",
        "resume_from_checkpoint",
        "reward_model_type",
        "bf16",
        "fp16",
        "disable_gradient_checkpointing",
        "save_on_each_node",
        "tokenized_path",
        "use_swanlab",
        "swanlab_mode",
        "swanlab_project",
        "swanlab_logdir",
    }
)
"""Arguments that the stack sets itself: links between steps, and what other settings decide."""

ELSEWHERE: Mapping[str, tuple[str, str]] = {
    "model_name_or_path": (
        "all runs of a model begin with its base_model",
        "Set base_model.hub of the model, or base_model.path for a folder",
    ),
    "model_revision": (
        "all runs of a model begin with its base_model",
        "Set base_model.revision of the model",
    ),
    "template": (
        "the chat template belongs to the model: training, merge and Ollama must have the same",
        "Set template of the model",
    ),
    "adapter_name_or_path": ("a later run goes on from what the earlier run left", "Remove it"),
    "adapter_folder": ("a later run goes on from what the earlier run left", "Remove it"),
    "dataset_dir": ("the stack registers the data sets itself", "Declare them under datasets"),
    "media_dir": ("images and the like belong to a data set", "Set media_dir of the data set"),
    "output_dir": ("the stack keeps every run in the output volume, by its identity", "Remove it"),
    "tokenized_path": (
        "what lies there would be trained on, whatever the data sets have become",
        "Remove it: a run tokenizes its data itself",
    ),
    "ray_num_workers": ("the stack starts a process for each device", "Set host.gpu.count"),
    "ray_init_kwargs": ("the stack starts a process for each device", "Remove it"),
    "local_rank": ("the stack starts a process for each device", "Remove it"),
    "master_addr": ("the stack starts the processes", "Set host.cluster.master_address"),
    "master_port": ("the stack starts the processes", "Set host.cluster.master_port"),
    "swanlab_mode": ("SwanLab runs where W&B does", "Set trackers.offline"),
    "swanlab_project": ("all trackers have one project", "Set trackers.project"),
    "swanlab_logdir": ("what trackers leave is kept in the output volume", "Remove it"),
    "reward_model_type": ("it follows from the run that reward_model names", "Remove it"),
    "use_mca": ("the release sets it itself, from its environment", "Remove it"),
}
"""Arguments that are another section's, or the stack's own: the rule, and the way out."""

AS_IT_IS: Mapping[str, tuple[Any, ...]] = {
    "do_train": (True,),
    # Every artefact has a folder of its own, which only its own killed run resumes.
    "overwrite_output_dir": (True, False),
    "report_to": ("none", ["none"], None),
    "resume_from_checkpoint": (None,),
    "save_on_each_node": (False,),
    "use_swanlab": (False,),
    "swanlab_mode": ("cloud",),
    "max_steps": (-1,),
}
"""What may be said, since it is so anyway."""

SHIPPED_DEEPSPEED: Mapping[str, tuple[str, str | None]] = {
    "ds_z2_config.json": ("zero2", None),
    "ds_z2_offload_config.json": ("zero2", "optimizer"),
    "ds_z3_config.json": ("zero3", None),
    "ds_z3_offload_config.json": ("zero3", "all"),
}
"""LLaMA-Factory's own files, which the stack renders itself: `deepspeed`, and `offload`."""


def spell_run(given: Mapping[str, Any], *, own: Collection[str]) -> Spelling:
    """The run in the stack's words; `own` are the settings of a run. Nothing is lost: what fits
    neither stays where it is, for the model to refuse."""
    speller = _Speller(given, own)
    return Spelling(run=speller.run, beside=frozenset(speller.beside), faults=tuple(speller.faults))


class _Speller:
    def __init__(self, given: Mapping[str, Any], own: Collection[str]) -> None:
        self.faults: list[Fault] = []
        self.beside: set[str] = set()
        self.run: dict[str, Any] = {}
        arguments = given.get("arguments", {})
        self._moved: dict[str, Any] = {}
        rest = {key: value for key, value in given.items() if not self._is_said_anyway(key, value)}
        rest = dict(self._translated(rest))
        for key, value in rest.items():
            if key in own:
                self.run[key] = _several(key, value) if key == "lora_target" else value
            elif key in ELSEWHERE or key in AS_IT_IS:
                self._refuse(key, value)
            elif key in RELEASE_ARGUMENTS and not SECRET_KEY.search(key):
                self._move(key, value)
            else:
                self.run[key] = value
        if isinstance(arguments, dict):
            named = {key: _several(key, value) for key, value in arguments.items()}
            for key in self._moved.keys() & named.keys():
                if self._moved[key] != named[key]:
                    self._contradict(key, self._moved[key], "arguments", named[key])
            if named or self._moved:
                self.run["arguments"] = {**named, **self._moved}

    def _is_said_anyway(self, key: str, value: Any) -> bool:
        return key in AS_IT_IS and any(
            value == said and type(value) is type(said) for said in AS_IT_IS[key]
        )

    def _refuse(self, key: str, value: Any) -> None:
        rule, way_out = ELSEWHERE.get(
            key, ("the stack sets it from its own settings", "Use those, or leave it out")
        )
        self.faults.append(Fault(key=key, value=value, rule=rule, way_out=way_out))

    def _contradict(self, key: str, value: Any, other: str, meant: Any) -> None:
        rule = f"{other} says {meant!r}"
        self.faults.append(Fault(key=key, value=value, rule=rule, way_out="Keep one of the two"))

    def _move(self, key: str, value: Any) -> None:
        self.beside.add(key)
        if value is not None or not RELEASE_ARGUMENTS[key].optional:
            self._moved[key] = _several(key, value)

    def _translated(self, given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
        """Every pair of the run, those that have another name here under that one."""
        said: dict[str, tuple[str, Any]] = {}
        for key, value in given.items():
            for name, meant in _meaning(key, value):
                first, before = said.setdefault(name, (key, meant))
                if before != meant:
                    self._contradict(key, value, first, given[first])
        self._without(said, given)
        yield from ((name, meant) for name, (_, meant) in said.items())

    def _without(self, said: dict[str, tuple[str, Any]], given: Mapping[str, Any]) -> None:
        """What `bf16: false` and `fp16: false` leave of the precision."""
        off = [key for key in ("bf16", "fp16") if given.get(key) is False]
        first, precision = said.get("precision", ("", None))
        if precision in off:
            self._contradict(precision, False, first, given[first])
        if precision is None and "bf16" in off:
            said["precision"] = ("bf16", "fp32")


def _meaning(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """A pair of the run in the stack's words. A pair that says nothing here is gone."""
    match key, value:
        case ("dataset", _):
            yield "datasets", _listed(value)
        case ("eval_dataset", None):
            return
        case ("eval_dataset", _):
            yield "eval_datasets", _listed(value)
        case ("datasets" | "eval_datasets" | "additional_target" | "report_to", str()):
            yield key, _listed(value)
        case ("bf16" | "fp16", True):
            yield "precision", key
        case ("bf16" | "fp16", False):
            return
        case ("pure_bf16", True):
            yield "precision", "bf16"
            yield key, value
        case ("use_swanlab", True):
            yield "report_to", ["swanlab"]
        case ("disable_gradient_checkpointing", bool()):
            yield "gradient_checkpointing", not value
        case ("deepspeed", str()) | ("fsdp", str() | list()):
            yield from _sharing(key, value)
        case _:
            yield key, value


def _sharing(key: str, value: Any) -> Iterator[tuple[str, Any]]:
    """How a model is shared out, and what of it is left to the host's memory."""
    if key == "deepspeed":
        stage, offload = SHIPPED_DEEPSPEED.get(value.rpartition("/")[2], (value, None))
        yield key, stage
    else:
        words = value.split() if isinstance(value, str) else value
        # Layers are always shared out one by one.
        sharing = [word for word in words if word not in ("auto_wrap", "offload")]
        offload = "all" if "offload" in words else None
        if words:
            yield key, sharing[0] if len(sharing) == 1 else " ".join(map(str, words))
    if offload:
        yield "offload", offload


def _listed(value: Any) -> Any:
    return [name.strip() for name in value.split(",")] if isinstance(value, str) else value


def _several(key: str, value: Any) -> Any:
    """A list as the text that the release splits."""
    argument = RELEASE_ARGUMENTS.get(key)
    if argument is None or not argument.holds_several or not isinstance(value, list | tuple):
        return value
    return ",".join(map(str, value))
