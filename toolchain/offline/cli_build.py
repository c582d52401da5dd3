"""The CLI and its Python language host, built from their published, checksummed Go modules."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from toolchain import versions
from toolchain.errors import ToolchainError
from toolchain.offline.go import ensure_go
from toolchain.places import Places
from toolchain.process import run
from toolchain.progress import Step

CLI_PACKAGE = "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
HOST_PACKAGE = "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
SDK_MODULE = "github.com/pulumi/pulumi/sdk/v3"
VERSION_VARIABLE = f"{SDK_MODULE}/go/common/version.Version"

RECIPE = (
    "cli/go.mod",
    "cli/go.sum",
    "language_host/go.mod",
    "language_host/go.sum",
    "language_host/pulumi-language-python",
)

FREE_GB_NEEDED = 6
"""Modules and compiled packages, until they are thrown away again."""


def build_cli(places: Places, folder: Path) -> None:
    """Build everything into a temporary folder and rename it when it is complete."""
    _check_disk(places.cache)
    go = ensure_go(places)
    environment = go_environment(places)
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    (partial / "libexec").mkdir(parents=True)
    sources = places.repository / "toolchain" / "offline"
    host = sources / "language_host"
    _go_build(go, sources / "cli", CLI_PACKAGE, versions.PULUMI, partial / "pulumi", environment)
    binary = partial / "libexec" / "pulumi-language-python"
    _go_build(go, host, HOST_PACKAGE, versions.LANGUAGE_HOST, binary, environment)
    _copy_executable(host / "pulumi-language-python", partial)
    _copy_sdk_programs(go, sources / "cli", partial, environment)
    partial.rename(folder)
    _drop_build_cache(places)


def recipe_digest(places: Places) -> str:
    """Return a short digest of what a build depends on: pinned modules, launcher, arguments."""
    digest = hashlib.sha256()
    for name in RECIPE:
        content = (places.repository / "toolchain" / "offline" / name).read_bytes()
        digest.update(f"{name}:{len(content)}:".encode() + content)
    target = Path("target")
    for package, version in (CLI_PACKAGE, versions.PULUMI), (HOST_PACKAGE, versions.LANGUAGE_HOST):
        digest.update("\0".join(build_arguments(package, version, target)).encode())
    return digest.hexdigest()[:12]


def go_environment(places: Places) -> dict[str, str]:
    """Keep Go's caches in the cache folder, unless the operator has put them somewhere."""
    own = {
        "GOCACHE": str(places.cache / "go-build"),
        "GOMODCACHE": str(places.cache / "go-modules"),
    }
    # -modcacherw: a module cache that can be deleted like any other folder.
    fixed = {"GOFLAGS": "-modcacherw -buildvcs=false -mod=readonly", "CGO_ENABLED": "0"}
    return {**own, **os.environ, **fixed}


def build_arguments(package: str, version: str, target: Path) -> list[str]:
    """Return `go build`'s arguments: no paths of this machine, no debug tables, the version set."""
    flags = f"-s -w -X {VERSION_VARIABLE}=v{version}"
    return ["build", "-v", "-trimpath", "-ldflags", flags, "-o", str(target), package]


def _go_build(
    go: Path | str, module: Path, package: str, version: str, target: Path, env: dict[str, str]
) -> None:
    name = f"{target.name} {version}"
    with Step(f"Fetching the sources of {name}") as step:
        listed = run(
            [go, "list", "-deps", package],
            title=f"fetching the modules of {name}",
            env=env,
            cwd=module,
            watch=lambda line: step.update(line) if line.startswith("go: ") else None,
        )
    total = len(listed.splitlines())
    built = 0

    with Step(f"Building {name} (several minutes on a small machine, once)") as step:

        def count(line: str) -> None:
            nonlocal built
            built += not line.startswith("go: ")
            step.update(f"{min(100, 100 * built // total)}%  {line}")

        run(
            [go, *build_arguments(package, version, target)],
            title=f"building {name}",
            env=env,
            cwd=module,
            watch=count,
        )


def _copy_sdk_programs(go: Path | str, module: Path, folder: Path, env: dict[str, str]) -> None:
    """Take the two scripts that the release ships from the SDK's own module."""
    listed = run([go, "list", "-m", "-f", "{{.Dir}}", SDK_MODULE], env=env, cwd=module)
    python = Path(listed.strip()) / "python"
    _copy_executable(python / "cmd" / "pulumi-language-python-exec", folder / "libexec")
    _copy_executable(python / "dist" / "pulumi-resource-pulumi-python", folder)


def _copy_executable(source: Path, folder: Path) -> None:
    target = folder / source.name
    shutil.copyfile(source, target)
    target.chmod(0o755)


def _drop_build_cache(places: Places) -> None:
    for name in ("go-build", "go-modules", "go"):
        shutil.rmtree(places.cache / name, ignore_errors=True)


def _check_disk(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free / 1e9
    if free < FREE_GB_NEEDED:
        msg = (
            f"{folder} has {free:.1f} GB free; building the Pulumi CLI needs {FREE_GB_NEEDED} GB "
            "for a while. Free some, or set FINETUNE_CACHE to a folder on a larger disk."
        )
        raise ToolchainError(msg)
