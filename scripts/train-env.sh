#!/usr/bin/env bash
# Make the training environment for a CPU in DIR, a virtual environment, from
# requirements/train-cpu.txt. Does nothing where DIR was made from the same list.
#
#     scripts/train-env.sh DIR          PYTHON names the interpreter, 3.11, to build on
set -euo pipefail

fail() {
    echo "train-env: $1" >&2
    exit 1
}

[ $# -eq 1 ] || fail "usage: scripts/train-env.sh DIR"
dir=$1
lock=$(dirname "$0")/../requirements/train-cpu.txt
stamp=$dir/.train-cpu.sha256
digest=$(sha256sum <"$lock")
if [ -x "$dir/bin/python" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$digest" ]; then
    echo "train-env: $dir is up to date"
    exit 0
fi

python=${PYTHON:-python3}
version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
[ "$version" = 3.11 ] || fail "needs Python 3.11; $python is '${version:-not found}'. Set PYTHON."
if [ -d "$dir" ] && [ ! -e "$dir/pyvenv.cfg" ] && [ -n "$(ls -A "$dir")" ]; then
    fail "$dir is neither empty nor a virtual environment; name another folder"
fi

# --clear: what an older list installed does not linger.
echo "train-env: making $dir"
"$python" -m venv --clear "$dir"
pip() {
    "$dir/bin/python" -m pip -qq --disable-pip-version-check \
        install --no-deps --prefer-binary --retries 1 --timeout 20 "$@"
}

# The build is named, so that an index without one for the CPU never sends gigabytes of CUDA: first
# from wherever pip is configured to look, then from PyTorch's own index.
torch=$(grep '^torch==' "$lock")
[ "$(uname -s)" != Linux ] || torch=$torch+cpu
echo "train-env: installing $torch"
pip "$torch" 2>/dev/null ||
    pip "$torch" --extra-index-url https://download.pytorch.org/whl/cpu 2>"$dir/pip.log" ||
    fail "no $torch where pip looks, nor at PyTorch's index: $(tail -n 1 "$dir/pip.log")"

echo "train-env: installing $(grep -c == "$lock") packages (3 GB, which takes minutes)"
pip -r "$lock"
echo "$digest" >"$stamp"
echo "train-env: done"
