#!/bin/sh
# Sees to it that `python` is 3.11 or later and has torch, whatever the base image brings.
#
# Usage: provide_torch.sh REQUIREMENT...
# The base's own torch is kept: it was built for the accelerator. Only where there is none are the
# REQUIREMENTs installed, into /opt/venv; without any REQUIREMENT the base has to have it.
# Reads PIP_INDEX_URL (empty: pip's own) and TORCH_INDEX_URL (one more index; empty: none).
set -eu
export DEBIAN_FRONTEND=noninteractive
export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_PROGRESS_BAR=off PIP_RETRIES=5
[ -n "${PIP_INDEX_URL:-}" ] || unset PIP_INDEX_URL

fail() {
    echo "error: $1" >&2
    exit 1
}
recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

if recent python && python -c 'import torch' 2>/dev/null; then
    echo "torch is in the base image: $(python -c 'import torch; print(torch.__version__)')"
    exit 0
fi
if recent python3 && python3 -c 'import torch' 2>/dev/null; then
    # Debian's way: no `python`, and packages that pip may not write beside.
    apt-get update -qq && apt-get install -y -qq --no-install-recommends python3-venv
    python3 -m venv --system-site-packages /opt/venv
    echo "torch is in the base image: $(python3 -c 'import torch; print(torch.__version__)')"
    exit 0
fi
[ $# -gt 0 ] ||
    fail "the base image has no Python 3.11 or later with torch; choose one that has (images.llamafactory.base_image)"

for candidate in python3 python3.13 python3.12 python3.11; do
    if recent "$candidate"; then
        interpreter=$candidate
        break
    fi
done
apt-get update -qq
if [ -z "${interpreter:-}" ]; then
    # Ubuntu 22.04 has 3.10 as python3 and 3.11 beside it.
    for candidate in python3 python3.12 python3.11; do
        apt-get install -y -qq --no-install-recommends "$candidate" >/dev/null 2>&1 || continue
        if recent "$candidate"; then
            interpreter=$candidate
            break
        fi
    done
fi
[ -n "${interpreter:-}" ] ||
    fail "the base image's distribution has no Python 3.11 or later, which LLaMA-Factory needs"
# Debian splits a Python: venv apart, and the headers that triton's and deepspeed's kernels need.
# A Python that came from elsewhere has both.
"$interpreter" -c 'import ensurepip' 2>/dev/null ||
    apt-get install -y -qq --no-install-recommends "$interpreter-venv"
"$interpreter" -c 'import os, sys, sysconfig
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' ||
    apt-get install -y -qq --no-install-recommends "$interpreter-dev"
rm -rf /var/lib/apt/lists/*
"$interpreter" -m venv --system-site-packages /opt/venv
/opt/venv/bin/pip install ${TORCH_INDEX_URL:+--extra-index-url "$TORCH_INDEX_URL"} "$@" ||
    fail "$* could not be installed; if the package index is slow or unreachable, set images.mirrors.python_index"
