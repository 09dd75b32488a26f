#!/usr/bin/env bash
# Print the Python of the container image that has the package TRAINER; the first one without it.
#
#     image-python.sh TRAINER
#
# RUNNER_TRAIN_PYTHON, where the image sets it, says which one. SkyPilot's own environments, which
# it puts first on the path, are passed over.
set -euo pipefail

trainer=$1
if [ -n "${RUNNER_TRAIN_PYTHON:-}" ]; then
    echo "$RUNNER_TRAIN_PYTHON"
    exit 0
fi
has='import importlib.metadata, sys; sys.argv[1] and importlib.metadata.version(sys.argv[1])'
for python in $(type -aP python3 python || true); do
    case $python in "$HOME"/sky-user-env/* | */skypilot-runtime/*) continue ;; esac
    if "$python" -c "$has" "$trainer" 2>/dev/null; then
        echo "$python"
        exit 0
    fi
done
echo "rollbook: no Python of this image has the package '$trainer'; an image can name its" \
    "Python in the variable RUNNER_TRAIN_PYTHON" >&2
exit 1
