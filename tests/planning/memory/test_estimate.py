"""The estimate, against PyTorch's figures, LLaMA-Factory's table and DeepSpeed's formulas (T5)."""

from dataclasses import replace
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from benchmarks.gpu_memory.cases import shape_of
from benchmarks.gpu_memory.comparison import Comparison, tracked
from benchmarks.gpu_memory.published import Cell, cells
from plan.model_shape import ModelShape
from planning.memory.estimate import MemoryEstimate, estimate_gpu_memory
from planning.memory.model_size import layer_weights, shape_of_size, weights_of
from planning.memory.optimizer import OPTIMIZERS
from planning.memory.sharding import (
    SHARDINGS,
    ZERO2,
    ZERO2_OFFLOAD,
    ZERO3,
    ZERO3_OFFLOAD,
    Sharding,
    shared_states,
)
from stack_configs.settings.release_arguments import RELEASE_ARGUMENTS
from stack_configs.settings.training_runs import TrainingRunSettings

LLAMA = shape_of("llama-3-8b")
PURE: dict[str, Any] = {"finetuning_type": "full", "pure_bf16": True}


def run(**settings: Any) -> TrainingRunSettings:
    return TrainingRunSettings.model_validate({"datasets": ["a"], **settings})


def estimate(
    shape: ModelShape = LLAMA, processes: int | None = 1, **settings: Any
) -> MemoryEstimate:
    found = estimate_gpu_memory(run(**settings), shape, processes=processes)
    assert found is not None
    return found


class TestPyTorchsTracker:
    """`benchmarks/gpu_memory/tracked.json`: LLaMA-Factory's models, forward, backward and step."""

    @pytest.mark.parametrize("told", list(tracked()), ids=lambda told: told.case.name)
    def test_the_peak(self, told: Comparison) -> None:
        assert abs(told.error) < 0.06

    @pytest.mark.parametrize("told", list(tracked()), ids=lambda told: told.case.name)
    @pytest.mark.parametrize("kind", ["weights", "gradients", "optimizer", "activations"])
    def test_its_parts(self, told: Comparison, kind: str) -> None:
        assert getattr(told.case.estimate, kind) * 1e9 == pytest.approx(told.by_kind[kind], rel=0.1)

    def test_there_are_enough_shapes(self) -> None:
        assert len({told.case.model for told in tracked()}) >= 6
        assert sum(told.case.model == "llama-3-8b" for told in tracked()) >= 10


class TestLlamaFactorysTable:
    """An estimate itself, as it says, of nobody knows which batches."""

    @pytest.mark.parametrize(
        "cell", list(cells()), ids=lambda cell: f"{cell.row.method}, {cell.column}"
    )
    def test_every_figure(self, cell: Cell) -> None:
        # BAdam keeps what it does not recompute: authors of other guides found as much.
        assert abs(cell.error) < (0.6 if cell.row.method == "BAdam" else 0.35)

    def test_every_row_is_there(self) -> None:
        assert {(cell.row.told, cell.row.gb) for cell in cells()} == {
            ("Full (bf16 or fp16)", (120, 240, 600, 1200)),
            ("Full (pure_bf16)", (60, 120, 300, 600)),
            ("Freeze/LoRA/GaLore/APOLLO/BAdam/OFT", (16, 32, 64, 160)),
            ("QLoRA / QOFT", (10, 20, 40, 80)),
            ("QLoRA / QOFT", (6, 12, 24, 48)),
            ("QLoRA / QOFT", (4, 8, 16, 24)),
        }


def accepted_run(given: dict[str, Any]) -> TrainingRunSettings | None:
    try:
        return TrainingRunSettings.model_validate(given)
    except ValidationError:
        return None


