"""Who makes which type of weights, and what an importance matrix is computed from (E3)."""

from collections.abc import Callable
from typing import Any

import pytest
import yaml

from plan.pipeline import ModelPlan, PipelinePlan
from tests.planning.conftest import step_of

PlanWith = Callable[..., PipelinePlan]
Document = dict[str, Any]
QUANTIZING = ("calibration-text", "importance-matrix", "quantization")


def converted(quantization: str, **more: Any) -> Callable[[Document], None]:
    def change(document: Document) -> None:
        document["models"][0]["gguf_conversion"] = {"quantization": quantization, **more}

    return change


def guide(plan: PipelinePlan) -> ModelPlan:
    (model,) = plan.models
    return model


@pytest.mark.parametrize(
    ("quantization", "outtype", "steps", "by_ollama"),
    [
        ("f32", "f32", [], None),
        ("BF16", "bf16", [], None),
        ("q8_0", "q8_0", [], None),
        ("q4_K_S", "f16", [], "q4_K_S"),
        ("q4_k_m", "f16", [], "q4_K_M"),
        ("Q6_K", "f16", ["quantization"], None),
        ("iq4_xs", "f16", ["quantization"], None),
    ],
)
def test_each_type_is_made_by_one(
    plan_with: PlanWith, quantization: str, outtype: str, steps: list[str], by_ollama: str | None
) -> None:
    plan = plan_with(converted(quantization))
    model = guide(plan)
    assert [step.noun for step in model.steps if step.noun in QUANTIZING] == steps
    assert f"--outtype {outtype};" in step_of(model, "gguf-conversion").container.command[-1]
    assert model.ollama_model.quantize == by_ollama
    assert f"FROM {model.steps[-1].artefact}/model.gguf\n" in model.ollama_model.modelfile
    # Only a stack that quantizes waits for the quantizer's build.
    assert plan.images.converter.args["QUANTIZER"] == ("yes" if steps else "")


def test_an_importance_matrix_is_for_the_quantizer_of_llama_cpp(plan_with: PlanWith) -> None:
    model = guide(plan_with(converted("q4_k_m", importance_matrix=True)))
    assert [step.noun for step in model.steps[-4:]] == ["gguf-conversion", *QUANTIZING]
    text, matrix, quantized = model.steps[-3:]
    assert model.ollama_model.quantize is None
    converted_file = f"{step_of(model, 'gguf-conversion').artefact}/model.gguf"
    assert quantized.container.command[-1].startswith(
        f"llama-quantize --imatrix {matrix.artefact}/importance.gguf {converted_file} "
        f"{quantized.partial}/model.gguf Q4_K_M; "
    )
    measured = matrix.container.command[-1]
    assert f"-m {converted_file} -f {text.artefact}/calibration.txt" in measured
    assert "--parse-special" in measured


def test_the_text_is_what_was_trained_on_last_as_it_was_trained(plan_with: PlanWith) -> None:
    def change(document: Document) -> None:
        converted("iq2_s", importance_matrix=True, calibration_tokens=2048)(document)
        document["models"][0]["training_runs"] = [
            {"name": "sft", "datasets": ["alpaca"]},
            {
                "name": "dpo",
                "stage": "dpo",
                "datasets": ["ranked"],
                "cutoff_len": 99,
                "arguments": {"default_system": "Be brief.", "pref_beta": 0.2},
            },
        ]

    model = guide(plan_with(change))
    text = step_of(model, "calibration-text")
    told = yaml.safe_load(text.files["calibration.yaml"])
    merged = next(step for step in model.steps if step.name == "test-guide-merge")
    assert told["model_name_or_path"] == str(merged.artefact)
    assert (told["dataset"], told["template"], told["cutoff_len"]) == ("ranked", "llama3", 99)
    assert told["default_system"] == "Be brief."
    # Nothing is trained: what only a training or its device knows stays out.
    assert not told.keys() & {"pref_beta", "bf16", "learning_rate", "deepspeed", "stage"}
    assert " dpo 2048 1536 " in text.container.command[-1]
    assert '"ranked"' in text.files["dataset_info.json"]
    assert text.container.network == "none"


def test_the_matrix_serves_every_type_of_a_model(plan_with: PlanWith) -> None:
    one, other = (
        guide(plan_with(converted(name, importance_matrix=True))) for name in ("iq2_s", "q5_k_m")
    )
    assert [step.identity for step in one.steps[:-1]] == [
        step.identity for step in other.steps[:-1]
    ]
    assert one.steps[-1].identity != other.steps[-1].identity
