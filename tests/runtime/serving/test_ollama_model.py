"""Models in Ollama, on a stand-in for its client: a script that keeps manifests as files (E5).

What the real one makes of a GGUF file is for the integration tests; here it is the order of steps
that counts, and what is left when one of them fails.
"""

import hashlib
import io
import json
import tarfile
from typing import Any

import pytest

from runtime.serving.ollama_model import satisfies
from tests.runtime.conftest import IMAGE, Bench

MANIFESTS = "/root/.ollama/models/manifests/registry.ollama.ai/library"
STAND_IN = rf"""#!/bin/sh
set -e
echo "$@" >> /root/.ollama/calls
path() {{ echo "{MANIFESTS}/$(echo "$1" | tr : /)"; }}
case $1 in
list)
    [ ! -e /root/.ollama/deaf ] || {{ echo 'could not connect' >&2; exit 1; }}
    echo "NAME ID SIZE MODIFIED"
    cd {MANIFESTS} 2>/dev/null || exit 0
    for file in */*; do
        [ ! -e "$file" ] || echo "$(dirname "$file"):$(basename "$file") 0123 1 MB now"
    done ;;
create)
    grep -q FROM "$4" || {{ echo 'Error: no FROM line' >&2; exit 1; }}
    printf '\033[?25lgathering model components ⠋\033[K\rgathering model components ⠙\n' >&2
    mkdir -p "$(dirname "$(path "$2")")"
    (cat "$4"; echo "quantize: $6") > "$(path "$2")" ;;
run)
    [ "$3" = "--" ]
    sed -n 's/^SYSTEM //p' "$(path "$2")" ;;
cp) mkdir -p "$(dirname "$(path "$3")")"; cp "$(path "$2")" "$(path "$3")" ;;
rm) shift; for model; do rm "$(path "$model")"; done ;;
esac
"""


class TestSatisfies:
    @pytest.mark.parametrize(
        ("answer", "expected", "is_good"),
        [
            ("It is 42.", "42", True),
            ("It\n  is\n42.", "is 42", True),
            ("pulumi  up", "pulumi\nup", True),
            ("PULUMI UP", "pulumi up", False),
            ("", "42", False),
        ],
    )
    def test_it_compares_words_not_line_breaks(self, answer: str, expected: str, is_good: bool):
        assert satisfies(answer, expected) is is_good


@pytest.fixture
def server(bench: Bench) -> str:
    """A running container in which `ollama` is the stand-in."""
    name = f"{bench.stack}-ollama-server"
    container = bench.client.containers.create(
        IMAGE,
        ["sleep", "600"],
        name=name,
        init=True,
        network_mode="none",
        volumes={f"{bench.stack}-ollama": {"bind": "/root/.ollama", "mode": "rw"}},
        labels={"finetune-stack.stack": bench.stack},
    )
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        entry = tarfile.TarInfo("ollama")
        entry.mode, entry.size = 0o755, len(STAND_IN.encode())
        tar.addfile(entry, io.BytesIO(STAND_IN.encode()))
    container.put_archive("/usr/local/bin", archive.getvalue())
    container.start()
    return name


def model(bench: Bench, says: str = "It is 42.", *, fingerprint: str = "f1") -> dict[str, Any]:
    """A model that answers everything with the same words."""
    return {
        "engine": None,
        "stack": bench.stack,
        "name": f"{bench.stack}-ollama-model",
        "fingerprint": fingerprint,
        "token": "t1",
        "server": f"{bench.stack}-ollama-server",
        "served_name": "guide:latest",
        "modelfile": f"FROM /app/output/model.gguf\nSYSTEM {says}\n",
        "quantize": "q4_K_M",
        "smoke_prompts": [{"prompt": "--what is it?", "expect": "is 42"}],
        "marker": f"/root/.ollama/finetune-stack/{fingerprint}/complete.json",
        "manifest": f"{MANIFESTS}/guide/latest",
        "deadline_seconds": 60,
    }


def renamed(bench: Bench, name: str, *, fingerprint: str = "f2") -> dict[str, Any]:
    """The same model after its served name was changed in the settings."""
    spec = model(bench, fingerprint=fingerprint)
    return {**spec, "served_name": f"{name}:latest", "manifest": f"{MANIFESTS}/{name}/latest"}


def inside(bench: Bench, script: str) -> str:
    return str(bench.container("ollama-server").exec_run(["sh", "-c", script]).output.decode())


def models(bench: Bench) -> list[str]:
    return inside(bench, f"cd {MANIFESTS} && ls */*").split()


