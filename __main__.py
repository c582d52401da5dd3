"""One environment: its settings, the plan, one pipeline, and what an operator asks of it."""

import gc

import pulumi

from components.host_check import HostLook

# Begun before the other imports: its process loads side by side with them.
look = HostLook()

from planning.pipeline import plan_pipeline
from planning.training_advice import find_advice
from stack_configs.settings.loader import find_settings, load_settings
from stack_configs.settings.problem import SettingsError

config = pulumi.Config()
try:
    settings = load_settings(find_settings(config.get("stack_config") or pulumi.get_stack()))
    plan = plan_pipeline(settings, stack=f"{pulumi.get_project()}-{pulumi.get_stack()}")
    look.ask(plan.host_check, helper_images=plan.images.references)

    # The providers' packages load while the host is looked at.
    import pulumi_command as command
    import pulumi_docker as docker

    from components.pipeline import FineTunePipeline, FineTunePipelineArgs

    # What is loaded stays: nothing of it is looked through again for garbage, nor at the exit.
    gc.freeze()
    host = look.answer()
except SettingsError as error:
    # An operator's mistake is told in words, without a stack trace.
    raise pulumi.RunError(str(error)) from None
finally:
    look.close()

for advice in find_advice(settings, host.facts):
    pulumi.log.warn(str(advice))

pipeline = FineTunePipeline(
    "pipeline",
    FineTunePipelineArgs(
        plan=plan,
        host=host,
        hub_token=config.get_secret("hub_token"),
        api_key=config.get_secret("api_key"),
    ),
    opts=pulumi.ResourceOptions(
        # Both by name: no resource can reach another engine.
        providers=[docker.Provider("engine", host=plan.engine), command.Provider("programs")]
    ),
)

for name, value in pipeline.outputs.items():
    pulumi.export(name, value)
