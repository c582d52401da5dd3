"""What the page says, and that nothing on it can do anything."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
import yaml

from plan.paths import partial
from report.html import SECTIONS, html_of
from report.page import Page, page_of
from report.state import read_state
from report.words import HIDDEN, size, took, without_secrets
from tests.report.conftest import exported, sight_of, without

NOW = datetime(2026, 9, 22, tzinfo=UTC)


class Reader(HTMLParser):
    """The text of a page, its ids, and every address that it names."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.loads: list[str] = []
        self.tags: set[str] = set()
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.tags.add(tag)
        if "id" in given:
            self.ids.append(str(given["id"]))
        if tag == "a":
            self.links.append(str(given.get("href")))
        self.loads += [str(given[key]) for key in ("src", "srcset", "data") if key in given]

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture
def page(planned) -> Page:
    plan, settings = planned()
    return page_of(read_state(exported(plan, settings)), sight_of(plan), now=NOW)


class TestPage:
    def test_every_step_tells_its_time_and_size(self, page: Page, planned) -> None:
        plan, _ = planned()
        rows = {row.key: row for row in page.steps}
        assert len(page.steps) == 1 + sum(len(model.steps) + 1 for model in plan.models)
        row = rows["pipeline-guide-sft"]
        assert (row.state, row.took, row.size) == ("complete", "1 min 30 s", "2.5 MB")
        assert rows["pipeline-poet-ollama-model"].measured == "3.5 s · 1.2 MB"
        assert row.identity == plan.models[0].steps[1].identity

    def test_what_is_published_is_a_step_too(self, planned) -> None:
        def publish(document) -> None:
            document["registry"] = {"host": "registry.example.org"}
            document["models"][1]["ollama_model"]["publish"] = "team/poet"

        plan, settings = planned(publish)
        published = page_of(read_state(exported(plan, settings)), sight_of(plan), now=NOW)
        (row,) = [row for row in published.steps if row.noun == "publication"]
        assert (row.title, row.state) == (
            "publish registry.example.org/team/poet:latest",
            "complete",
        )
        assert row.title in Reader(html_of(published)).text

    def test_the_figures_at_the_top_are_those_of_the_stack(self, page: Page) -> None:
        tiles = {label: figure for label, figure, _ in page.tiles}
        assert tiles["Models that answer"] == "2 of 2"
        assert tiles["Asked as trained"] == "2 of 4"

    def test_a_run_before_is_compared(self, planned) -> None:
        def before(document) -> None:
            document["models"][0]["training_runs"][0]["learning_rate"] = 0.002

        old, _ = planned(before)
        plan, settings = planned()
        page = page_of(read_state(exported(plan, settings)), sight_of(plan, old), now=NOW)
        guide, poet = page.runs
        assert guide.changes is not None
        assert [(c.key, c.before, c.now) for c in guide.changes] == [
            ("learning_rate", "0.002", "0.001")
        ]
        assert guide.charts[0].lines[-1].role == "earlier"
        assert poet.changes is None, "the poet was not trained before"

    def test_another_file_of_a_data_set_is_a_change(self, planned, tmp_path) -> None:
        old, _ = planned()
        (tmp_path / "questions.json").write_text('[{"instruction": "Now?", "output": "Now."}]')

        def same_base(document) -> None:
            del document["models"][1]

        plan, settings = planned(same_base)
        page = page_of(read_state(exported(plan, settings)), sight_of(plan, old), now=NOW)
        (run,) = page.runs
        assert run.changes is not None
        assert "data set questions" in [change.key for change in run.changes]

    def test_what_is_gone_or_at_work_is_told(self, planned) -> None:
        plan, settings = planned()
        state = read_state(exported(plan, settings))
        train = plan.models[0].steps[1]
        gone = without(sight_of(plan), str(train.artefact))
        assert page_of(state, gone, now=NOW).runs[0].state == "missing"
        (folder,) = [f for f in sight_of(plan).survey.folders if f.path == str(train.artefact)]
        begun = replace(folder, path=str(partial(train.identity)))
        survey = replace(gone.survey, folders=(*gone.survey.folders, begun))
        run = page_of(state, replace(gone, survey=survey), now=NOW).runs[0]
        assert (run.state, run.charts[0].title) == ("at work, or interrupted", "Loss")

    def test_memory_that_the_trainer_measured_is_told(self, planned) -> None:
        plan, settings = planned()
        state = read_state(exported(plan, settings))
        measured = {
            "before_init_mem_gpu": 1_000_000_000,
            "init_mem_gpu_alloc_delta": 2_000_000_000,
            "train_mem_gpu_alloc_delta": 500_000_000,
            "train_mem_gpu_peaked_delta": 4_000_000_000,
        }
        assert page_of(state, sight_of(plan), now=NOW).memory == ()
        text = exported(plan, settings).replace(
            '\\"train_loss\\": 0.5', ", ".join(f'\\"{k}\\": {v}' for k, v in measured.items())
        )
        page = page_of(read_state(text), sight_of(plan), now=NOW)
        assert [row[1:] for row in page.memory] == [("–", "7.5 GB"), ("–", "7.5 GB")]  # noqa: RUF001

    def test_memory_that_was_foretold_stands_beside(self, planned) -> None:
        plan, settings = planned()
        parts = {"weights": 16.0, "overhead": 1.5}
        text = exported(plan, settings, gpu_memory={"guide, sft": parts})
        page = page_of(read_state(text), sight_of(plan), now=NOW)
        assert page.memory == (("train guide: sft, lora", "17.5 GB", "–"),)  # noqa: RUF001

    def test_time_that_was_foretold_stands_beside_what_it_took(self, planned) -> None:
        plan, settings = planned()
        forecast = {"guide-sft": {"steps": 3, "seconds": 100}, "poet-sft": {"steps": 3}}
        text = exported(plan, settings, own={"forecast": forecast})
        page = page_of(read_state(text), sight_of(plan), now=NOW)
        assert page.times == (("train guide: sft, lora", "1 min 40 s", "1 min 30 s"),)
        assert "1 min 40 s" in html_of(page)


