"""LLaMA-Factory's own loader, in its image, on data sets in a volume."""

import base64
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import docker

PROJECT = Path(__file__).parents[3]
PROGRAM = Path(__file__).with_name("release_reads.py")


def ask(
    client: Any, image: str, volume: str, questions: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """What the loader makes of each data set that is registered in the volume."""
    container = client.containers.create(
        image,
        ["python", "/tmp/reads.py", "/tmp/questions.json", "/tmp/answers.json"],
        network_mode="none",
        volumes={volume: {"bind": "/app/data", "mode": "ro"}},
    )
    try:
        files = {"reads.py": PROGRAM.read_bytes(), "questions.json": json.dumps(questions).encode()}
        container.put_archive("/tmp", tar_of(files))
        container.start()
        code = container.wait(timeout=500)["StatusCode"]
        assert code == 0, container.logs().decode()[-2000:]
        pieces, _ = container.get_archive("/tmp/answers.json")
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
            answers = archive.extractfile("answers.json")
            assert answers is not None
            found: dict[str, Any] = json.load(answers)
            return found
    finally:
        container.remove(force=True)


def tables_of(client: Any, image: str, rows: list[dict[str, Any]]) -> dict[str, bytes]:
    """The rows as Parquet and Arrow files, which only the image can write."""
    program = (
        "import sys, json, base64, datasets; d = datasets.Dataset.from_list(json.loads("
        "sys.argv[1])); d.to_parquet('/tmp/rows.parquet'); d.save_to_disk('/tmp/arrow'); import "
        "glob; found = {'parquet': '/tmp/rows.parquet', 'arrow': glob.glob('/tmp/arrow/*.arrow')"
        "[0]}; print('FILES' + json.dumps({kind: base64.b64encode(open(path, 'rb').read())"
        ".decode() for kind, path in found.items()}))"
    )
    said = client.containers.run(
        image,
        ["python", "-c", program, json.dumps(rows)],
        network_mode="none",
        remove=True,
    )
    encoded = json.loads(said.decode().split("FILES", 1)[1])
    return {kind: base64.b64decode(content) for kind, content in encoded.items()}


def texts_for_a_tokenizer(client: Any, image: str, files: Mapping[str, bytes]) -> list[str]:
    """What the program that generates base models finds in data files."""
    program = (
        "import json, sys; sys.path.insert(0, '/tmp'); import tiny_model; from pathlib import Path;"
        "print('TEXTS' + json.dumps(tiny_model.read_texts([Path(n) for n in sys.argv[1:]])))"
    )
    places = [f"/tmp/{name}" for name in files]
    container = client.containers.create(
        image, ["python", "-c", program, *places], network_mode="none"
    )
    try:
        source = PROJECT / "in_container/tiny_model.py"
        container.put_archive("/tmp", tar_of({**files, source.name: source.read_bytes()}))
        container.start()
        assert container.wait(timeout=120)["StatusCode"] == 0, container.logs().decode()[-2000:]
        said = container.logs(stderr=False).decode()
        return list(json.loads(said.split("TEXTS", 1)[1]))
    finally:
        container.remove(force=True)


def put(client: Any, image: str, volume: str, files: Mapping[str, bytes]) -> None:
    """Files below the data volume's root."""
    container = client.containers.create(
        image, ["true"], volumes={volume: {"bind": "/app/data", "mode": "rw"}}
    )
    try:
        container.put_archive("/app/data", tar_of(files))
    finally:
        container.remove(force=True)


def tar_of(files: Mapping[str, bytes]) -> bytes:
    """The files in a tar archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def engine_client() -> Any:
    """The engine; without one the tests fail."""
    client = docker.from_env(timeout=600)
    client.ping()
    return client
