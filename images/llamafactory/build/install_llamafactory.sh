#!/bin/sh
# Installs LLaMA-Factory into the active Python without touching the torch that is there.
#
# Usage: install_llamafactory.sh [LOCK]
# Reads LLAMAFACTORY_VERSION, LLAMAFACTORY_SOURCE (anything pip takes, such as git+URL@COMMIT; wins over
# the version) and PIP_INDEX_URL (empty: pip's own).
# With LOCK, and when it holds that version, every package is the locked one, checked by its hash.
set -eu
lock=${1:-}
# An empty variable would be taken as an index of that name.
[ -n "${PIP_INDEX_URL:-}" ] || unset PIP_INDEX_URL
export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
export PIP_RETRIES=5 PIP_TIMEOUT=60 PIP_PROGRESS_BAR=off

fail() {
    echo "error: LLaMA-Factory ${LLAMAFACTORY_SOURCE:-$LLAMAFACTORY_VERSION} could not be installed: $1" >&2
    exit 1
}

index="pip's messages are above; if the index is slow or unreachable, set images.mirrors.python_index"

constraints=$(mktemp)
python "$(dirname "$0")/constraints.py" >"$constraints"

case ${LLAMAFACTORY_SOURCE:-} in
git+*)
    if ! command -v git >/dev/null; then
        apt-get update -qq
        DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends git
        rm -rf /var/lib/apt/lists/*
    fi
    ;;
esac
if [ -n "${LLAMAFACTORY_SOURCE:-}" ]; then
    pip install -c "$constraints" "$LLAMAFACTORY_SOURCE" || fail "$index"
elif [ -n "$lock" ] && grep -q "^llamafactory==$LLAMAFACTORY_VERSION " "$lock"; then
    # The lock is complete, so nothing is left to resolve. Compiled below, on every core.
    pip install --no-compile --no-deps --require-hashes -r "$lock" || fail "$index"
else
    pip install -c "$constraints" "llamafactory==$LLAMAFACTORY_VERSION" || fail "$index"
fi
rm -f "$constraints"
# A container that imports uncompiled modules compiles them again at each start.
python -m compileall -q -j 0 "$(python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')" >/dev/null || true
python -c 'import importlib.metadata as m; print("llamafactory", m.version("llamafactory"), "torch", m.version("torch"))'