class TestHtml:
    def test_the_page_has_every_section_that_there_is_something_to_say_in(self, page: Page) -> None:
        reader = Reader(html_of(page))
        assert set(SECTIONS) - {"memory", "time", "evaluation"} <= set(reader.ids)
        assert not {"memory", "time"} & set(reader.ids)
        assert len(reader.ids) == len(set(reader.ids)), "each id once"

    def test_every_link_within_the_page_leads_somewhere(self, page: Page) -> None:
        reader = Reader(html_of(page))
        inner = {link[1:] for link in reader.links if link.startswith("#")}
        assert inner - set(reader.ids) == set()
        assert "step-pipeline-guide-sft" in inner

    def test_nothing_is_loaded_and_nothing_runs(self, page: Page) -> None:
        html = html_of(page)
        reader = Reader(html)
        assert reader.loads == []
        assert not reader.tags & {"script", "iframe", "object", "embed", "form"}
        assert "default-src 'none'" in html
        assert re.search(r"@import|url\((?!#)", html) is None

    def test_what_a_model_says_is_text(self, page: Page) -> None:
        reader = Reader(html_of(page))
        assert "It is a <script>tag</script>." in reader.text
        assert "What is <b>?" in reader.text

    def test_hostile_names_stay_text(self, page: Page) -> None:
        evil = '"><img src=x onerror=alert(1)>'
        models = tuple(replace(model, served_name=evil) for model in page.models)
        runs = tuple(replace(run, title=evil, before=evil) for run in page.runs)
        steps = tuple(replace(row, title=evil, identity=evil) for row in page.steps)
        html = html_of(replace(page, models=models, runs=runs, steps=steps, stack=evil))
        assert "img" not in Reader(html).tags

    def test_differences_are_told_in_words(self, page: Page) -> None:
        text = Reader(html_of(page)).text
        assert "token 3: trained on 5, asked with 6" in text

    def test_settings_can_be_read_back(self, page: Page, planned) -> None:
        _, settings = planned()
        told = {section: yaml.safe_load(text) for section, text in page.settings}
        assert told == settings


class TestSecrets:
    def test_passwords_in_addresses_are_hidden(self) -> None:
        told = without_secrets({"images": {"mirrors": {"proxy": "http://me:pw@proxy:3128/x"}}})
        assert told["images"]["mirrors"]["proxy"] == f"http://{HIDDEN}@proxy:3128/x"

    def test_variables_that_are_called_keys_are_hidden(self) -> None:
        told = without_secrets({"environment": {"WANDB_API_KEY": "abc", "LANG": "C"}})
        assert told == {"environment": {"WANDB_API_KEY": HIDDEN, "LANG": "C"}}

    def test_what_is_encrypted_in_the_state_is_nowhere(self, page: Page) -> None:
        assert "none of the page" not in html_of(page)


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.04, "0.0 s"), (59.9, "59.9 s"), (61, "1 min 01 s"), (7260, "2 h 01 min")],
)
def test_a_stretch_of_time(seconds: float, told: str) -> None:
    assert took(seconds) == told


@pytest.mark.parametrize(
    ("count", "told"), [(999, "999 B"), (1000, "1.0 kB"), (2.6e9, "2.6 GB"), (5e15, "5000.0 TB")]
)
def test_a_size(count: float, told: str) -> None:
    assert size(count) == told
