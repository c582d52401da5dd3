"""The whole stack as one component: it only composes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

from components import type_tokens
from components.container_step import ContainerStep, ContainerStepArgs
from components.dataset_registration import DatasetRegistration, DatasetRegistrationArgs
from components.host_check import HostCheck, HostCheckArgs
from components.images import Images, ImagesArgs
from components.leftovers import leftovers_command
from components.ollama_model import OllamaModel, OllamaModelArgs, count_equal, in_one_list
from components.outputs import PipelineOutputs
from components.publication import published_models
from components.service import Service, ServiceArgs
from components.step import Deployment, step_command
from components.volumes import Volumes, VolumesArgs, stack_network
from plan import secret
from plan.codec import as_json
from plan.host import HostFacts, Tokens
from plan.pipeline import ModelPlan, PipelinePlan
from plan.service import ServicePlan
from plan.step import ContainerStepPlan, Noun, StepPlan


@dataclass(frozen=True, kw_only=True)
class FineTunePipelineArgs:
    """What the pipeline needs beside its plan."""

    plan: PipelinePlan
    facts: HostFacts
    tokens: Tokens
    settings: Mapping[str, Any] = field(default_factory=dict)
    """As they were resolved: kept in the state, for the report. They hold no secret."""
    gpu_memory: Mapping[str, object] = field(default_factory=dict)
    """What each run was foretold to need on each GPU, in GB by part; kept likewise."""
    forecast: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """What each run was foretold to take: `steps`; `tokens` and `seconds` where they are known."""
    secrets: Mapping[str, pulumi.Input[str]] = field(default_factory=dict)
    """By what `pulumi config` calls them, see `plan.secret`; they must arrive as secrets."""


class FineTunePipeline(pulumi.ComponentResource):
    """From a checked host to fine-tuned models that answer in Ollama."""

    outputs: PipelineOutputs
    trained: Sequence[pulumi.Output[Any]]
    """Name of each training run's step, and its figures: known as soon as it is done."""

    def __init__(
        self, name: str, args: FineTunePipelineArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__(type_tokens.PIPELINE, name, None, opts)
        self._plan, self._tokens, self._prefix = args.plan, args.tokens, name
        self._child = pulumi.ResourceOptions(parent=self)
        plan = args.plan
        host = HostCheck(
            f"{name}-host-check",
            HostCheckArgs(plan=plan.host_claim, engine=plan.engine, owner=plan.owner),
            opts=self._child,
        )
        self._deployment = Deployment(
            engine=plan.engine,
            owner=plan.owner,
            owner_id=host.owner_id,
            tokens=args.tokens.steps,
            secrets={secret.VARIABLES[name]: value for name, value in args.secrets.items()},
        )
        images = Images(
            f"{name}-images",
            ImagesArgs(
                plan=plan.images,
                tokens=args.tokens.images,
                platform=args.facts.platform,
                after=[host],
            ),
            opts=self._child,
        )
        self._images = images.by_reference
        volumes = Volumes(
            f"{name}-volumes",
            VolumesArgs(plan=plan.volumes, deployment=self._deployment),
            opts=self._child,
        )
        network = stack_network(f"{name}-network", plan.network, self._deployment, parent=self)
        leftovers = leftovers_command(
            f"{name}-leftovers",
            plan.leftovers,
            self._deployment,
            parent=self,
            after=[volumes, network],
        )
        self._ground: list[pulumi.Resource] = [volumes, network, leftovers]
        registration = DatasetRegistration(
            f"{name}-dataset-registration",
            DatasetRegistrationArgs(
                plan=plan.dataset_registration,
                deployment=self._deployment,
                after=[*self._ground, self._images[plan.dataset_registration.image]],
            ),
            opts=self._child,
        )
        server = self._service(type_tokens.OLLAMA_SERVER, plan.ollama_server)
        # The Board lists the registered data sets, and reads them anew when they change.
        tensorboard = plan.tensorboard and self._service(type_tokens.TENSORBOARD, plan.tensorboard)
        metrics = plan.metrics and self._service(type_tokens.METRICS, plan.metrics)
        board = plan.board and self._service(type_tokens.BOARD, plan.board, registration)
        self._steps: dict[str, ContainerStep] = {}
        """By identity: two models that differ in how they are served only are made once."""
        check = plan.accelerator_check and self._step(plan.accelerator_check, [])
        # What every training needs, whatever it starts from.
        ready = [registration, *([check] if check else [])]
        models = {model.name: self._model(model, ready, server) for model in plan.models}
        done = [server, *models.values()]
        self._tidying("served-models", plan.served_models, done)
        api = plan.api and self._service(
            type_tokens.API, plan.api, self._steps[plan.api.built_on or ""]
        )
        if plan.kept_artefacts is not None:
            self._tidying("kept-artefacts", plan.kept_artefacts, [*done, *([api] if api else [])])
        services = [each for each in (server, board, api, tensorboard, metrics) if each]
        proxy = plan.reverse_proxy and self._service(
            type_tokens.REVERSE_PROXY, plan.reverse_proxy, *services
        )
        nothing = pulumi.Output.from_input(None)
        runs = [run for model in plan.models for run in model.steps if run.noun == "training-run"]
        results = {run.name: self._steps[run.identity].results for run in runs}
        self.trained = [pulumi.Output.all(*run) for run in results.items()]

        def of_models(name: str) -> pulumi.Output[dict[str, Any]]:
            """An output of each model, by the model's name."""
            return pulumi.Output.all(**{key: getattr(each, name) for key, each in models.items()})

        self.outputs = PipelineOutputs(
            ollama_url=server.url,
            board_url=board.url if board else nothing,
            api_url=api.url if api else nothing,
            tensorboard_url=tensorboard.url if tensorboard else nothing,
            metrics_url=metrics.url if metrics else nothing,
            reverse_proxy_urls=proxy.fronted_urls if proxy else pulumi.Output.from_input({}),
            models=of_models("model"),
            smoke_answers=of_models("answers").apply(in_one_list),
            parity=of_models("parity").apply(count_equal),
            evaluations=of_models("evaluation").apply(
                lambda found: {model: given for model, given in found.items() if given}
            ),
            kept_models=of_models("kept"),
            published=published_models(
                name, plan.models, models, deployment=self._deployment, opts=self._child
            ),
            training_results=pulumi.Output.all(
                **{step.removeprefix(f"{plan.stack}-"): each for step, each in results.items()}
            ),
            forecast=pulumi.Output.from_input(args.forecast),
            accelerators=(
                check.results.apply(lambda found: found["accelerators"])
                if check
                else pulumi.Output.from_input([])
            ),
            volumes=volumes.names,
        )
        # No output of the stack: the CLI would print all of it after each change.
        kept = {"settings": args.settings, "gpu_memory": as_json(args.gpu_memory)}
        self.register_outputs({**self.outputs.by_name, **kept})

    def _model(
        self, plan: ModelPlan, ready: Sequence[pulumi.Resource], server: Service
    ) -> OllamaModel:
        """The steps of one model, each built on the one before."""
        before = list(ready)
        for step in plan.steps:
            before = [self._step(step, before)]
        return OllamaModel(
            f"{self._prefix}-{plan.name}-ollama-model",
            OllamaModelArgs(
                plan=plan.ollama_model, deployment=self._deployment, after=[*before, server]
            ),
            opts=self._child,
        )

    def _tidying(self, noun: Noun, plan: StepPlan, after: Sequence[pulumi.Resource]) -> None:
        """What goes once everything is made, and everything that runs has what it needs."""
        name = f"{self._prefix}-{noun}-command"
        step_command(name, noun, plan, self._deployment, parent=self, after=after)

    def _step(self, plan: ContainerStepPlan, before: Sequence[pulumi.Resource]) -> ContainerStep:
        if plan.identity not in self._steps:
            self._steps[plan.identity] = ContainerStep(
                f"{self._prefix}-{plan.name.removeprefix(f'{self._plan.stack}-')}",
                ContainerStepArgs(
                    plan=plan,
                    deployment=self._deployment,
                    after=[*self._ground, self._images[plan.container.image], *before],
                ),
                opts=self._child,
            )
        return self._steps[plan.identity]

    def _service(self, type_token: str, plan: ServicePlan, *after: pulumi.Resource) -> Service:
        return Service(
            type_token,
            f"{self._prefix}-{plan.name.removeprefix(f'{self._plan.stack}-')}",
            ServiceArgs(
                plan=plan,
                token=self._tokens.services.get(plan.name, ""),
                deployment=self._deployment,
                after=[*self._ground, self._images[plan.container.image], *after],
            ),
            opts=self._child,
        )
