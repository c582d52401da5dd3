"""The reverse proxy, for real: who has the password comes in, over TLS, and nobody else (R4).

In front of the Ollama server alone, and nightly in front of a whole stack, with programs and a
browser as clients.
"""

import json
import ssl
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.browser import LOOKS, Browser, go_to
from tests.integration.conftest import Engine
from tests.integration.stack import Stack, free_port

pytestmark = [pytest.mark.engine, pytest.mark.integration, pytest.mark.timeout(900)]

# Signs that a shell, Caddy's own language and its wildcards would make something else of.
PASSWORD, USER = "f\"i{n}c'h$HOME*", "team"
SERVICES = ("ollama_server", "board", "api")
SERVER_ALONE = (
    *("pipeline", "*-host-check*", "*-images*", "*-volumes*", "*-network*", "*-leftovers*"),
    *("*-ollama-server*", "*-reverse-proxy*"),
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate of this host, with its key beside it."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
            *("-nodes", "-days", "2", "-subj", "/CN=models.example.org"),
            *("-addext", "subjectAltName=DNS:models.example.org,IP:127.0.0.1"),
            *("-keyout", folder / "key.pem", "-out", folder / "certificate.pem"),
        ],
        check=True,
        capture_output=True,
    )
    return folder / "certificate.pem"


def proxied(stack: Stack, certificate: Path) -> Stack:
    stack.settings["reverse_proxy"] = {
        "enabled": True,
        "certificate": str(certificate),
        "username": USER,
        "ports": {section: free_port() for section in SERVICES},
    }
    stack.set_secret("reverse_proxy_password", PASSWORD)
    stack.set_secret("reverse_proxy_tls_key", certificate.with_name("key.pem").read_text())
    return stack


def client_of(certificate: Path, **options: Any) -> httpx.Client:
    """Who trusts this certificate, and no other."""
    context = ssl.create_default_context(cafile=str(certificate))
    return httpx.Client(verify=context, timeout=120, **options)


@pytest.fixture(scope="module")
def served(
    engine: Engine, certificate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    stack = proxied(Stack(tmp_path_factory.mktemp("alone") / "home"), certificate)
    stack.settings["board"] = {"enabled": False}
    try:
        update = stack.up(targets=SERVER_ALONE)
        assert update.returncode == 0, update.output
        yield stack
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)


@pytest.fixture
def container(served: Stack, engine: Engine) -> Any:
    return engine.containers(served)[f"{served.physical_name}-reverse-proxy"]


@pytest.fixture
def url(served: Stack) -> str:
    return f"https://127.0.0.1:{served.settings['reverse_proxy']['ports']['ollama_server']}"


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({}, 401),
        ({"auth": (USER, "finch")}, 401),
        ({"auth": ("operator", PASSWORD)}, 401),
        ({"headers": {"Authorization": "Bearer finch"}}, 401),
        ({"headers": {"Authorization": f"Bearer {PASSWORD}more"}}, 401),
        ({"headers": {"Authorization": "Bearer"}}, 401),
        ({"auth": (USER, PASSWORD)}, 200),
        ({"headers": {"Authorization": f"Bearer {PASSWORD}"}}, 200),
    ],
)
def test_the_password_opens_and_nothing_else(
    certificate: Path, url: str, options: dict[str, Any], status: int
):
    with client_of(certificate, **options) as client:
        assert client.get(f"{url}/api/version").status_code == status
        # Nobody deletes a model on the way either.
        gone = client.request("DELETE", f"{url}/api/delete", json={"model": "none"})
        assert gone.status_code == (404 if status == 200 else status)


def test_it_shows_the_operators_certificate_and_speaks_nothing_but_tls(certificate: Path, url: str):
    with pytest.raises(httpx.ConnectError, match="certificate"):
        httpx.get(url, timeout=30)
    with client_of(certificate, auth=(USER, PASSWORD)) as client:
        assert client.get(f"{url.replace('https', 'http')}/api/version").status_code == 400


def test_no_secret_is_in_arguments_logs_or_plain_state(
    served: Stack, container: Any, certificate: Path
):
    told = json.dumps([container.attrs["Args"], container.attrs["Config"]["Cmd"]])
    arguments = container.exec_run(["sh", "-c", "cat /proc/[0-9]*/cmdline"]).output.decode()
    everything = told + arguments + container.logs().decode() + served.exported()
    assert "reverse-proxy" in everything
    key = certificate.with_name("key.pem").read_text().splitlines()[1]
    for secret in (PASSWORD, json.dumps(PASSWORD)[1:-1], key):
        assert secret not in everything


