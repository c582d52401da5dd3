"""What the operator reads while a step runs."""

import json

import pytest

from runtime.progress.progress import (
    QUIET_SECONDS,
    CommandWords,
    Progress,
    TrainingState,
    clean,
    duration,
    last_line,
    mask,
    size,
)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0, "0:00:00"), (41.9, "0:00:41"), (3661, "1:01:01"), (-3, "0:00:00")]
)
def test_duration(seconds: float, words: str):
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (12_345_678, "12.3 MB"), (5e15, "5000.0 TB")],
)
def test_size(count: float, words: str):
    assert size(int(count)) == words


def words_of(*lines: bytes) -> str:
    state = TrainingState()
    for line in lines:
        state.hear(line)
    return state.words


class TestTrainingState:
    ENTRY = {"current_steps": 12, "total_steps": 60, "loss": 1.23412, "remaining_time": "0:00:41"}

    def test_a_step_with_its_loss_and_the_time_left(self):
        line = json.dumps({**self.ENTRY, "current_steps": 12}).encode()
        assert words_of(line) == "step 12/60 (20%), loss 1.234, 0:00:41 left"

    def test_an_evaluation_has_a_loss_of_its_own(self):
        entry = {"current_steps": 5, "total_steps": 5, "eval_loss": 0.5}
        assert words_of(json.dumps(entry).encode()) == "step 5/5 (100%), eval loss 0.5"

    def test_the_last_evaluation_stays_in_view(self) -> None:
        entries = (
            {"current_steps": 5, "total_steps": 9, "eval_loss": 0.5},
            {"current_steps": 6, "total_steps": 9, "loss": 0.25},
        )
        lines = [json.dumps(entry).encode() for entry in entries]
        assert words_of(*lines) == "step 6/9 (66%), loss 0.25, eval loss 0.5"
        assert words_of(*lines, b"no line of this log") == words_of(*lines)

    @pytest.mark.parametrize(
        "log", [b"", b"[1]", b"\xff\xfe", b'{"current_steps": 13, "tot', b"{}"]
    )
    def test_any_other_line_is_no_state(self, log: bytes):
        assert words_of(log) == ""


def test_clean_drops_escape_codes_and_keeps_the_last_state_of_a_line():
    text = "\x1b[1mloading\x1b[0m\n 10%|#   |\r 50%|##  |\r100%|####|\r\ndone\x07\n"
    assert clean(text) == "loading\n100%|####|\ndone\n"
    assert last_line(text) == "done"
    assert last_line("\n\n") == ""


def test_mask_hides_secrets_and_minds_no_empty_one():
    assert mask("token hush", ["hush", ""]) == "token ***"


class TestReport:
    def test_progress_is_told_once(self):
        progress = Progress("train guide")
        assert progress.line(1, state="step 1/9", log=[]) == "train guide: step 1/9"
        assert progress.line(2, state="step 1/9", log=[]) is None
        assert progress.line(3, state="step 2/9", log=[]) == "train guide: step 2/9"

    def test_without_progress_the_container_speaks_and_not_too_often(self):
        progress = Progress("convert")
        lines = [progress.line(second, state="", log=[f"line {second}"]) for second in range(1, 10)]
        assert [line for line in lines if line] == [
            "convert: line 3",
            "convert: line 6",
            "convert: line 9",
        ]

    def test_no_silence_is_longer_than_a_quarter_of_a_minute(self):
        progress = Progress("train")
        progress.line(1, state="step 1/9", log=[])
        lines = [progress.line(second, state="step 1/9", log=["x"]) for second in range(2, 40)]
        told = [line for line in lines if line]
        assert told == ["train: still at work after 0:00:16", "train: still at work after 0:00:31"]
        assert QUIET_SECONDS == 15

    def test_the_log_is_not_asked_when_nothing_of_it_would_be_told(self):
        def log():
            raise AssertionError("asked")
            yield

        assert Progress("train").line(1, state="", log=log()) is None


class TestCommandWords:
    def test_a_spinner_is_one_line(self):
        words = CommandWords()
        drawn = "\x1b[?25l\x1b[1Ggathering model components ⠋ \x1b[K"
        heard = [line for turn in range(50) for line in words.hear(drawn, turn / 10)]
        assert heard == ["gathering model components"]

    def test_a_bar_moves_every_few_seconds(self):
        words = CommandWords()
        heard = [
            line
            for tenth in range(70)
            for line in words.hear(f"copying file {tenth}% ▕██ {tenth} MB/s\r", tenth / 10)
        ]
        assert len(heard) == 3

    def test_lines_that_are_drawn_in_turn_are_told_once_each(self):
        words = CommandWords()
        drawn = "gathering model components\nparsing GGUF\n"
        heard = [line for turn in range(50) for line in words.hear(drawn, turn / 10)]
        assert heard == ["gathering model components", "parsing GGUF"]
