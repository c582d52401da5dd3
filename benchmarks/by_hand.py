"""The demo typed by hand: docker, llamafactory-cli, the converter, ollama. The stack's rival.

Every command is made from the same plan, so that both do the same work on the same images.
"""

import json
import shlex
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from plan.container import Container
from plan.ollama_model import OllamaModelStep
from plan.paths import DATASET_INFO
from plan.pipeline import PipelinePlan
from plan.service import ServicePlan
from plan.step import ContainerStepPlan

PROJECT = Path(__file__).parents[1]


def docker(*arguments: str) -> str:
    """Runs one docker command, as an operator types it; its output."""
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, check=False, timeout=1800
    )
    if done.returncode != 0:
        msg = f"docker {' '.join(arguments)}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
        raise SystemExit(msg)
    return done.stdout


def run_by_hand(plan: PipelinePlan) -> dict[str, float]:
    """Seconds of each step, in the order in which an operator takes them."""
    seconds: dict[str, float] = {}

    @contextmanager
    def timed(step: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        seconds[step] = time.monotonic() - started

    with timed("volumes and network"):
        docker("network", "create", plan.network)
        for volume in plan.volumes:
            docker("volume", "create", volume.name)
    with timed("data"):
        _put_data(plan)
    with timed("services"):
        _serve(plan.ollama_server)
        if plan.board:
            _serve(plan.board)
    for model in plan.models:
        for step in model.steps:
            with timed(step.noun):
                _run_step(step)
        served = model.ollama_model
        with timed("ollama create"), tempfile.TemporaryDirectory() as folder:
            modelfile = Path(folder) / "Modelfile"
            modelfile.write_text(_modelfile(served))
            docker("cp", str(modelfile), f"{plan.ollama_server.name}:/tmp/Modelfile")
            docker(
                *("exec", plan.ollama_server.name, "ollama", "create", served.served_name),
                *("-f", "/tmp/Modelfile"),  # noqa: S108 - inside the container
            )
        with timed("ollama run"):
            for prompt in served.smoke_prompts:
                answer = docker(
                    *("exec", plan.ollama_server.name, "ollama", "run"),
                    *(served.served_name, prompt.prompt),
                )
                if prompt.expect not in answer:
                    raise SystemExit(f"by hand the model answered {answer!r}")
    if plan.board:
        with timed("wait for the board"):
            _wait_until_healthy(plan.board)
    return seconds


def _modelfile(model: OllamaModelStep) -> str:
    """The Modelfile with the tokenizer's own tokens, which an operator looks up."""
    text = model.modelfile
    if model.chat_parity is not None:
        found = json.loads(docker("exec", model.server, "cat", model.chat_parity.encoding))
        for name, written in found["written"].items():
            text = text.replace("{{ " + name + " }}", written)
    return text


def training_results(plan: PipelinePlan) -> dict[str, float]:
    """The figures that llamafactory-cli left behind."""
    run = next(step for step in plan.models[0].steps if step.noun == "training-run")
    text = docker("exec", plan.ollama_server.name, "cat", f"{run.artefact}/all_results.json")
    results: dict[str, float] = json.loads(text)
    return results


def remove(plan: PipelinePlan) -> None:
    """Takes everything back."""
    for service in (plan.ollama_server, plan.board):
        if service:
            docker("rm", "--force", service.name)
    for volume in plan.volumes:
        docker("volume", "rm", "--force", volume.name)
    docker("network", "rm", plan.network)


def _put_data(plan: PipelinePlan) -> None:
    registration = plan.dataset_registration
    with tempfile.TemporaryDirectory() as folder:
        for dataset in registration.files:
            target = Path(folder) / Path(dataset.target).relative_to(registration.mount.target)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes((PROJECT / dataset.source).read_bytes())
        (Path(folder) / DATASET_INFO).write_text(registration.info)
        name = f"{plan.volumes.data.name}-copy"
        mount = f"{registration.mount.source}:{registration.mount.target}"
        docker("create", "--name", name, "-v", mount, registration.image)
        docker("cp", f"{folder}/.", f"{name}:{registration.mount.target}")
        docker("rm", name)


def _run_step(step: ContainerStepPlan) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in step.files.items():
            (Path(folder) / name).write_text(content)
        for name, file in step.uploads.items():
            target = Path(folder) / name
            target.parent.mkdir(exist_ok=True)
            target.write_bytes((PROJECT / file).read_bytes())
        shell, flags, script = step.container.command
        command = f"mkdir -p {step.partial}; cp -r /config/. {step.partial}; {script}"
        docker(
            *("run", "--rm", "-v", f"{folder}:/config:ro"),
            *_options(step.container),
            *(step.container.image, shell, flags, command),
        )


def _serve(service: ServicePlan) -> None:
    check = service.healthcheck
    docker(
        *("run", "--detach", "--name", service.name, "--restart", "unless-stopped"),
        *("-p", f"{service.port.bind_address}:{service.port.external}:{service.port.internal}"),
        *("--health-cmd", shlex.join(check.tests[1:])),
        *("--health-interval", f"{check.interval}s"),
        *("--health-start-period", f"{check.start_period}s"),
        *_options(service.container),
        service.container.image,
        *service.container.command,
    )


def _wait_until_healthy(service: ServicePlan) -> None:
    deadline = time.monotonic() + service.healthcheck.wait
    while docker("inspect", "-f", "{{.State.Health.Status}}", service.name) != "healthy\n":
        if time.monotonic() > deadline:
            raise SystemExit(f"{service.name} did not become healthy")
        time.sleep(0.5)


def _options(container: Container) -> list[str]:
    options = ["--network", container.network, "--shm-size", str(container.shm_bytes)]
    for mount in container.mounts:
        access = ":ro" if mount.read_only else ""
        options += ["-v", f"{mount.source}:{mount.target}{access}"]
    for key, value in container.environment.items():
        options += ["-e", f"{key}={value}"]
    return options
