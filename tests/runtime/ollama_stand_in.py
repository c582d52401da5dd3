"""Stands in for Ollama: a script that keeps manifests as files, where Ollama keeps them, and one
that answers every chat with a model's SYSTEM text.

What the real one makes of a GGUF file is for the integration tests; here it is the order of steps
that counts, and what is left when one of them fails.
"""

import io
import json
import tarfile
from typing import Any

from plan.paths import OLLAMA_STORE, SERVED_MARKERS, ollama_manifest, served_marker

MANIFESTS = OLLAMA_STORE / "models/manifests/registry.ollama.ai"
PROGRAM = rf"""#!/bin/sh
set -e
echo "$@" >> {OLLAMA_STORE}/calls
while [ -e {OLLAMA_STORE}/hold-"$1" ]; do sleep 0.05; done
if [ -e {OLLAMA_STORE}/fail-"$1" ]; then
    left=$(cat {OLLAMA_STORE}/fail-"$1")
    [ "$left" -gt 0 ] || {{ echo 'Error: no space left on device' >&2; exit 1; }}
    echo $((left - 1)) > {OLLAMA_STORE}/fail-"$1"
fi
path() {{
    case $1 in */*) name=$1 ;; *) name=library/$1 ;; esac
    echo "{MANIFESTS}/$(echo "$name" | tr : /)"
}}
case $1 in
list)
    [ ! -e {OLLAMA_STORE}/deaf ] || {{ echo 'could not connect' >&2; exit 1; }}
    echo "NAME ID SIZE MODIFIED"
    cd {MANIFESTS} 2>/dev/null || exit 0
    for file in */*/*; do
        [ -e "$file" ] || continue
        name="$(dirname "$file"):$(basename "$file")"
        echo "${{name#library/}} 0123 1 MB now"
    done ;;
create)
    grep -q FROM "$4" || {{ echo 'Error: no FROM line' >&2; exit 1; }}
    printf '\033[?25lgathering model components ⠋\033[K\rgathering model components ⠙\n' >&2
    mkdir -p "$(dirname "$(path "$2")")"
    (cat "$4"; echo "quantize: $6") > "$(path "$2")" ;;
chat)
    sed -n 's/^SYSTEM //p' "$(path "$2")" ;;
cp) mkdir -p "$(dirname "$(path "$3")")"; cp "$(path "$2")" "$(path "$3")" ;;
rm) shift; for model; do rm "$(path "$model")"; done ;;
esac
"""

BASH = r"""#!/bin/sh
# Answers what is posted to the server's API: `bash -c SCRIPT post PATH FILE...`.
set -e
[ "$4" = /api/chat ]
shift 4
for body; do
    model=$(sed -n 's/.*"model": "\([^"]*\)".*/\1/p' "$body")
    said=$(ollama chat "$model" "$(cat "$body")")
    printf 'HTTP/1.0 200 OK\r\n\r\n{"message": {"content": "%s"}}\036' "$said"
    echo >&2
done
"""


class OllamaStandIn:
    """A container in which `ollama` is the stand-in."""

    def __init__(self, container: Any) -> None:
        """Start it from a container that was created."""
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            for name, program in (("ollama", PROGRAM), ("bash", BASH)):
                entry = tarfile.TarInfo(name)
                entry.mode, entry.size = 0o755, len(program.encode())
                tar.addfile(entry, io.BytesIO(program.encode()))
        container.put_archive("/usr/local/bin", archive.getvalue())
        container.start()
        self.container = container

    def shell(self, script: str) -> str:
        code, output = self.container.exec_run(["sh", "-ec", script])
        assert code == 0, output
        return str(output.decode())

    def models(self) -> list[str]:
        """As a user sees them."""
        listed = self.shell("ollama list").splitlines()[1:]
        return [line.split()[0] for line in listed]

    def manifest(self, model: str) -> str:
        return self.shell(f"cat {ollama_manifest(model)}")

    def overwrite(self, model: str, content: str) -> None:
        """What somebody else does with a name."""
        path = ollama_manifest(model)
        self.shell(f"mkdir -p {path.parent}; echo {content} > {path}")

    def calls(self) -> list[str]:
        return self.shell(f"cat {OLLAMA_STORE}/calls 2>/dev/null || true").splitlines()

    def hold(self, verb: str) -> None:
        """Let every `ollama VERB` wait."""
        self.shell(f"touch {OLLAMA_STORE}/hold-{verb}")

    def fail(self, verb: str) -> None:
        """Let every `ollama VERB` fail."""
        self.fail_after(verb, 0)

    def fail_after(self, verb: str, count: int) -> None:
        """Let every `ollama VERB` fail after so many."""
        self.shell(f"echo {count} > {OLLAMA_STORE}/fail-{verb}")

    def release_failures(self, verb: str) -> None:
        self.shell(f"rm {OLLAMA_STORE}/fail-{verb}")

    def release(self, verb: str) -> None:
        self.shell(f"rm {OLLAMA_STORE}/hold-{verb}")

    def marker(self, identity: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.shell(f"cat {served_marker(identity)}"))
        return found

    def marked(self) -> list[str]:
        """Identities that have a marker."""
        return self.shell(f"ls {SERVED_MARKERS} 2>/dev/null || true").split()
