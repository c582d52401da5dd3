"""Reading a settings file: YAML without surprises, and messages that an operator can act on."""

import re
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from plan.problem import Problem, SettingsError
from stack_configs.settings.loader import find_settings, load_settings
from stack_configs.settings.settings_yaml import SettingsYaml

Find = Callable[[Any], list[Problem]]
COMMIT = "0123456789" * 4


def read(text: str) -> Any:
    return yaml.load(text, Loader=SettingsYaml)  # noqa: S506 - a SafeLoader


class TestScalars:
    @pytest.mark.parametrize(
        ("written", "meant"),
        [
            ("1e-4", 1e-4),
            ("1E4", 1e4),
            ("1.5e-05", 1.5e-5),
            ("-.5", -0.5),
            ("3.", 3.0),
            ("42", 42),
            ("-7", -7),
            ("0", 0),
            ("true", True),
            ("false", False),
            ("null", None),
            ("~", None),
            ("off", "off"),
            ("yes", "yes"),
            ("No", "No"),
            ("012", "012"),
            ("1:30", "1:30"),
            ("1_000", "1_000"),
            ("2024-01-01", "2024-01-01"),
            ("0.9.5", "0.9.5"),
            ("1e", "1e"),
            ("'1e-4'", "1e-4"),
            (".inf", ".inf"),
        ],
    )
    def test_a_scalar_is_what_it_looks_like(self, written: str, meant: Any) -> None:
        value = read(f"key: {written}")["key"]
        assert value == meant
        assert type(value) is type(meant)

    @given(st.floats(allow_nan=False, allow_infinity=False))
    def test_every_number_that_python_prints_is_read_as_that_number(self, number: float) -> None:
        assert read(f"key: {number!r}")["key"] == number

    @given(st.floats(min_value=1e-12, max_value=1e12), st.integers(0, 12))
    def test_scientific_notation_is_a_number(self, number: float, digits: int) -> None:
        written = f"{number:.{digits}e}"
        value = read(f"key: {written}")["key"]
        assert isinstance(value, float)
        assert value == float(written)

    @given(st.integers())
    def test_whole_numbers_stay_whole(self, number: int) -> None:
        value = read(f"key: {number}")["key"]
        assert value == number
        assert type(value) is int

    @given(st.text(alphabet=string.printable, max_size=40))
    def test_quoted_text_stays_text(self, text: str) -> None:
        assert read(yaml.safe_dump({"key": text}, default_style='"'))["key"] == text


class TestFile:
    def test_an_environment_is_a_name_or_a_path(self) -> None:
        folder = Path(__file__).parents[2] / "stack_configs"
        assert find_settings("dev") == folder / "dev.yaml"
        assert find_settings("examples/kto") == folder / "examples/kto.yaml"
        assert find_settings("/etc/team.yml") == Path("/etc/team.yml")
        assert find_settings("stack_configs/dev.yaml") == folder / "dev.yaml"

    def test_a_right_file_is_read(self, directory: Path, text: str) -> None:
        (directory / "test.yaml").write_text(text)
        settings = load_settings(directory / "test.yaml")
        assert settings.models[0].name == "guide"
        assert settings.models[0].training_runs[0].learning_rate == 1e-4

    def test_no_file_names_the_environments_that_there_are(self, directory: Path) -> None:
        (directory / "dev.yaml").touch()
        with pytest.raises(SettingsError) as caught:
            load_settings(directory / "prod.yaml")
        (problem,) = caught.value.problems
        assert problem.key == "stack_config"
        assert "No such file" in problem.rule
        assert "dev" in problem.way_out

    @pytest.mark.parametrize(
        ("text", "said"),
        [
            ("a: [1", "line 1"),
            ("a: 1\nb: 2\na: 3\n", "line 3"),
            ("a:\n  b: 1\n  b: 2\n", "'b' is there twice"),
            ("? [a]\n: 1\n", "a key must be text"),
            ("a: !!python/object/apply:os.system ['true']\n", "the tag"),
            ("a: *nowhere\n", "undefined alias"),
            ("a: \x01\n", "not readable as YAML"),
        ],
    )
    def test_broken_yaml_is_a_problem_with_its_place(
        self, problems_of_text: Find, text: str, said: str
    ) -> None:
        (problem,) = problems_of_text(text)
        assert said in str(problem)

    def test_a_key_is_there_twice_only_within_one_section(self) -> None:
        assert read("a: {c: 1}\nb: {c: 2}") == {"a": {"c": 1}, "b": {"c": 2}}

    def test_another_encoding_is_a_problem(self, directory: Path) -> None:
        path = directory / "latin.yaml"
        path.write_bytes("models: é".encode("latin-1"))
        with pytest.raises(SettingsError, match="UTF-8"):
            load_settings(path)

    @pytest.mark.parametrize("text", ["", "just text", "- a\n- b", "42"])
    def test_a_file_that_is_no_mapping_is_one_problem(
        self, problems_of_text: Find, text: str
    ) -> None:
        (problem,) = problems_of_text(text)
        assert "section" in problem.rule


