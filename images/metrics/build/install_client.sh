#!/bin/sh
# Installs what a requirements file names, checked by its hashes, into the active Python.
#
# Usage: install_client.sh REQUIREMENTS
# Reads PIP_INDEX_URL (empty: pip's own).
set -eu
# An empty variable would be taken as an index of that name.
[ -n "${PIP_INDEX_URL:-}" ] || unset PIP_INDEX_URL
export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
export PIP_RETRIES=5 PIP_TIMEOUT=60 PIP_PROGRESS_BAR=off

pip install --no-deps --require-hashes -r "$1" || {
    echo "error: prometheus-client could not be installed: pip's messages are above; if the index is" \
        "slow or unreachable, set images.mirrors.python_index" >&2
    exit 1
}
