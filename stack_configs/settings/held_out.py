"""Held-out questions of an evaluation: where they come from, and that no training has seen them."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from plan.evaluation import Question, ToolCall
from plan.identity import identity
from plan.problem import Problem
from stack_configs.settings.data_files.questions import (
    Exchange,
    calls_of,
    exchanges,
    read_rows,
    system_of,
    tools_of,
)
from stack_configs.settings.datasets import DatasetSettings
from stack_configs.settings.evaluation import EvaluationRowSettings, EvaluationSettings
from stack_configs.settings.models import ModelSettings
from stack_configs.settings.questions import as_function
from stack_configs.settings.root import Settings

VERSION = 1
"""Of the comparison: what an earlier version found apart may not be."""

SHOWN = 3
"""Rows named of those that are in both; the rest are counted."""


def find_held_out_problems(settings: Settings, *, records: Path | None) -> Iterator[Problem]:
    """Held-out sets that cannot be asked, and rows of theirs that a run trains on.

    `records` remembers which files were found apart, so that large ones are read once.
    """
    for index, model in enumerate(settings.models):
        evaluation = model.ollama_model.evaluation
        if evaluation is None:
            continue
        key = f"models[{index}].ollama_model.evaluation"
        if problem := _dataset_problem(settings, model, evaluation, key):
            yield problem
            continue
        yield from _measure_problems(evaluation, held_out_questions(model, settings.datasets), key)
        yield from _shared_rows(settings, model, evaluation, key, records)


def held_out_questions(
    model: ModelSettings, datasets: Sequence[DatasetSettings]
) -> tuple[Question, ...]:
    """What an evaluation asks: the sample of its data set, then its own rows."""
    evaluation = model.ollama_model.evaluation
    if evaluation is None:
        return ()
    asked = [
        _question(row, exchange, dataset)
        for dataset in datasets
        if dataset.name == evaluation.dataset
        for row, exchange in _last_exchanges(dataset)
    ]
    if len(asked) > evaluation.sample:
        step = len(asked) / evaluation.sample
        asked = [asked[int(index * step)] for index in range(evaluation.sample)]
    return (*asked, *(_written(row) for row in evaluation.rows))


def _dataset_problem(
    settings: Settings, model: ModelSettings, evaluation: EvaluationSettings, key: str
) -> Problem | None:
    if evaluation.dataset is None:
        return None
    named = {dataset.name: dataset for dataset in settings.datasets}
    dataset = named.get(evaluation.dataset)
    trained = [run for run in model.training_runs if evaluation.dataset in run.datasets]
    if dataset is None:
        rule = "no data set of that name is declared"
        way_out = f"Declare it under datasets, or use one of: {', '.join(named)}"
    elif trained:
        rule = f"run {trained[0].name} trains on it"
        way_out = "Name a data set that no run of the model trains on"
    elif not dataset.is_checked:
        rule = "its rows are not read before the run, as those of a hub or of Parquet files"
        way_out = "Put the questions into a .json, .jsonl or .csv file"
    elif dataset.layout.media:
        rule = "its rows have images, videos or audios, which no question carries"
        way_out = "Name a data set of texts"
    elif not dataset.has_answers:
        rule = "its rows have no answers to compare with"
        way_out = "Name a data set with answers"
    else:
        return None
    return Problem(f"{key}.dataset", repr(evaluation.dataset), rule, way_out)


def _measure_problems(
    evaluation: EvaluationSettings, questions: Sequence[Question], key: str
) -> Iterator[Problem]:
    for measure in evaluation.measures.given:
        if not any(question.fits(measure) for question in questions):
            expected = "a tool call" if measure == "tool_call" else "a text"
            yield Problem(
                f"{key}.measures.{measure}",
                "",
                f"none of the {len(questions)} questions expects {expected}",
                "Add questions that do, or remove the measure",
            )


def _shared_rows(
    settings: Settings,
    model: ModelSettings,
    evaluation: EvaluationSettings,
    key: str,
    records: Path | None,
) -> Iterator[Problem]:
    named = {dataset.name: dataset for dataset in settings.datasets}
    held_out: dict[str, set[tuple[tuple[str, str], ...]]] = {}
    exchanged = [
        exchange
        for name in (evaluation.dataset,)
        if name is not None
        for _, exchange in _last_exchanges(named[name])
    ]
    for exchange in (*exchanged, *(_exchange(row) for row in evaluation.rows)):
        held_out.setdefault(exchange.asked, set()).add(exchange.conversation)
    mark = identity(sorted((asked, sorted(talks)) for asked, talks in held_out.items()))
    trained = dict.fromkeys(name for run in model.training_runs for name in run.datasets)
    for dataset in (named[name] for name in trained if name in named):
        if not dataset.is_checked or dataset.file is None or dataset.findings is None:
            continue
        name = identity(VERSION, mark, dataset.findings.digest, repr(dataset.layout))
        record = records / f"apart-{name}" if records else None
        if record and record.exists():
            continue
        shared = [
            place
            for place, row in read_rows(dataset.file)
            for exchange in exchanges(row, dataset.layout)
            if exchange.conversation in held_out.get(exchange.asked, ())
        ]
        if shared:
            yield _shared_problem(evaluation, dataset, shared, key)
        elif record:
            # Without it, the files are read at the next preview too.
            with suppress(OSError):
                record.parent.mkdir(parents=True, exist_ok=True)
                record.touch()


def _shared_problem(
    evaluation: EvaluationSettings, dataset: DatasetSettings, shared: Sequence[str], key: str
) -> Problem:
    more = f" and {len(shared) - SHOWN} more" if len(shared) > SHOWN else ""
    source = "dataset" if evaluation.dataset else "rows"
    return Problem(
        f"{key}.{source}",
        repr(evaluation.dataset) if evaluation.dataset else "",
        f"data set {dataset.name} trains on what it asks ({', '.join(shared[:SHOWN])}{more}): "
        "a model is judged by questions that it has not seen",
        "Take these rows out of one of the two",
    )


def _last_exchanges(dataset: DatasetSettings) -> Iterator[tuple[dict[str, object], Exchange]]:
    """The rows of a data set, each with the last of its answers."""
    if dataset.file is None:
        return
    for _, row in read_rows(dataset.file):
        *_, last = [None, *exchanges(row, dataset.layout)]
        if last is not None:
            yield row, last


def _question(row: dict[str, object], exchange: Exchange, dataset: DatasetSettings) -> Question:
    system = system_of(row, dataset.layout)
    return Question(
        messages=(
            *([{"role": "system", "content": system}] if system else []),
            *exchange.messages,
        ),
        tools=tuple(as_function(tool) for tool in tools_of(row, dataset.layout)),
        expect=str(exchange.answer["content"]),
        expect_tool_calls=calls_of(exchange.answer),
    )


def _exchange(row: EvaluationRowSettings) -> Exchange:
    return Exchange(messages=({"role": "user", "content": row.prompt},), answer={})


def _written(row: EvaluationRowSettings) -> Question:
    call = row.expect_tool_call
    return Question(
        messages=(
            *([{"role": "system", "content": row.system}] if row.system else []),
            {"role": "user", "content": row.prompt},
        ),
        tools=row.described_tools,
        expect=row.expect or "",
        expect_tool_calls=(ToolCall(name=call.name, arguments=call.arguments),) if call else (),
    )
