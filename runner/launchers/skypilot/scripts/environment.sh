#!/usr/bin/env bash
# Print the Python of an environment that holds exactly what LIST pins; make it where there is none.
#
#     environment.sh LIST VERSIONS [cpu]
#
# VERSIONS are those that the interpreter may have, as `>=3.11,<3.14`; cpu takes PyTorch's build
# without CUDA. Environments are kept in $ROLLBOOK_CACHE/environments, named by the digest of the
# list and the interpreter. Whoever makes one holds its lock, and writes the file `complete` last:
# without it, it is made anew.
set -euo pipefail

list=$1 versions=$2 build=${3:-}
lock_seconds=3600
pytorch_cpu_index=https://download.pytorch.org/whl/cpu

say() { echo "rollbook: $1" >&2; }
fail() {
    say "$1"
    exit 1
}

# SkyPilot puts uv on its nodes.
uv=$(command -v uv || true)
if [ -z "$uv" ] && [ -x "$HOME/.local/bin/uv" ]; then uv=$HOME/.local/bin/uv; fi

# Of virtual environments the interpreter below them is taken: they may be gone tomorrow.
base='
import os, re, sys
allowed = re.findall(r"(>=|<)3\.(\d+)", sys.argv[1])
minor = sys.version_info[1]
if sys.version_info[0] != 3 or not all(
    minor >= int(n) if sign == ">=" else minor < int(n) for sign, n in allowed
):
    sys.exit(1)
print(os.path.realpath(getattr(sys, "_base_executable", "") or sys.executable))
'

find_python() {
    local one
    for one in python3.11 python3.12 python3.13 python3; do
        one=$(command -v "$one") && "$one" -c "$base" "$versions" 2>/dev/null && return
    done
    [ -n "$uv" ] || return 1
    one=$("$uv" python find --system --no-project "$versions" 2>/dev/null) || return 1
    "$one" -c "$base" "$versions"
}

if ! python=$(find_python); then
    [ -n "$uv" ] || fail "this node has no Python $versions, and no uv to install one"
    say "installing Python 3.11"
    "$uv" python install 3.11 >&2 || fail "Python 3.11 cannot be installed"
    python=$(find_python) || fail "this node has no Python $versions"
fi

about=$("$python" -c 'import platform, sys; print(sys.executable, sys.version, platform.machine())')
digest=$({ cat "$list" && echo "$build $about"; } | sha256sum | cut -c1-16)
home=$ROLLBOOK_CACHE/environments/$digest

install() {
    if [ -n "$uv" ]; then
        "$uv" pip install --quiet --python "$home/bin/python" --no-deps "$@"
    else
        "$home/bin/python" -m pip install -qq --disable-pip-version-check --no-deps \
            --prefer-binary "$@"
    fi
}

# The build without CUDA is named, so that gigabytes of CUDA are never sent: from wherever packages
# come from here, then from PyTorch's own index.
install_torch() {
    local torch
    torch=$(sed -n 's/^\(torch==[^ ;]*\).*/\1+cpu/p' "$list")
    [ -n "$torch" ] || return 0
    install "$torch" 2>"$home/torch.log" ||
        install "$torch" --extra-index-url "$pytorch_cpu_index" ||
        { cat "$home/torch.log" >&2 && fail "no $torch where packages come from, nor at PyTorch's"; }
}

make() {
    say "making $home of the $(grep -c '==' "$list") packages of $list"
    rm -rf "$home"
    if [ -n "$uv" ]; then
        "$uv" venv --quiet --no-project --python "$python" "$home"
    else
        "$python" -m venv "$home"
    fi
    if [ "$build" = cpu ]; then install_torch; fi
    install -r "$list"
    touch "$home/complete"
}

mkdir -p "$ROLLBOOK_CACHE/environments"
exec 9>"$home.lock"
flock -w "$lock_seconds" 9 || fail "$home has been made by another job for over an hour"
if [ ! -e "$home/complete" ]; then make; fi
echo "$home/bin/python"
