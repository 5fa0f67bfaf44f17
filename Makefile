# One task runner. `make run` and `make test` need Python 3.11 to 3.13 and a network for the first installation, no more.
# PYTHON chooses the interpreter, VENV the environment's folder, WORKERS how many test processes run side by side.

PYTHON ?= python3
VENV ?= .venv
WORKERS ?= 2

BIN := $(VENV)/bin
# Stamps of the two installations. They are editable: only a change of the dependencies asks for another.
CORE := $(VENV)/.installed-core
TEST := $(VENV)/.installed-test
PIP := $(BIN)/python -m pip --disable-pip-version-check
PYTEST := $(BIN)/python -m pytest -n $(WORKERS)

.DEFAULT_GOAL := help
.PHONY: help run lint test test-all bench constraints clean

help:
	@echo "make run          backtest BTC and ETH"
	@echo "make test         style, types, layers and the default tests"
	@echo "make test-all     the same with the slow tests, then without the compiler (coverage), then with bounds checks"
	@echo "make lint         style, types and layers alone"
	@echo "make bench        the quick benchmarks, judged against benchmarks/baseline.json"
	@echo "make constraints  renew constraints.txt from what pip installs today"
	@echo "make clean        remove the environment and everything made from the sources"

$(BIN)/python:
	$(PYTHON) -c "import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else 'Python 3.11 to 3.13 is needed, this is ' + sys.version.split()[0] + '; choose one with PYTHON=')"
	$(PYTHON) -m venv $(VENV)

$(CORE): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

$(TEST): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable ".[test]"
	@touch $(CORE) $@

run: $(CORE)
	GRIDCORE_OFFLINE=1 $(BIN)/python main.py --coins BTC ETH

lint: $(TEST)
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Kernels are compiled before the test processes start, or each of these would compile all of them.
test: lint
	$(BIN)/python -m tests.compiled.warm_up
	$(PYTEST)

test-all: lint
	$(BIN)/python -m tests.compiled.warm_up
	GRIDCORE_HYPOTHESIS_PROFILE=thorough $(PYTEST) --slow
	NUMBA_DISABLE_JIT=1 $(PYTEST) --cov --cov-report=term
	NUMBA_BOUNDSCHECK=1 $(BIN)/python -m tests.compiled.warm_up
	NUMBA_BOUNDSCHECK=1 $(PYTEST)

bench: $(TEST)
	$(BIN)/python -m benchmarks --quick --compare benchmarks/baseline.json

# Installs without constraints into a fresh environment and keeps the versions that came.
constraints:
	rm -rf build/constraints
	$(PYTHON) -m venv build/constraints
	build/constraints/bin/python -m pip --disable-pip-version-check install --quiet --editable ".[test]"
	build/constraints/bin/python -m pip freeze --exclude-editable > constraints.txt
	rm -rf build/constraints

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .hypothesis .mypy_cache .ruff_cache .import_linter_cache .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