@pytest.mark.engine
@pytest.mark.usefixtures("server")
class TestConverge:
    def test_the_model_is_made_asked_and_served(self, bench: Bench):
        outcome = bench.run("serving/ollama_model", "converge", model(bench))
        assert outcome.code == 0, outcome.words
        assert outcome.result == {
            "fingerprint": "f1",
            "model": "guide:latest",
            "answers": [{"prompt": "--what is it?", "answer": "It is 42."}],
        }
        assert models(bench) == ["guide/latest"]
        manifest = inside(bench, f"cat {MANIFESTS}/guide/latest")
        assert "quantize: q4_K_M" in manifest
        marker = json.loads(inside(bench, "cat /root/.ollama/finetune-stack/f1/complete.json"))
        assert marker["manifest_digest"] == hashlib.sha256(manifest.encode()).hexdigest()
        assert (marker["token"], marker["fingerprint"]) == ("t1", "f1")
        assert outcome.words.count("gathering model components") == 1
        assert "\x1b" not in outcome.words

    def test_a_served_model_is_not_touched(self, bench: Bench):
        first = bench.run("serving/ollama_model", "converge", model(bench))
        inside(bench, "rm /root/.ollama/calls")
        second = bench.run("serving/ollama_model", "converge", {**model(bench), "token": "t2"})
        assert second.output == first.output
        assert "calls" not in inside(bench, "ls /root/.ollama")
        marker = json.loads(inside(bench, "cat /root/.ollama/finetune-stack/f1/complete.json"))
        assert marker["token"] == "t2"

    def test_a_model_that_answers_wrongly_does_not_replace_the_old_one(self, bench: Bench):
        bench.run("serving/ollama_model", "converge", model(bench))
        outcome = bench.run(
            "serving/ollama_model", "converge", model(bench, "No idea.", fingerprint="f2")
        )
        assert outcome.code == 1
        for words in ("--what is it?", "is 42", "No idea.", "goes on answering"):
            assert words in outcome.words
        assert models(bench) == ["guide/latest"]
        assert "It is 42." in inside(bench, f"cat {MANIFESTS}/guide/latest")

    def test_a_better_model_takes_the_name_and_leaves_nothing_beside_it(self, bench: Bench):
        bench.run("serving/ollama_model", "converge", model(bench))
        inside(bench, f"cp {MANIFESTS}/guide/latest {MANIFESTS}/guide/candidate-f0")
        new = bench.run(
            "serving/ollama_model", "converge", model(bench, "It really is 42", fingerprint="f2")
        )
        assert new.code == 0, new.words
        assert models(bench) == ["guide/latest"]
        assert "really" in inside(bench, f"cat {MANIFESTS}/guide/latest")
        back = bench.run("serving/ollama_model", "converge", model(bench))
        assert back.result["answers"][0]["answer"] == "It is 42."

    def test_a_model_that_is_renamed_no_longer_answers_under_its_former_name(self, bench: Bench):
        bench.run("serving/ollama_model", "converge", model(bench))
        outcome = bench.run("serving/ollama_model", "converge", renamed(bench, "handbook"))
        assert outcome.code == 0, outcome.words
        assert "removing its former name guide:latest" in outcome.words
        assert models(bench) == ["handbook/latest"]
        assert inside(bench, "ls /root/.ollama/finetune-stack").split() == ["f2"]
        back = bench.run("serving/ollama_model", "converge", model(bench))
        assert back.code == 0, back.words
        assert models(bench) == ["guide/latest"]

    def test_a_former_name_that_somebody_else_took_stays(self, bench: Bench):
        bench.run("serving/ollama_model", "converge", model(bench))
        inside(bench, f"echo theirs > {MANIFESTS}/guide/latest")
        assert bench.run("serving/ollama_model", "converge", renamed(bench, "handbook")).code == 0
        assert models(bench) == ["guide/latest", "handbook/latest"]

    def test_a_model_removed_by_hand_is_made_again(self, bench: Bench):
        bench.run("serving/ollama_model", "converge", model(bench))
        inside(bench, "ollama rm guide:latest")
        assert bench.run("serving/ollama_model", "converge", model(bench)).code == 0
        assert models(bench) == ["guide/latest"]

    def test_what_ollama_says_about_a_failure_is_passed_on(self, bench: Bench):
        outcome = bench.run(
            "serving/ollama_model", "converge", {**model(bench), "modelfile": "nonsense"}
        )
        assert outcome.code == 1
        assert "| Error: no FROM line" in outcome.words

    def test_it_waits_for_a_server_that_does_not_answer_yet(self, bench: Bench):
        inside(bench, "touch /root/.ollama/deaf; (sleep 1; rm /root/.ollama/deaf) &")
        assert bench.run("serving/ollama_model", "converge", model(bench)).code == 0

    def test_the_deadline_holds_inside_the_container(self, bench: Bench):
        inside(bench, "mv /usr/local/bin/ollama /usr/local/bin/quick")
        slow = "printf '#!/bin/sh\\n[ $1 = list ] || sleep 60\\nexec quick \"$@\"\\n'"
        inside(bench, f"{slow} > /usr/local/bin/ollama; chmod +x /usr/local/bin/ollama")
        outcome = bench.run(
            "serving/ollama_model", "converge", {**model(bench), "deadline_seconds": 2}
        )
        assert outcome.code == 1
        assert "deadline of 2 s" in outcome.words


@pytest.mark.engine
class TestWithoutServer:
    def test_a_server_that_is_gone_is_explained(self, bench: Bench):
        outcome = bench.run("serving/ollama_model", "converge", model(bench))
        assert outcome.code == 1
        assert f"{bench.stack}-ollama-server does not run" in outcome.words

    def test_there_is_nothing_to_remove(self, bench: Bench):
        outcome = bench.run("serving/ollama_model", "delete", model(bench))
        assert outcome.result == {"removed": []}


@pytest.mark.engine
@pytest.mark.usefixtures("server")
class TestDelete:
    def test_the_stacks_model_and_its_leftovers_go(self, bench: Bench):
        bench.run("serving/ollama_model", "converge", model(bench))
        inside(bench, f"cp {MANIFESTS}/guide/latest {MANIFESTS}/guide/candidate-f0")
        outcome = bench.run("serving/ollama_model", "delete", model(bench))
        assert sorted(outcome.result["removed"]) == ["guide:candidate-f0", "guide:latest"]
        assert inside(bench, "ollama list | wc -l").strip() == "1"
        assert inside(bench, "ls /root/.ollama/finetune-stack").strip() == ""

    def test_a_model_that_somebody_else_put_there_stays(self, bench: Bench):
        bench.run("serving/ollama_model", "converge", model(bench))
        inside(bench, f"echo theirs > {MANIFESTS}/guide/latest")
        assert bench.run("serving/ollama_model", "delete", model(bench)).result == {"removed": []}
        assert models(bench) == ["guide/latest"]
