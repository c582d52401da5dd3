"""A stack as Pulumi exports it, and what a look at its host finds: made from a real plan."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

from plan.codec import encode
from plan.host import HostFacts
from plan.marker import ArtefactMarker, ServedModelMarker
from plan.ollama_model import OllamaModelStep
from plan.owner import Owner
from plan.paths import MARKER
from plan.pipeline import PipelinePlan
from plan.step import ContainerStepPlan, Request, StepPlan
from plan.survey import FoundFolder, Survey
from planning.pipeline import plan_pipeline
from report.look import HostSight, ImageFacts
from stack_configs.settings.loader import parse_settings

OWNER = Owner(stack="finetune-stack-test", id="0a1b")
MADE = 1_790_000_000.0
"""When everything was made, in seconds since 1970."""

DOCUMENT: dict[str, Any] = {
    "host": {"hardware": "cpu"},
    "datasets": [{"name": "questions", "file": "questions.json"}],
    "models": [
        {
            "name": name,
            "template": "llama3",
            "base_model": {"generate": {"seed": seed}},
            "training_runs": [{"name": "sft", "datasets": ["questions"], "learning_rate": 0.001}],
            "ollama_model": {"smoke_prompts": [{"prompt": "What is <b>?", "expect": "a tag"}]},
        }
        for seed, name in enumerate(("guide", "poet"))
    ],
}
Change = Callable[[dict[str, Any]], Any]


@pytest.fixture
def planned(tmp_path: Path) -> Callable[..., tuple[PipelinePlan, dict[str, Any]]]:
    """The plan of the document after a change, and its settings as they were resolved."""
    rows = [{"instruction": "What is <b>?", "output": "It is a tag."}]
    (tmp_path / "questions.json").write_text(json.dumps(rows))

    def make(change: Change = lambda document: None) -> tuple[PipelinePlan, dict[str, Any]]:
        document = json.loads(json.dumps(DOCUMENT))
        change(document)
        settings = parse_settings(document, directory=tmp_path, source="test.yaml")
        plan = plan_pipeline(settings, owner=OWNER, facts=HostFacts())
        return plan, settings.model_dump(mode="json")

    return make


def resource(urn: str, kind: str, **rest: Any) -> dict[str, Any]:
    return {
        "urn": f"urn:pulumi:test::finetune-stack::{urn}",
        "type": kind,
        "modified": "2026-09-21T15:06:40.123456789Z",
        **rest,
    }


def full(*urns: str) -> list[str]:
    return [f"urn:pulumi:test::finetune-stack::{urn}" for urn in urns]


PIPELINE = "finetune-stack:index:FineTunePipeline"


def exported(
    plan: PipelinePlan,
    settings: Mapping[str, Any],
    own: Mapping[str, Any] = MappingProxyType({}),
    **kept: Any,
) -> str:
    """What `pulumi stack export` prints of a stack that has come up, with outputs of its own and
    those of its pipeline."""
    outputs = {
        "ollama_url": "http://127.0.0.1:11434",
        "board_url": None,
        "accelerators": [{"name": "NVIDIA A100", "memory_gb": 80.0}],
        "volumes": {volume.role: volume.source for volume in plan.volumes},
        **own,
    }
    resources = [
        resource(
            "pulumi:pulumi:Stack::finetune-stack-test", "pulumi:pulumi:Stack", outputs=outputs
        ),
        resource(f"{PIPELINE}::pipeline", PIPELINE, outputs={"settings": settings, **kept}),
        resource(
            "command:local:Command::pipeline-leftovers",
            "command:local:Command",
            inputs={
                "delete": ".venv/bin/python -m runtime leftovers delete",
                "stdin": encode(Request(engine=None, owner=plan.owner, step=plan.leftovers)),
            },
        ),
    ]
    before: list[str] = []
    ground: list[str] = []
    for noun, step, said in steps_of(plan):
        name = f"pipeline-{step.name.removeprefix(f'{plan.stack}-')}"
        kind = f"finetune-stack:index:{noun.title().replace('-', '')}"
        component, command = f"{PIPELINE}${kind}::{name}", f"command:local:Command::{name}-command"
        request = Request(engine=None, owner=plan.owner, step=step, token="t1")
        resources += [
            resource(component, kind, parent=full(f"{PIPELINE}::pipeline")[0]),
            resource(
                command,
                "command:local:Command",
                parent=full(component)[0],
                dependencies=full(*before),
                inputs={
                    "create": f".venv/bin/python -m runtime {noun} converge",
                    "stdin": encode(request),
                    "environment": {"ciphertext": "v1:none of the page's business"},
                },
                outputs={"stdout": json.dumps(said)},
            ),
        ]
        if noun == "dataset-registration":
            ground = [command]
        # What the next model is built on is no step of this one.
        before = [command] if noun != "ollama-model" else ground
    manifest = {"time": "2026-09-21T15:06:41Z", "version": "v3.259.0"}
    return json.dumps({"version": 3, "deployment": {"manifest": manifest, "resources": resources}})


def steps_of(plan: PipelinePlan) -> Iterator[tuple[str, StepPlan, Mapping[str, Any]]]:
    """Every step with its noun and what its program said."""
    registration = plan.dataset_registration
    yield "dataset-registration", registration, {"identity": registration.identity}
    for model in plan.models:
        for step in model.steps:
            results = {"train_loss": 0.5, "train_runtime": 61.0} if step.results else {}
            yield step.noun, step, {"artefact": str(step.artefact), "results": results}
        said = {
            "model": model.ollama_model.served_name,
            "answers": [{"prompt": "What is <b>?", "answer": "It is a <script>tag</script>."}],
            "parity": {"one turn": "", "tools": "token 3: trained on 5, asked with 6"},
        }
        yield "ollama-model", model.ollama_model, said
        if model.publication is not None:
            published = {"reference": model.publication.reference, "digest": "sha256:5eed"}
            yield "publication", model.publication, published


def history(first: float, steps: int) -> dict[str, Any]:
    """A trainer's state: a loss that falls by half every ten steps, and an evaluation."""
    log: list[dict[str, Any]] = [
        {"step": step, "loss": first * 0.5 ** (step / 10), "learning_rate": 0.001}
        for step in range(1, steps + 1)
    ]
    return {"log_history": [*log, {"step": steps, "eval_loss": 0.25}]}


