"""The figures that the memory estimate is held to are made anew (T5).

Takes three minutes. Needs the image that an up of the demo builds.
"""

import json
from pathlib import Path

import pytest

from benchmarks.gpu_memory.__main__ import HERE, asked, measure, output_of, track
from benchmarks.gpu_memory.cases import TRACKED
from benchmarks.gpu_memory.comparison import TRACKED_FILE
from planning.training_arguments import render_arguments
from planning.weights import Weights
from stack_configs.settings.training_runs import TrainingRunSettings

pytestmark = [
    pytest.mark.engine,
    pytest.mark.integration,
    pytest.mark.nightly,
    pytest.mark.timeout(1800),
]

SOME = ("llama-3-8b: LoRA", "llama-3-8b: full in pure bf16", "qwen2.5-7b: LoRA, batch of 2")


def test_the_tracker_still_says_so():
    figures = json.loads(TRACKED_FILE.read_text(encoding="utf-8"))
    cases = [asked(case) for case in TRACKED if case.name in SOME]
    assert len(cases) == len(SOME)
    assert {told["name"]: told["bytes"] for told in track(cases)} == {
        name: figures[name]["bytes"] for name in SOME
    }


def test_pytorchs_own_tracker_agrees():
    """On a model without frozen weights, which is all that it takes."""
    files = {
        "tracked_peak.py": (HERE / "tracked_peak.py").read_bytes(),
        "both.py": Path(__file__).with_name("both_trackers.py").read_bytes(),
    }
    said = json.loads(output_of(files, "python both.py", hardware="cpu").splitlines()[-1])
    assert said["ours"] == pytest.approx(said["pytorchs"], rel=0.01)


TINY = {
    "model_type": "llama",
    "vocab_size": 300,
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
}


def test_what_measures_a_gpu_trains_and_goes_on_after_a_failure():
    """On a processor, which has no peak to tell."""
    lora = TrainingRunSettings(datasets=("rows",), stage="pt", cutoff_len=64, precision="fp32")
    arguments = render_arguments(lora, template="llama3", weights=Weights(model="tiny"))
    case = {"model": "tiny", "configuration": TINY, "arguments": arguments}
    failing, trained = measure(
        [
            {**case, "name": "failing", "arguments": {**arguments, "lora_target": "none_such"}},
            {**case, "name": "trained"},
        ],
        hardware="cpu",
    )
    assert failing["name"] == "failing"
    assert "none_such" in failing["error"]
    assert trained == {
        "name": "trained",
        "device": "cpu",
        "steps": 3,
        "allocated": None,
        "reserved": None,
    }
