#!/usr/bin/env bash
# Make the control environment in DIR, a virtual environment with the runner of this checkout, from
# requirements/control.txt. Does nothing where DIR was made from the same list.
#
#     scripts/control-env.sh DIR          PYTHON=python3.11 names the interpreter to build on
set -euo pipefail

fail() {
    echo "control-env: $1" >&2
    exit 1
}

[ $# -eq 1 ] || fail "usage: scripts/control-env.sh DIR"
dir=$1
root=$(cd "$(dirname "$0")/.." && pwd)
lock=$root/requirements/control.txt
stamp=$dir/.control.sha256
digest=$(cat "$lock" "$root/pyproject.toml" | sha256sum)
if [ -x "$dir/bin/runner" ] && [ "$(cat "$stamp" 2>/dev/null)" = "$digest" ]; then
    exit 0
fi

python=${PYTHON:-python3.11}
version=$("$python" -c 'import sys; print(sys.version_info >= (3, 11))' 2>/dev/null || true)
[ "$version" = True ] || fail "needs Python 3.11 or newer; $python is not. Set PYTHON."
echo "control-env: making $dir"
"$python" -m venv --clear "$dir" || fail "no venv module; on Debian: apt-get install python3-venv"
pip() { "$dir/bin/python" -m pip -qq --disable-pip-version-check install "$@"; }
echo "control-env: installing $(grep -c == "$lock") packages"
pip -r "$lock"
pip --no-deps --no-build-isolation -e "$root"
echo "$digest" >"$stamp"
echo "control-env: done"
