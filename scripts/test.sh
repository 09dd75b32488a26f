#!/usr/bin/env bash
# Run the tests of this machine; --all adds those that take long. Says what was left out, and why.
#
# In two lanes side by side: what trains or waits for machines, and everything else. The first is
# told when both have ended; while they run, its output is in .cache/tests-that-train.log.
set -euo pipefail
cd "$(dirname "$0")/.."

training=(tests/sky tests/train tests/oracles)
log=.cache/tests-that-train.log
select=(-m "not slow" --durations=10)
if [ "${1:-}" = --all ]; then
    select=(--durations=15)
    # Bringing a SkyPilot up changes the machine, and takes root and Debian.
    if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
        export RUNNER_TESTS_MANDATORY="${RUNNER_TESTS_MANDATORY:-} sky"
    fi
fi

lane() { exec .venv/bin/python -m pytest "${select[@]}" "$@"; }

mkdir -p .cache
lane -p no:cacheprovider "${training[@]}" >"$log" 2>&1 &
trains=$!
trap 'kill $trains 2>/dev/null || true' EXIT # a lane that nobody waits for any more

failed=0
(lane "${training[@]/#/--ignore=}") || failed=1
wait "$trains" || failed=1
trap - EXIT
cat "$log"

echo
if [ "${1:-}" != --all ]; then
    left=$(.venv/bin/python -m pytest -m slow --collect-only -q 2>/dev/null | grep -c :: || true)
    echo "left out: $left slow tests (learning over several seeds and the like; make test-all runs them)"
fi
case ${RUNNER_TESTS_MANDATORY:-} in
    *sky*) ;;
    *) echo "left out: a real SkyPilot on a Slurm of this machine (make test-all, as root on Debian)" ;;
esac
echo "left out: anything on a GPU, on a cloud or at GitHub itself: there is none on this machine"
exit "$failed"
