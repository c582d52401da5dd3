"""The one look at a host, before anything is planned. Leaves nothing behind, and starts nothing but
what reads artefacts that an `up` is about to build on."""

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from plan.host import (
    Gpu,
    HostFacts,
    HostFindings,
    HostQuestions,
    HubName,
    TokenQuestions,
    Tokens,
)
from plan.owner import Owner
from plan.problem import Problem
from plan.secret import HUB_TOKENS
from runtime.docker.engine import Engine
from runtime.failure import EngineUnreachableError
from runtime.host.carried_images import carried_images
from runtime.host.contents import image_digests, model_folders, unknown_images
from runtime.host.gpus import count_gpus, gpu_memory, gpu_problems
from runtime.host.hub import ask_hubs
from runtime.host.ports import port_problems
from runtime.host.problems import hardware_problems, ownership_problems, size_problems
from runtime.host.snapshot import GB, Snapshot, take_snapshot
from runtime.host.tokens import find_tokens


class HostLook:
    """One look: at what the plan depends on, then for the work that the plan may find there.

    One that does not ask tells nothing, and needs no engine.
    """

    def __init__(
        self,
        engine: str | None,
        owner: Owner,
        *,
        asks: bool,
        secrets: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """`secrets` are the stack's, by their names; the hubs' tokens count."""
        self._engine, self._owner, self._asks = Engine(engine), owner, asks
        self._hub_tokens: dict[HubName, str | None] = {
            hub: secrets.get(name) for hub, name in HUB_TOKENS.items()
        }
        self._snapshot: Snapshot | None = None

    def findings(self, questions: HostQuestions) -> HostFindings:
        """The facts, and every problem of the host; an engine that does not answer is one too."""
        if not self._asks:
            return HostFindings(facts=HostFacts())
        engine = self._engine
        try:
            self._snapshot = snapshot = take_snapshot(engine)
            memory = gpu_memory(questions.hardware) if engine.is_local else None
            gpus = count_gpus(questions.hardware, memory) if engine.is_local else None
            hub = ask_hubs(engine, snapshot, questions, self._hub_tokens)
            facts = HostFacts(
                engine_id=str(snapshot.info.get("ID", "")),
                engine_version=snapshot.info.get("ServerVersion"),
                cpu_cores=snapshot.info.get("NCPU"),
                memory_gb=round(snapshot.info.get("MemTotal", 0) / GB, 1),
                disk_free_gb=_gigabytes(snapshot.disk_free),
                platform=snapshot.platform,
                runtimes=snapshot.runtimes,
                gpus=None
                if memory is None
                else tuple(Gpu(memory_gb=round(m / GB, 1)) for m in memory),
                image_digests=image_digests(engine, questions.pulled_images),
                carried_images=carried_images(engine),
                hub_commits=hub.commits,
                hub_models=hub.models,
                model_folders=model_folders(engine, snapshot, questions),
                unchecked=tuple(_unchecked(engine, snapshot, memory, questions)),
            )
        except EngineUnreachableError as error:
            problem = Problem("host.engine", engine.address, error.reason, error.way_out)
            return HostFindings(facts=HostFacts(), problems=(problem,))
        problems = (
            *size_problems(snapshot, questions.minimum),
            *hardware_problems(snapshot, questions.hardware, is_local=engine.is_local),
            *gpu_problems(gpus, questions.gpu_count),
            *port_problems(snapshot.containers, questions, is_local=engine.is_local),
            *ownership_problems(snapshot, questions),
            *unknown_images(questions.pulled_images, facts.image_digests),
        )
        return HostFindings(facts=facts, problems=problems)

    def close(self) -> None:
        """Let go of the engine."""
        self._engine.close()

    def tokens(
        self, questions: TokenQuestions, *, checks: Callable[[str], None] | None = None
    ) -> Tokens:
        """The token of all work that is there, and a new one for what is not.

        Nothing where the engine was not asked, or did not answer. Where somebody hears what is
        checked, the artefacts that missing work begins with are held against their sums, and what
        is damaged is set aside: see `runtime.host.verification`. Else all is left as it lies.
        """
        if self._snapshot is None:
            return Tokens()
        return find_tokens(self._engine, self._snapshot, self._owner, questions, checks=checks)


def _gigabytes(count: int | None) -> float | None:
    return None if count is None else round(count / GB, 1)


def _unchecked(
    engine: Engine, snapshot: Snapshot, memory: list[int] | None, questions: HostQuestions
) -> Iterator[str]:
    on_gpus = questions.hardware != "cpu"
    if snapshot.disk_free is None:
        yield "free disk space: the engine's data root cannot be seen from here"
    if memory is None and on_gpus:
        yield "GPU memory: no driver here tells of it"
    if not engine.is_local:
        yield "ports held by programs outside Docker: the engine is on another host"
        if on_gpus:
            yield f"the {questions.hardware} driver: the engine is on another host"
