# make demo   sets up everything below this folder and plays the main job, with real training
# make test   sets up and runs the tests of this machine
PYTHON ?= $(shell command -v python3.11 || command -v python3)
CONTROL := .venv
TRAIN := .venv-train
PYTEST := $(CONTROL)/bin/python -m pytest
export PYTHON

.PHONY: demo test test-all test-fast lint bench environments clean

demo: environments
	@scripts/demo.sh

environments:
	@scripts/control-env.sh $(CONTROL)
	@scripts/train-env.sh $(TRAIN)

test: environments lint
	@scripts/test.sh

test-all: environments lint
	@scripts/test.sh --all
	@$(MAKE) --no-print-directory bench

# Without the training environment: minutes, not gigabytes.
test-fast:
	@scripts/control-env.sh $(CONTROL)
	@$(PYTEST) -m "not train and not slow"

lint:
	@scripts/control-env.sh $(CONTROL)
	@$(CONTROL)/bin/ruff check .
	@$(CONTROL)/bin/ruff format --check .
	@$(CONTROL)/bin/mypy

bench:
	@scripts/control-env.sh $(CONTROL)
	@$(CONTROL)/bin/python -m benchmarks.startup
	@$(CONTROL)/bin/python -m benchmarks.validation
	@$(CONTROL)/bin/python -m benchmarks.launching
	@$(CONTROL)/bin/python -m benchmarks.planning --specs 1000
	@$(CONTROL)/bin/python -m benchmarks.scale

clean:
	rm -rf .demo .venv .venv-train .cache build dist *.egg-info