def folder_of(step: ContainerStepPlan, *, seconds: float | None, age: float = 0) -> FoundFolder:
    """What a look finds of a complete step."""
    marker = ArtefactMarker(
        identity=step.identity, step=step.name, stack=OWNER.stack, seconds=seconds
    )
    texts = {name: text for name, text in step.files.items() if name.endswith((".yaml", ".json"))}
    if step.noun == "training-run":
        texts["trainer_state.json"] = json.dumps(history(4, 30))
    return FoundFolder(
        path=str(step.artefact),
        bytes=2_500_000,
        modified=MADE - age,
        texts={**texts, MARKER: encode(marker)},
    )


def served_folder(step: OllamaModelStep) -> FoundFolder:
    """What a look finds of a served model."""
    marker = ServedModelMarker(
        identity=step.identity,
        step=step.name,
        model=step.served_name,
        manifest=str(step.manifest),
        manifest_digest="0" * 64,
        seconds=3.5,
    )
    texts = {MARKER: encode(marker)}
    return FoundFolder(path=str(step.marker.parent), bytes=400, modified=MADE, texts=texts)


MANIFEST = {
    "layers": [
        {
            "mediaType": "application/vnd.ollama.image.model",
            "digest": f"sha256:{'ab' * 32}",
            "size": 1_234_000,
        }
    ]
}


def sight_of(plan: PipelinePlan, *earlier: PipelinePlan) -> HostSight:
    """A look at a host that has everything of a plan, and what is left of earlier ones."""
    folders = {
        step.artefact: folder_of(step, seconds=90, age=age)
        for age, each in enumerate((plan, *earlier))
        for model in each.models
        for step in model.steps
    }
    served = [model.ollama_model for model in plan.models]
    survey = Survey(
        folders=(*folders.values(), *(served_folder(step) for step in served)),
        texts={str(step.manifest): json.dumps(MANIFEST) for step in served},
        disk_bytes=500_000_000_000,
        disk_free_bytes=200_000_000_000,
    )
    return HostSight(
        survey=survey,
        engine={"ServerVersion": "27.1", "Name": "gpu-box", "NCPU": 16, "MemTotal": 64e9},
        images=(ImageFacts(reference="ollama/ollama:0.17.4", id="sha256:cd", bytes=2_000_000_000),),
    )


def without(sight: HostSight, path: str) -> HostSight:
    """A look at a host that lacks one folder."""
    folders = tuple(each for each in sight.survey.folders if each.path != path)
    return replace(sight, survey=replace(sight.survey, folders=folders))
