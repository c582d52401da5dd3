"""What is still to be written to the disk is told before it is, model by model."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from plan.host import HostFacts, HubModelFacts, Tokens
from plan.pipeline import PipelinePlan
from planning.advice.disk_forecast import Write, about_room, forecast_writes, tell_writes
from planning.memory.model_size import shape_of_size, weights_of
from stack_configs.settings.root import Settings

BILLIONS = weights_of(shape_of_size(8)) / 1e9
Document = dict[str, Any]
Change = Callable[[Document], Any]
Forecast = Callable[..., tuple[Write, ...]]


@pytest.fixture
def forecast(
    settings_with: Callable[..., Settings], plan_with: Callable[..., PipelinePlan]
) -> Forecast:
    def make(
        *changes: Change, facts: HostFacts | None = None, missing: tuple[str, ...] | None = None
    ) -> tuple[Write, ...]:
        def change(document: Document) -> None:
            for each in changes:
                each(document)

        plan, facts = plan_with(change), facts or HostFacts()
        names = [step.name for step in plan.container_steps]
        names += [model.ollama_model.name for model in plan.models]
        tokens = Tokens()
        if missing is not None:
            tokens = Tokens(steps=dict.fromkeys(names, "t"), missing=missing)
        return forecast_writes(settings_with(change), plan, facts, tokens)

    return make


def of_8b(document: Document) -> None:
    document["models"][0]["base_model"] = {"hub": "a/b-8B"}


def quantized(name: str, **more: Any) -> Change:
    return lambda document: document["models"][0].update(
        gguf_conversion={"quantization": name, **more}
    )


def told(writes: tuple[Write, ...]) -> str:
    (line,) = tell_writes(writes)
    return line


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        (
            [quantized("IQ2_M", importance_matrix=True)],
            "16.1 GB fetched, 16.1 GB merged, 16.1 GB as GGUF in f16, 2.9 GB in iq2_m, "
            "2.9 GB in Ollama in iq2_m",
        ),
        (
            [quantized("q4_k_m")],
            "16.1 GB fetched, 16.1 GB merged, 16.1 GB as GGUF in f16, "
            "16.1 GB in Ollama while it quantizes, 4.9 GB in Ollama in q4_k_m",
        ),
        (
            [
                quantized("q8_0"),
                lambda d: d["models"][0]["training_runs"][0].update(finetuning_type="full"),
            ],
            "16.1 GB fetched, 16.1 GB trained, 8.5 GB as GGUF in q8_0, 8.5 GB in Ollama in q8_0",
        ),
    ],
)
def test_every_copy_of_the_weights_is_told(
    forecast: Forecast, changes: list[Change], line: str
) -> None:
    assert told(forecast(of_8b, *changes)) == f"guide: about {line}"


def test_copies_that_take_no_room_are_no_news(forecast: Forecast) -> None:
    def change(document: Document) -> None:
        document["models"][0]["base_model"] = {"generate": {"layers": 1}}

    assert [write.what for write in forecast(change)][:1] == ["fetched"]
    assert list(tell_writes(forecast(change))) == []


def test_what_is_there_is_not_written_again(forecast: Forecast) -> None:
    missing = ("test-guide-quantization", "test-guide-ollama-model")
    writes = forecast(of_8b, quantized("q6_k"), missing=missing)
    assert told(writes) == "guide: about 6.6 GB in q6_k, 6.6 GB in Ollama in q6_k"
    assert forecast(of_8b, missing=()) == ()


def test_a_name_that_tells_nothing_is_sized_by_its_files_on_the_hub(forecast: Forecast) -> None:
    def change(document: Document) -> None:
        document["models"][0]["base_model"] = {"hub": "a/phi"}

    assert forecast(change, quantized("f16")) == ()
    facts = HostFacts(hub_models={"a/phi@main": HubModelFacts(size_gb=7.6)})
    writes = forecast(change, quantized("f16"), facts=facts)
    assert [write.gb for write in writes] == pytest.approx([7.6] * 4)


def test_models_that_share_their_weights_are_written_once(forecast: Forecast) -> None:
    def twin(document: Document) -> None:
        other = copy.deepcopy(document["models"][0]) | {"name": "twin"}
        document["models"].append(other)

    alone = forecast(of_8b, quantized("q6_k"))
    assert forecast(of_8b, quantized("q6_k"), twin) == alone


class TestRoom:
    NEEDED = BILLIONS * (16 * 3 + 6.56 * 2) / 8

    @pytest.mark.parametrize(("free", "is_warned"), [(62.0, False), (60.0, True), (None, False)])
    def test_a_disk_that_is_too_small_is_told(
        self, forecast: Forecast, free: float | None, is_warned: bool
    ) -> None:
        writes = forecast(of_8b, quantized("q6_k"))
        assert sum(write.gb for write in writes) == pytest.approx(self.NEEDED)
        found = list(about_room(writes, HostFacts(disk_free_gb=free)))
        assert bool(found) == is_warned
        for problem in found:
            assert str(problem) == (
                "models[].name is guide: about 61 GB are still to be written, and 60 GB are free "
                "at the engine's data root. Make room there, name a directory of a larger disk in "
                "volumes.output.host_path, or choose a smaller gguf_conversion.quantization."
            )

    def test_what_lies_in_directories_of_the_host_is_not_counted(self, forecast: Forecast) -> None:
        def elsewhere(document: Document) -> None:
            document["volumes"] = {"output": {"host_path": "/srv/output"}}

        writes = forecast(of_8b, quantized("q6_k"), elsewhere)
        (problem,) = about_room(writes, HostFacts(disk_free_gb=1))
        assert "about 23 GB are still to be written" in str(problem)