def at(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """The document with one more value, at a path such as `models[0].name`."""
    *parents, last = [int(p) if p.isdigit() else p for p in re.findall(r"[A-Za-z_]+|\d+", path)]
    section: Any = document
    for index, part in enumerate(parents):
        if isinstance(section, dict):
            following = [*parents, last][index + 1]
            section = section.setdefault(part, [] if isinstance(following, int) else {})
        else:
            section = section[part]
    section[last] = value
    return document


RUN = "models[0].training_runs[0]"


class TestMessages:
    @pytest.mark.parametrize(
        ("path", "value", "rule", "way_out"),
        [
            ("hots", {"hardware": "cpu"}, "no such setting", "Did you mean host"),
            ("host.hardwear", "cpu", "no such setting", "Did you mean hardware"),
            ("datasets[0].fromat", "alpaca", "no such setting", "Did you mean format"),
            (f"{RUN}.learning_rat", 1e-4, "no such setting", "Did you mean learning_rate"),
            (
                "models[0].ollama_model.parameters.temprature",
                1,
                "no such setting",
                "Did you mean temperature",
            ),
            ("host.hardware", "gpu", "must be 'cpu', 'cuda'", "Use one of: cpu, cuda, rocm, npu"),
            ("models[0].template", "lama3", "it is no chat template of", "Did you mean llama3"),
            ("models[0].template", "qwen4", "it is no chat template of", "Take the base model's"),
            (f"{RUN}.quantization_bit", 5, "must be 4 or 8", "Use one of: 4, 8"),
            (f"{RUN}.learning_rate", "fast", "must be a number", "Give a value"),
            (f"{RUN}.learning_rate", 0, "greater than 0", "Give a value"),
            (f"{RUN}.learning_rate", 1.5, "less than 1", "Give a value"),
            (f"{RUN}.cutoff_len", "long", "must be a whole number", "Give a value"),
            (f"{RUN}.cutoff_len", 20.5, "must be a whole number", "Give a value"),
            (f"{RUN}.gradient_checkpointing", "maybe", "must be true or false", "Write true or"),
            (f"{RUN}.deadline_hours", float("inf"), "finite number", "Give a value"),
            ("board.port", 99999, "less than or equal to 65535", "Give a value"),
            ("host.gpu.count", "many", "must be a whole number or must be 'all'", "Give a value"),
            ("host.gpu", "one", "must be a section", "Write its keys on lines below"),
            ("ollama_server.environment", "A=b", "must be a section", "Write its keys on lines"),
            ("models[0].training_runs", [], "must have at least 1 entry", "Add one"),
            ("host.engine", "gpu-box", "written otherwise", "such as ssh://user@gpu-box"),
            (
                "host.engine",
                "/run/docker.sock",
                "written otherwise",
                "Write unix:///run/docker.sock",
            ),
            (
                "images.mirrors.registry",
                "https://mirror/",
                "written otherwise",
                "Write mirror",
            ),
            ("images.llamafactory.version", 3.10, "must be text", "Put it in quotes"),
            ("images.ollama.image", "an image", "written otherwise", "Give a value"),
            ("images.llamafactory.extras", ["x; rm"], "must be 'adam-mini'", "Use one of"),
            ("volumes.data.host_path", "here", "must match pattern", "Give a value"),
            ("models[0].name", "My Model", "must match pattern", "Write my-model"),
            ("models[0].base_model.hub", "llama", "written otherwise", "Give a value"),
            (f"{RUN}.arguments.optim", {"y": 1}, "must be one of adamw_torch", "Give a value"),
            ("datasets[0].file", 3, "must be a path", "Give a value"),
        ],
    )
    def test_a_wrong_value_is_one_problem_with_its_key_rule_and_way_out(
        self,
        document: dict[str, Any],
        problems_of: Find,
        path: str,
        value: Any,
        rule: str,
        way_out: str,
    ) -> None:
        (problem,) = problems_of(at(document, path, value))
        assert problem.key.startswith(path)
        if not isinstance(value, dict | list):
            assert repr(value) in problem.value
        assert rule in problem.rule
        assert way_out in problem.way_out

    @pytest.mark.parametrize(
        ("path", "value", "said"),
        [
            ("board.bind_address", "beef", "'beef' is no IP address"),
            (
                "models[0].base_model.path",
                "/models/x",
                "exactly one of hub, modelscope, path and generate",
            ),
            ("models[0].base_model", {}, "exactly one of hub, modelscope, path and generate"),
            (
                "models[0].base_model",
                {"generate": {"hidden_size": 96, "attention_heads": 5}},
                "even multiple of attention_heads",
            ),
            ("ollama_server.environment.OLLAMA_HOST", "[::]", "which the stack sets itself"),
            ("models[0].ollama_model.system", 'say """', "cannot quote"),
            ("models[0].training_runs", [], "must have at least 1 entry"),
            ("datasets", {}, "must be a list"),
            ("images.certificate_authority", "no.pem", "file no.pem does not exist"),
            ("reverse_proxy.enabled", True, "it speaks HTTPS, and has no certificate"),
            ("reverse_proxy.certificate", "no.pem", "file no.pem does not exist"),
            ("reverse_proxy.certificate", "alpaca.json", "holds no certificate in PEM"),
            ("images.ollama", {"image": "a/b", "build": True}, "image a/b has no effect"),
            ("images.ollama", {"version": "0.9.6"}, "does not tell how it writes a conversation"),
            ("images.ollama", {"version": "0.30.1", "build": True}, "cannot be built from its"),
            ("images.ollama", {"version": "0.24.0", "build": True}, "needs Go 1.26 to be built"),
            ("images.ollama.base_image", "debian:13", "no effect unless build is true"),
            ("images.converter", {"image": "a/b", "base_image": "c"}, "base_image has no effect"),
            ("images.llamafactory.source", "https://h/o/n", "no git address"),
            ("images.llamafactory.source", f"git+ssh://git@h/o/n@{COMMIT}", "no git address"),
            ("images.llamafactory.source", f"git+https://me:pw@h/n@{COMMIT}", "no git address"),
            ("images.llamafactory.source", "git+https://h/o/n", "no git address"),
            ("images.llamafactory.source", "git+https://h/o/n@main", "main is no full commit"),
            ("images.llamafactory.source", "git+https://h/n@v0.9.5", "v0.9.5 is no full commit"),
            ("images.llamafactory.source", "git+https://h/n@0123456", "0123456 is no full commit"),
            ("images.llamafactory.dockerfile", "no/Dockerfile", "no/Dockerfile does not exist"),
            ("images.llamafactory.dockerfile", "alpaca.json", "Move it into a folder of its own"),
            (
                "images.llamafactory",
                {"image": "a/b", "source": f"git+https://h/o/n@{COMMIT}"},
                "image says what is in the image, so source has no effect",
            ),
        ],
    )
    def test_a_broken_rule_is_said_in_words(
        self, document: dict[str, Any], problems_of: Find, path: str, value: Any, said: str
    ) -> None:
        (problem,) = problems_of(at(document, path, value))
        assert path.startswith(problem.key) or problem.key.startswith(path)
        assert said in str(problem)
        assert problem.way_out

    @pytest.mark.parametrize("key", ["datasets", "models"])
    def test_a_missing_section_is_named(
        self, document: dict[str, Any], problems_of: Find, key: str
    ) -> None:
        del document[key]
        (problem,) = problems_of(document)
        assert problem == Problem(key, "", "it is required and missing", "Add it")

    def test_several_problems_are_told_at_once(
        self, document: dict[str, Any], problems_of: Find
    ) -> None:
        document["hots"] = 1
        document["board"] = {"port": 0}
        document["datasets"][0]["file"] = "missing.json"
        document["models"][0]["template"] = "nothing"
        document["models"][0]["training_runs"][0]["precision"] = "int4"
        assert {problem.key for problem in problems_of(document)} == {
            "hots",
            "board.port",
            "datasets[0]",
            "models[0].template",
            f"{RUN}.precision",
        }

    def test_the_report_names_the_file_and_counts_the_problems(
        self, directory: Path, text: str
    ) -> None:
        path = directory / "demo.yaml"
        path.write_text(text + "hots: 1\nbord: 2\n")
        with pytest.raises(SettingsError) as caught:
            load_settings(path)
        assert str(caught.value).splitlines() == [
            "demo.yaml: 2 problems",
            "  - hots is 1: no such setting. Did you mean host.",
            "  - bord is 2: no such setting. Did you mean board.",
        ]

    def test_a_value_that_the_operator_meant_is_taken(
        self, directory: Path, text: str, document: dict[str, Any]
    ) -> None:
        document = at(document, "board.enabled", "off")
        (directory / "test.yaml").write_text(yaml.safe_dump(document).replace("'off'", "off"))
        assert load_settings(directory / "test.yaml").board.enabled is False


class TestSecrets:
    SECRET = "hf_doNotRepeatThis"

    @pytest.mark.parametrize(
        ("path", "wrap"),
        [
            ("hub_token", False),
            ("host.password", False),
            ("images.api_key", False),
            (f"{RUN}.arguments.hf_hub_token", False),
            ("ollama_server.environment.OLLAMA_API_KEY", False),
            ("huggingface", True),
            ("models", True),
            ("board", True),
            ("host.engine", True),
        ],
    )
    def test_a_secret_in_the_file_is_refused_and_never_repeated(
        self, document: dict[str, Any], problems_of: Find, path: str, wrap: bool
    ) -> None:
        value = {"token": self.SECRET} if wrap else self.SECRET
        problems = problems_of(at(document, path, value))
        assert problems
        assert self.SECRET not in "\n".join(map(str, problems))

    @pytest.mark.parametrize(
        "url", [f"https://user:{SECRET}@mirror/simple", f"ftp://u:{SECRET}@mirror", f"u:{SECRET}@m"]
    )
    def test_a_mirror_with_a_password_is_refused_and_never_repeated(
        self, document: dict[str, Any], problems_of: Find, url: str
    ) -> None:
        (problem,) = problems_of(at(document, "images.mirrors.python_index", url))
        assert problem.key == "images.mirrors.python_index"
        assert self.SECRET not in str(problem)

    def test_the_way_out_names_the_command(
        self, document: dict[str, Any], problems_of: Find
    ) -> None:
        (problem,) = problems_of({**document, "hub_token": self.SECRET})
        assert "pulumi config set --secret hub_token" in problem.way_out

    def test_a_broken_section_does_not_drag_its_neighbours_into_the_message(
        self, document: dict[str, Any], problems_of: Find
    ) -> None:
        document["models"][0]["ollama_model"] = {"system": self.SECRET}
        document["models"][0]["template"] = "nothing"
        (problem,) = problems_of(document)
        assert self.SECRET not in str(problem)
