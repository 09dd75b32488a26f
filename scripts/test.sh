#!/usr/bin/env bash
# Run the tests of this machine; --all adds those that take long. Says what was left out, and why.
set -euo pipefail
cd "$(dirname "$0")/.."

python=.venv/bin/python
if [ "${1:-}" = --all ]; then
    # Bringing a SkyPilot up changes the machine, and takes root and Debian.
    if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
        export RUNNER_TESTS_MANDATORY="${RUNNER_TESTS_MANDATORY:-} sky"
    else
        echo "left out: a real SkyPilot (tests/sky), which takes root on Debian"
    fi
    exec "$python" -m pytest --durations=15
fi
"$python" -m pytest -m "not slow" --durations=10
left=$("$python" -m pytest -m slow --collect-only -q 2>/dev/null | grep -c :: || true)
echo
echo "left out: $left slow tests (learning over several seeds and the like; make test-all runs them)"
case ${RUNNER_TESTS_MANDATORY:-} in
    *sky*) ;;
    *) echo "left out: a real SkyPilot on a Slurm of this machine (make test-all, as root on Debian)" ;;
esac
echo "left out: anything on a GPU, on a cloud or at GitHub itself: there is none on this machine"