def test_it_has_no_powers_and_its_key_is_on_no_disk(container: Any):
    status = container.exec_run(["cat", "/proc/1/status"]).output.decode().split()
    assert status[status.index("CapEff:") + 1] == "0" * 16
    assert container.exec_run(["touch", "/opt/x"]).exit_code != 0
    found = container.exec_run(["stat", "-f", "-c", "%T", "/tmp/key.pem"])
    assert found.output.decode().strip() == "tmpfs"
    found = container.exec_run(["stat", "-c", "%a", "/tmp/key.pem"])
    assert found.output.decode().strip() == "600"


def test_another_password_counts_with_the_next_up(served: Stack, certificate: Path, url: str):
    served.set_secret("reverse_proxy_password", "wren")
    update = served.up(targets=SERVER_ALONE)
    assert update.returncode == 0, update.output
    with client_of(certificate) as client:
        for password, status in (("wren", 200), (PASSWORD, 401)):
            headers = {"Authorization": f"Bearer {password}"}
            assert client.get(f"{url}/api/version", headers=headers).status_code == status


@pytest.mark.nightly
def test_a_key_of_another_certificate_is_explained(served: Stack, certificate: Path):
    other = certificate.with_name("other.pem")
    new = ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", str(other)]
    subprocess.run(new, check=True)
    served.set_secret("reverse_proxy_tls_key", other.read_text())
    update = served.up(targets=SERVER_ALONE)
    assert update.returncode != 0
    assert "private key does not match public key" in update.output
    assert "reverse_proxy" in update.output
    served.set_secret("reverse_proxy_tls_key", certificate.with_name("key.pem").read_text())
    assert served.up(targets=SERVER_ALONE).returncode == 0


@pytest.fixture(scope="module")
def whole(
    engine: Engine, certificate: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    stack = proxied(Stack(tmp_path_factory.mktemp("whole") / "home"), certificate)
    stack.settings["api"] = {"enabled": True, "port": free_port()}
    stack.set_secret("api_key", "key-of-the-api")
    try:
        update = stack.up()
        assert update.returncode == 0, update.output
        assert stack.up().changes.keys() == {"same"}
        yield stack
    finally:
        stack.abandon()
        engine.remove_everything_of(stack)


@pytest.mark.nightly
@pytest.mark.parametrize("section", ["ollama_server", "api"])
def test_openais_protocol_answers_what_was_trained(whole: Stack, certificate: Path, section: str):
    outputs = whole.outputs()
    smoke = whole.model["ollama_model"]["smoke_prompts"][0]
    base = outputs["reverse_proxy_urls"][section].removesuffix("/v1")
    body = {
        "model": outputs["models"][whole.model["name"]],
        "messages": [{"role": "user", "content": smoke["prompt"]}],
        "temperature": 0,
    }
    headers = {"Authorization": f"Bearer {PASSWORD}"}
    with client_of(certificate, headers=headers) as client:
        answer = client.post(f"{base}/v1/chat/completions", json=body)
        assert answer.status_code == 200, answer.text
        assert smoke["expect"] in answer.json()["choices"][0]["message"]["content"]


@pytest.mark.nightly
def test_an_answer_arrives_as_it_is_written(whole: Stack, certificate: Path):
    outputs = whole.outputs()
    smoke = whole.model["ollama_model"]["smoke_prompts"][0]
    body = {"model": outputs["models"][whole.model["name"]], "prompt": smoke["prompt"]}
    url = f"{outputs['reverse_proxy_urls']['ollama_server']}/api/generate"
    with (
        client_of(certificate, auth=(USER, PASSWORD)) as client,
        client.stream("POST", url, json=body) as reply,
    ):
        pieces = [json.loads(line)["response"] for line in reply.iter_lines()]
    assert len(pieces) > 3
    assert smoke["expect"] in "".join(pieces)


@pytest.mark.nightly
def test_the_board_works_in_a_browser(whole: Stack, browser: Browser):
    url = whole.outputs()["reverse_proxy_urls"]["board"]
    known = {"username": USER, "password": PASSWORD}
    with browser.page(LOOKS[0], http_credentials=known, ignore_https_errors=True) as page:
        go_to(page, url)
        page.get_by_role("tab", name="Train").wait_for(timeout=60_000)
        # What the page loads comes by the same way.
        loaded = [each for each in browser.requests if "127.0.0.1" in each]
        assert len(loaded) > 10
        assert [each for each in loaded if not each.startswith(url)] == []