class TestSharing:
    BILLION = 1e9
    LAYER = 2e8

    def held(self, sharding: Sharding, processes: int) -> float:
        states = shared_states(
            sharding,
            processes=processes,
            frozen=0,
            trained=self.BILLION,
            layer=self.LAYER,
            states=8 * self.BILLION,
        )
        return states.weights + states.gradients + states.optimizer

    @pytest.mark.parametrize("processes", [1, 2, 8])
    @pytest.mark.parametrize(
        ("sharding", "bytes_each", "shared", "of_a_layer"),
        [
            # DeepSpeed 0.16, `estimate_zero2_model_states_mem_needs` and `..._zero3_...`.
            (ZERO2, 4, 16, 0),
            (ZERO2_OFFLOAD, 2, 0, 0),
            (ZERO3, 0, 18, 4),
            (ZERO3_OFFLOAD, 0, 0, 4),
        ],
    )
    def test_as_deepspeed_counts(
        self, sharding: Sharding, processes: int, bytes_each: int, shared: int, of_a_layer: int
    ) -> None:
        wanted = (bytes_each + shared / processes) * self.BILLION + of_a_layer * self.LAYER
        assert self.held(sharding, processes) == pytest.approx(wanted)

    def test_every_level_that_a_run_may_have_is_known(self) -> None:
        kept = (None, "optimizer", "all")
        runs = [
            {"datasets": ["a"], setting: level, "offload": offload}
            for setting in ("deepspeed", "fsdp")
            for level in get_args(get_args(TrainingRunSettings.model_fields[setting].annotation)[0])
            for offload in kept
        ]
        accepted = {
            (run.deepspeed or run.fsdp, run.offload) for each in runs if (run := accepted_run(each))
        }
        assert accepted == SHARDINGS.keys()

    def test_a_run_under_zero(self) -> None:
        weights = weights_of(LLAMA) / 1e9
        largest = max(layer_weights(LLAMA), LLAMA.vocabulary * LLAMA.hidden) / 1e9
        two = estimate(processes=8, finetuning_type="full", deepspeed="zero2")
        three = estimate(processes=8, finetuning_type="full", deepspeed="zero3")
        assert two.weights == pytest.approx(2 * weights)
        assert two.optimizer == pytest.approx(12 * weights / 8)
        assert three.weights == pytest.approx(2 * weights / 8 + 4 * largest)
        assert three.total < two.total < estimate(finetuning_type="full").total

    def test_an_adapter_shares_little_but_the_weights(self) -> None:
        assert estimate(processes=4, deepspeed="zero2").weights == pytest.approx(
            estimate().weights, rel=0.01
        )
        assert estimate(processes=4, deepspeed="zero3").weights < 0.4 * estimate().weights

    def test_devices_that_share_nothing_send_gradients_from_a_copy(self) -> None:
        alone, together = estimate(**PURE), estimate(processes=4, **PURE)
        assert together.gradients == pytest.approx(2 * alone.gradients)
        assert together.optimizer == pytest.approx(alone.optimizer)

    def test_who_shares_must_be_known_only_where_something_is_shared(self) -> None:
        assert estimate_gpu_memory(run(deepspeed="zero3"), LLAMA, processes=None) is None
        assert estimate(processes=None) == estimate()


class TestMethods:
    def test_quantized_weights_take_their_bits(self) -> None:
        # Embedding and output layer stay in 16 bits: 2.1 GB.
        assert estimate(quantization_bit=8).weights == pytest.approx(2.1 + 7.2, rel=0.02)
        assert estimate(quantization_bit=4).weights == pytest.approx(2.1 + 3.6, rel=0.02)
        quantized_before = estimate(replace(LLAMA, bits=4))
        assert quantized_before == estimate(quantization_bit=4)

    def test_galore_keeps_no_figures_of_whole_layers(self) -> None:
        galore = estimate(**PURE, use_galore=True)
        assert galore.gradients == estimate(**PURE).gradients
        # Two for each weight of embedding and output layer, in 16 bits.
        assert galore.optimizer == pytest.approx(2 * 2 * 2 * 128256 * 4096 / 1e9, rel=0.05)
        layerwise = estimate(**PURE, use_galore=True, galore_layerwise=True)
        assert layerwise.gradients < 0.1 * galore.gradients
        apollo = estimate(**PURE, use_apollo=True, apollo_layerwise=True)
        assert apollo == layerwise

    def test_badam_keeps_16_bits_and_the_figures_of_one_layer(self) -> None:
        badam = estimate(finetuning_type="full", use_badam=True)
        assert badam.weights == pytest.approx(2 * weights_of(LLAMA) / 1e9)
        assert badam.optimizer == pytest.approx(12 * layer_weights(LLAMA) / 1e9)

    @pytest.mark.parametrize(
        ("arguments", "bytes_each"),
        [
            ({}, 8),
            ({"optim": "adamw_torch_fused"}, 8),
            ({"optim": "adamw_8bit"}, 2),
            ({"optim": "adafactor"}, 0),
            ({"optim": "sgd"}, 0),
            ({"optim": "some_other"}, 8),
            ({"use_adam_mini": True}, 4),
            ({"use_muon": True}, 4),
        ],
    )
    def test_optimizers(self, arguments: dict[str, Any], bytes_each: int) -> None:
        found = estimate(finetuning_type="full", arguments=arguments)
        assert found.optimizer == pytest.approx(bytes_each * weights_of(LLAMA) / 1e9)

    def test_optimizers_are_named_as_the_release_names_them(self) -> None:
        assert set(OPTIMIZERS) <= set(RELEASE_ARGUMENTS["optim"].choices)

    def test_fewer_targets_train_less(self) -> None:
        two = estimate(lora_target="q_proj,v_proj")
        # Rank 8: of 4096 and 4096, of 4096 and 1024 numbers, in 32 layers.
        assert two.gradients == pytest.approx(4 * 32 * 8 * (8192 + 5120) / 1e9)
        assert estimate(lora_target="all").gradients > 4 * two.gradients
        # Names of another architecture leave nothing but a guess.
        assert estimate(lora_target="W_pack").gradients == estimate().gradients

    def test_modules_that_are_trained_whole_are_copies(self) -> None:
        whole = estimate(additional_target=["embed_tokens", "lm_head"])
        more = whole.weights - estimate().weights
        assert more == pytest.approx(4 * 2 * 128256 * 4096 / 1e9)
        assert estimate(resize_vocab=True) == whole

    def test_the_first_layers_pass_gradients_through_all(self) -> None:
        last = estimate(finetuning_type="freeze", gradient_checkpointing=False)
        first = estimate(
            finetuning_type="freeze", gradient_checkpointing=False, freeze_trainable_layers=-2
        )
        assert first.gradients == last.gradients
        assert first.activations > 4 * last.activations

    def test_frozen_layers_on_the_way_are_not_computed_again(self) -> None:
        """LLaMA-Factory 0.9.5 recomputes those alone that hold something to train."""
        first: dict[str, Any] = {"finetuning_type": "freeze", "freeze_trainable_layers": -2}
        assert estimate(**first) == estimate(**first, gradient_checkpointing=False)
        badam: dict[str, Any] = {"finetuning_type": "full", "use_badam": True}
        assert estimate(**badam) == estimate(**badam, gradient_checkpointing=False)

    def test_experts_take_no_adapters(self) -> None:
        dense, sparse = LLAMA, replace(LLAMA, experts=8, active_experts=2)
        assert estimate(sparse).weights > 5 * estimate(dense).weights
        assert estimate(sparse).gradients < estimate(dense).gradients


