"""The whole stack as one component: it only composes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from components.accelerator_check import AcceleratorCheck
from components.api import Api
from components.base_model import BaseModel
from components.board import Board
from components.dataset_registration import DatasetRegistration, DatasetRegistrationArgs
from components.gguf_conversion import GgufConversion
from components.host_check import HostCheck, HostCheckArgs, HostFacts
from components.images import Images, ImagesArgs
from components.merge import Merge
from components.naming import type_token
from components.network import stack_network
from components.ollama_model import OllamaModel, OllamaModelArgs
from components.ollama_server import OllamaServer
from planning.model import ModelPlan
from planning.pipeline import PipelinePlan
from planning.services import ServicePlan
from components.service import ServiceArgs
from components.stages import Stages
from components.training_run import TrainingRun
from components.volumes import Volumes, VolumesArgs


@dataclass(frozen=True, kw_only=True)
class FineTunePipelineArgs:
    """What the pipeline needs beside its plan."""

    plan: PipelinePlan
    host: HostFacts
    hub_token: pulumi.Input[str] | None = None
    """Hugging Face token; must arrive as a secret."""
    api_key: pulumi.Input[str] | None = None
    """What clients of the API must send; must arrive as a secret."""


class FineTunePipeline(pulumi.ComponentResource):
    """From a checked host to fine-tuned models that answer in Ollama."""

    ollama_url: pulumi.Output[str]
    board_url: pulumi.Output[str | None]
    api_url: pulumi.Output[str | None]
    models: pulumi.Output[Mapping[str, str]]
    """Served name of each model."""
    smoke_answers: pulumi.Output[list[Mapping[str, str]]]
    """What the models answered before they were served: `model`, `prompt`, `answer`."""
    training_results: pulumi.Output[Mapping[str, Any]]
    """Figures of each training run, by model and run."""
    accelerators: pulumi.Output[list[Mapping[str, Any]]]
    """The devices that containers see: `name` and `memory_gb`; empty on a CPU host."""
    volumes: pulumi.Output[Mapping[str, str]]
    outputs: Mapping[str, pulumi.Output[Any]]
    """All of them by name: what the stack exports."""

    def __init__(
        self, name: str, args: FineTunePipelineArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_token("FineTunePipeline"), name, None, opts)
        self._name, self._args = name, args
        plan, child = args.plan, pulumi.ResourceOptions(parent=self)
        secrets = {"HF_TOKEN": args.hub_token, "API_KEY": args.api_key}
        self._secrets = {key: value for key, value in secrets.items() if value is not None}
        HostCheck(f"{name}-host-check", HostCheckArgs(host=args.host), opts=child)
        self._images = Images(f"{name}-images", ImagesArgs(plan=plan.images), opts=child)
        self._volumes = Volumes(
            f"{name}-volumes", VolumesArgs(plan=plan.volumes, stack=plan.stack), opts=child
        )
        self._network = stack_network(
            f"{name}-network", plan.network, stack=plan.stack, parent=self
        )
        registration = DatasetRegistration(
            f"{name}-dataset-registration",
            DatasetRegistrationArgs(
                plan=plan.dataset_registration,
                stack=plan.stack,
                engine=plan.engine,
                token=args.host.tokens["dataset-registration"],
                image=self._images.llamafactory,
                volumes=self._volumes.by_role,
            ),
            opts=child,
        )
        server = OllamaServer(
            f"{name}-ollama-server",
            self._service(plan.ollama_server, self._images.ollama),
            opts=child,
        )
        board = plan.board and Board(
            f"{name}-board",
            # It lists the registered data sets, and reads them anew when they change.
            self._service(plan.board, self._images.llamafactory, after=[registration]),
            opts=child,
        )
        self._stages = Stages(
            name,
            plan=plan,
            tokens=args.host.tokens,
            images={"llamafactory": self._images.llamafactory, "converter": self._images.converter},
            volumes=self._volumes.by_role,
            network=self._network.name,
            secrets=self._secrets,
            parent=self,
        )
        self._runs: dict[str, pulumi.Output[Any]] = {}
        self._trained: dict[str | None, pulumi.Output[str]] = {}
        check = plan.accelerator_check and self._stages.add(
            AcceleratorCheck, plan.accelerator_check
        )
        # What every training needs, whatever it starts from.
        ready = [registration.fingerprint, *([check.fingerprint] if check else [])]
        models = {model.name: self._model(model, ready, server) for model in plan.models}
        api = plan.api and Api(
            f"{name}-api",
            self._service(
                plan.api, self._images.llamafactory, built_on=self._trained[plan.api_model]
            ),
            opts=child,
        )
        self.ollama_url = server.url
        self.board_url = board.url if board else pulumi.Output.from_input(None)
        self.api_url = api.url if api else pulumi.Output.from_input(None)
        self.models = pulumi.Output.all(**{key: model.model for key, model in models.items()})
        self.smoke_answers = pulumi.Output.all(
            **{key: model.answers for key, model in models.items()}
        ).apply(
            lambda answers: [
                {"model": model, **answer} for model, given in answers.items() for answer in given
            ]
        )
        self.accelerators = (
            check.results.apply(lambda found: found["accelerators"])
            if check
            else pulumi.Output.from_input([])
        )
        self.training_results = pulumi.Output.all(**self._runs)
        self.volumes = self._volumes.names
        self.outputs = {
            "ollama_url": self.ollama_url,
            "board_url": self.board_url,
            "api_url": self.api_url,
            "models": self.models,
            "smoke_answers": self.smoke_answers,
            "training_results": self.training_results,
            "accelerators": self.accelerators,
            "volumes": self.volumes,
        }
        self.register_outputs(self.outputs)

    def _model(
        self, plan: ModelPlan, ready: Sequence[pulumi.Output[str]], server: OllamaServer
    ) -> OllamaModel:
        """The stages of one model, each built on the one before."""
        before = [*ready]
        if plan.base_model is not None:
            before.append(self._stages.add(BaseModel, plan.base_model).fingerprint)
        for run in plan.training_runs:
            stage = self._stages.add(TrainingRun, run, *before)
            before = [stage.fingerprint]
            self._runs[run.name.removeprefix(f"{self._args.plan.stack}-")] = stage.results
        (self._trained[plan.name],) = before
        if plan.merge is not None:
            before = [self._stages.add(Merge, plan.merge, *before).fingerprint]
        gguf = self._stages.add(GgufConversion, plan.gguf_conversion, *before)
        return OllamaModel(
            f"{self._name}-{plan.name}-ollama-model",
            OllamaModelArgs(
                plan=plan.ollama_model,
                stack=self._args.plan.stack,
                engine=self._args.plan.engine,
                token=self._args.host.tokens[plan.ollama_model.name],
                server=server.container_name,
                built_on=gguf.fingerprint,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )

    def _service(
        self,
        plan: ServicePlan,
        image: pulumi.Output[str],
        *,
        built_on: pulumi.Output[str] | None = None,
        after: Sequence[pulumi.Resource] = (),
    ) -> ServiceArgs:
        return ServiceArgs(
            plan=plan,
            stack=self._args.plan.stack,
            image=image,
            volumes=self._volumes.by_role,
            network=self._network.name,
            secrets=self._secrets,
            built_on=built_on,
            after=after,
        )
