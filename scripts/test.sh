#!/usr/bin/env bash
# Run the tests of this machine; --all adds those that take long. Says what was left out, and why.
set -euo pipefail
cd "$(dirname "$0")/.."

python=.venv/bin/python
if [ "${1:-}" = --all ]; then
    exec "$python" -m pytest --durations=15
fi
"$python" -m pytest -m "not slow" --durations=10
left=$("$python" -m pytest -m slow --collect-only -q 2>/dev/null | grep -c :: || true)
echo
echo "left out: $left slow tests (learning over several seeds and the like; make test-all runs them)"
echo "left out: anything on a GPU, on SkyPilot or at GitHub itself: there is none on this machine"
