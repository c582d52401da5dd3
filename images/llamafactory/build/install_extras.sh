#!/bin/sh
# Installs optional parts of LLaMA-Factory into the image, in a layer of their own: one more does
# not install everything else again.
#
# Usage: install_extras.sh
# Reads EXTRAS (comma separated; empty: none) and PIP_INDEX_URL (empty: pip's own).
set -eu
[ -n "${PIP_INDEX_URL:-}" ] || unset PIP_INDEX_URL
export PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore
export PIP_RETRIES=5 PIP_TIMEOUT=60 PIP_PROGRESS_BAR=off
here=$(dirname "$0")

fail() {
    echo "error: of LLaMA-Factory's extras '$EXTRAS' one could not be installed: $1" >&2
    exit 1
}

# Upstream they are requirement files, no pip extras.
packages=
trackers=
ppo=
rope_scaling=
old_ifs=$IFS
IFS=,
for extra in ${EXTRAS:-}; do
    case $extra in
    adam-mini) packages="$packages adam-mini" ;;
    apollo) packages="$packages apollo-torch" ;;
    badam) packages="$packages badam>=1.2.1" ;;
    deepspeed) packages="$packages deepspeed>=0.10.0,<=0.18.4" ;;
    bitsandbytes) packages="$packages bitsandbytes>=0.39.0" ;;
    galore) packages="$packages galore-torch" ;;
    liger-kernel) packages="$packages liger-kernel>=0.6.3" ;;
    metrics) packages="$packages nltk jieba rouge-chinese" ;;
    ppo) ppo=yes ;;
    rope-scaling) rope_scaling=yes ;;
    mlflow) trackers="$trackers mlflow" ;;
    swanlab) trackers="$trackers swanlab" ;;
    tensorboard) trackers="$trackers tensorboard" ;;
    wandb) trackers="$trackers wandb" ;;
    # Checked against what the release has: torch 2.6, transformers 5.5, TRL 0.24.
    unsloth) packages="$packages unsloth==2026.10.9 unsloth_zoo==2026.10.9" ;;
    *) fail "'$extra' is not known: use adam-mini, apollo, badam, bitsandbytes, deepspeed, galore, liger-kernel, metrics, mlflow, ppo, rope-scaling, swanlab, tensorboard, unsloth or wandb" ;;
    esac
done
IFS=$old_ifs

if [ -n "$packages" ]; then
    # torch and what was built for it stay as they are.
    constraints=$(mktemp)
    python "$here/constraints.py" >"$constraints"
    # No quotes: one word per package.
    # shellcheck disable=SC2086
    pip install -c "$constraints" $packages ||
        fail "pip's messages are above; if the index is slow or unreachable, set images.mirrors.python_index"
    rm -f "$constraints"
fi
for tracker in $trackers; do
    # Complete beside LLaMA-Factory's own packages, so nothing of those is changed.
    pip install --no-deps --require-hashes -r "$here/tracker-$tracker.txt" ||
        fail "pip's messages are above; if the index is slow or unreachable, set images.mirrors.python_index"
    python -c "import $tracker" || fail "$tracker cannot be imported; Python's messages are above"
done
if [ -n "$ppo" ]; then
    python "$here/enable_ppo.py"
fi
if [ -n "$rope_scaling" ]; then
    python "$here/enable_rope_scaling.py"
fi