class TestStages:
    def test_a_reference_is_a_second_model_but_with_lora(self) -> None:
        weights = 2 * weights_of(LLAMA) / 1e9
        assert estimate(**PURE, stage="dpo").weights == pytest.approx(2 * weights)
        assert estimate(**PURE, stage="dpo", pref_loss="simpo").weights == pytest.approx(weights)
        assert estimate(**PURE, stage="kto").weights == pytest.approx(2 * weights)
        assert estimate(stage="dpo").weights == estimate().weights
        oft: dict[str, Any] = {"finetuning_type": "oft"}
        assert estimate(**oft, stage="dpo").weights > 1.9 * estimate(**oft).weights

    def test_ppo_needs_a_judge_beside_policy_and_reference(self) -> None:
        weights = 2 * weights_of(LLAMA) / 1e9
        full = estimate(**PURE, stage="ppo", reward_model="rm")
        assert full.weights == pytest.approx(3 * weights, rel=0.001)
        assert estimate(stage="ppo", reward_model="rm").weights == pytest.approx(weights, rel=0.02)


class TestBatches:
    def test_what_grows_with_them(self) -> None:
        one = estimate(gradient_checkpointing=False)
        four = estimate(gradient_checkpointing=False, per_device_train_batch_size=4)
        assert four.activations > 4 * one.activations
        assert four.weights == one.weights
        longer = estimate(gradient_checkpointing=False, cutoff_len=4096)
        assert longer.activations == pytest.approx(2 * one.activations, rel=0.01)

    def test_plain_attention_grows_with_the_square(self) -> None:
        def more(length: int) -> float:
            plain = estimate(flash_attn="disabled", gradient_checkpointing=False, cutoff_len=length)
            return (
                plain.activations
                - estimate(gradient_checkpointing=False, cutoff_len=length).activations
            )

        assert more(8192) / more(4096) == pytest.approx(4, rel=0.05)
        gemma = replace(LLAMA, model_type="gemma2")
        assert estimate(gemma).activations == estimate(flash_attn="disabled").activations

    def test_packed_rows_need_no_mask(self) -> None:
        padded: dict[str, Any] = {"per_device_train_batch_size": 4, "gradient_checkpointing": False}
        packed = estimate(**padded, packing=True)
        assert packed.activations < estimate(**padded).activations
        assert estimate(**padded, flash_attn="fa2") == packed
        assert estimate(**padded, neat_packing=True) == estimate(**padded)

    def test_liger_never_has_all_logits(self) -> None:
        assert estimate(enable_liger_kernel=True).activations < 0.4 * estimate().activations


def test_the_parts_are_told() -> None:
    assert str(estimate(shape_of_size(8))) == (
        "20.9 GB (16.1 weights, 0.1 gradients, 0.2 optimizer, 3.7 activations, 0.8 overhead)"
    )
