"""What an operator is told of a stack before anything runs, and nothing is wrong with."""

from collections.abc import Iterator

from plan.host import HostFacts, Tokens
from plan.pipeline import PipelinePlan
from planning.advice.disk_forecast import LEAST_TOLD_GB, forecast_writes, tell_writes
from planning.advice.gpu_memory import estimates
from planning.advice.host_grade import tell_host_grade
from planning.forecast.trainings import Trainings
from planning.hub_model import downloads
from stack_configs.settings.root import Settings


def outlook(
    settings: Settings,
    plan: PipelinePlan,
    facts: HostFacts,
    tokens: Tokens,
    trainings: Trainings,
) -> Iterator[str]:
    """Lines about the host, the memory that the runs need, what is fetched, what the trainings will
    take, and what is written."""
    yield from tell_host_grade(settings, facts, is_made=not tokens.missing)
    for run, needed in estimates(settings, facts).items():
        yield f"{run}: needs about {needed} on each GPU"
    for model, told in downloads(settings, plan, facts, tokens).items():
        if (told.size_gb or 0) >= LEAST_TOLD_GB:
            yield f"{model}: {told.size_gb:.2f} GB are fetched before anything trains"
    yield from trainings.tell()
    yield from tell_writes(forecast_writes(settings, plan, facts, tokens))
