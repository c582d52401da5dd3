"""One environment: load the settings, look at the host, plan, deploy one pipeline, export."""

import os
from collections.abc import Callable, Iterable
from typing import Any

import pulumi
import pulumi_command as command
import pulumi_docker as docker

from components.pipeline import FineTunePipeline, FineTunePipelineArgs
from plan import secret
from plan.owner import Owner
from plan.problem import SettingsError
from planning.advice.advice import find_accelerator_advice, find_advice, find_room_advice
from planning.advice.gpu_memory import estimates
from planning.advice.outlook import outlook
from planning.forecast.trainings import Trainings
from planning.host import ask_about_host, ask_for_tokens, judge_host, tell_work
from planning.pipeline import plan_pipeline
from runtime.docker.connection import engine_address
from runtime.host.look import HostLook
from stack_configs.settings.data_files.record import records_folder
from stack_configs.settings.loader import find_settings, load_settings
from stack_configs.settings.stack_values import judge_stack_values

config = pulumi.Config()
secrets = {name: config.require_secret(name) for name in secret.VARIABLES if config.get(name)}
owner = Owner(stack=f"{pulumi.get_project()}-{pulumi.get_stack()}")
try:
    values = {name: config.get(name) or "" for name in secrets}
    judge_stack_values(owner.stack, values)
    file = find_settings(config.get("stack_config") or pulumi.get_stack())
    settings = load_settings(file, records=records_folder(os.environ))
    # A preview that judges the plan alone asks no engine, not even whether it is there.
    is_unseen = settings.host.check == "plan_only" and pulumi.runtime.is_dry_run()
    look = HostLook(settings.host.engine, owner, asks=not is_unseen, secrets=values)
    findings = look.findings(ask_about_host(settings, owner))
    plan = plan_pipeline(settings, owner=owner, facts=findings.facts)
    # A preview leaves everything as it lies, as an up does that comes to nothing.
    checks = None if pulumi.runtime.is_dry_run() or findings.problems else pulumi.log.info
    tokens = look.tokens(ask_for_tokens(plan), checks=checks)
    judge_host(settings, plan, findings, tokens, secrets=secrets.keys())
except SettingsError as error:
    # An operator's mistake is told in words, without a stack trace.
    raise pulumi.RunError(str(error)) from None


def tell(lines: Iterable[object], log: Callable[[str], None] = pulumi.log.info) -> None:
    """Tell the operator what is going to be, or what will work and could be better."""
    for line in lines:
        log(str(line))


facts, warn, has_api_key = findings.facts, pulumi.log.warn, "api_key" in secrets
tell(find_advice(settings, facts, has_api_key=has_api_key, is_made=not tokens.missing), warn)
tell(find_room_advice(settings, plan, facts, tokens), warn)
trainings = Trainings(settings, plan, facts, tokens)
tell([*outlook(settings, plan, facts, tokens, trainings), *tell_work(plan, tokens)])
# The provider has a way of its own to an engine; one whose host is not known asks none.
engine: Any = pulumi.UNKNOWN if is_unseen else engine_address(plan.engine)
pipeline = FineTunePipeline(
    "pipeline",
    FineTunePipelineArgs(
        plan=plan,
        facts=facts,
        tokens=tokens,
        settings=settings.model_dump(mode="json"),
        gpu_memory=estimates(settings, facts),
        forecast=trainings.outputs,
        secrets=secrets,
    ),
    opts=pulumi.ResourceOptions(
        # Both by name: no resource can reach another engine.
        providers=[docker.Provider("engine", host=engine), command.Provider("programs")]
    ),
)
outputs = pipeline.outputs
# Told before the first training, where the look at the host could not see the GPUs.
outputs.accelerators.apply(lambda seen: tell(find_accelerator_advice(settings, facts, seen), warn))
# Each training that ends tells more of those to come.
for run in pipeline.trained:
    run.apply(lambda trained: tell(trainings.after(*trained)))
for name, value in outputs.by_name.items():
    pulumi.export(name, value)
