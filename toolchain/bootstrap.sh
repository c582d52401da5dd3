#!/usr/bin/env bash
# Makes .venv from uv.lock, then hands over to the Python side: toolchain/bootstrap.sh [SUBCOMMAND ...]
#
# Needs python3 >= 3.11 and nothing else. What it downloads lies in the cache folder; "doctor" and
# "preview" download and install nothing.
set -euo pipefail

repo=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$repo"

# Not on stdout: `make env` is read by a shell.
say() { printf '==> %s\n' "$*" >&2; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

as_root() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null 2>&1; then
        sudo "$@"
    else
        fail "'$*' needs root, and there is no sudo here: run it as root once, then try again"
    fi
}

apt_install() {
    command -v apt-get >/dev/null 2>&1 ||
        fail "$1 is missing and this host has no apt-get: install it with the host's own package manager"
    say "Installing $* (apt-get)"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

recent_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

find_python() {
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        if command -v "$name" >/dev/null 2>&1 && recent_enough "$name"; then
            command -v "$name"
            return
        fi
    done
    return 1
}

# An environment that is already right is kept; uv would otherwise look for the newest interpreter.
python=""
if [ -x .venv/bin/python ] && recent_enough .venv/bin/python; then
    python=$repo/.venv/bin/python
elif ! python=$(find_python); then
    case "${1:-}" in
    doctor | preview | report | verify | usage | prune) fail "python3 >= 3.11 is missing; \`make setup\` installs the packages python3 and python3-venv" ;;
    esac
    apt_install python3 python3-venv
    python=$(find_python) ||
        fail "python3 here is $(python3 --version 2>&1), and at least 3.11 is needed: install a newer one first"
fi

cache=${FINETUNE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/finetune-stack}
pinned=$(sed -n 's/^uv==\([0-9.]*\).*/\1/p' toolchain/requirements/uv.txt)
uv_home=$cache/uv/$pinned
# uv's own cache is a download like the others.
export UV_CACHE_DIR=${UV_CACHE_DIR:-$cache/uv-packages} UV_PYTHON_DOWNLOADS=never
uv() { "$uv_home/bin/uv" "$@"; }

case "${1:-}" in
doctor)
    exec "$python" -B -m toolchain "$@"
    ;;
preview | report | verify | usage | prune)
    [ -x .venv/bin/python ] ||
        fail "$1 installs nothing, and the packages are missing: \`make setup\` makes .venv from uv.lock"
    if [ -x "$uv_home/bin/uv" ] && ! uv sync --frozen --inexact --offline --check --quiet 2>/dev/null; then
        fail "$1 installs nothing, and .venv differs from uv.lock: \`make setup\` brings it up to date"
    fi
    exec .venv/bin/python -m toolchain "$@"
    ;;
esac

# pip and uv bring their own certificates and would not know those that this host trusts besides.
certificates=/etc/ssl/certs/ca-certificates.crt
if [ ! -e "$certificates" ] && command -v apt-get >/dev/null 2>&1; then
    apt_install ca-certificates
fi
if [ -e "$certificates" ]; then
    export PIP_CERT=${PIP_CERT:-$certificates} UV_SYSTEM_CERTS=true
fi

mkdir -p "$cache/uv"
exec 9>"$cache/uv/.lock"
if ! flock -n 9; then
    say "Waiting for another setup to finish"
    flock 9
fi

if [ ! -x "$uv_home/bin/uv" ]; then
    say "Fetching uv $pinned into $uv_home"
    rm -rf "$uv_home"
    system_python=$(find_python) || system_python=$python
    if ! "$system_python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
        apt_install python3-venv
    fi
    "$system_python" -m venv "$uv_home.partial"
    "$uv_home.partial/bin/python" -m pip install --quiet --disable-pip-version-check \
        --require-hashes --only-binary :all: -r toolchain/requirements/uv.txt ||
        fail "uv $pinned could not be installed from the Python package index (PIP_INDEX_URL, PIP_FIND_LINKS and proxies are honoured; a certificate authority of your own belongs in /usr/local/share/ca-certificates, then run update-ca-certificates)"
    mkdir -p "$uv_home/bin"
    cp "$uv_home.partial/bin/uv" "$uv_home/bin/uv.new"
    mv "$uv_home/bin/uv.new" "$uv_home/bin/uv"
    rm -rf "$uv_home.partial"
fi

if [ ! -x .venv/bin/python ]; then
    say "Making .venv from uv.lock"
fi
# Compiled: every step of every up starts Python anew.
uv sync --frozen --inexact --compile-bytecode --quiet --python "$python"
exec 9>&-

if [ "$#" -gt 0 ]; then
    exec .venv/bin/python -m toolchain "$@"
fi
