# `make` lists the targets. Needs Python >= 3.11 with pip, nothing else; another interpreter is
# chosen with `make PYTHON=python3.13 …`. Everything is installed into .venv, in the versions of
# constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Debian's python3 cannot put pip into a virtual environment, so pip works on it from outside.
PIP := $(PYTHON) -m pip --python $(BIN)/python --disable-pip-version-check --quiet
INSTALL := $(PIP) install --constraint constraints.txt --editable

# ONNX Runtime would otherwise report its use to its maker.
export ORT_DISABLE_TELEMETRY := 1

.DEFAULT_GOAL := help
.PHONY: help demo gpu video tracing install test test-slow foreign check format protos constraints clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: $(VENV)/.serving ## serve the default model and paint photos into out/ (no torch)
	@$(BIN)/python -m examples.demo

gpu: $(VENV)/.serving ## install CUDA and cuDNN for the server (Linux, x86-64)
	@$(INSTALL) '.[serving,gpu]'

video: $(VENV)/.serving ## install PyAV, to paint videos
	@$(INSTALL) '.[serving,video]'

tracing: $(VENV)/.serving ## install OpenTelemetry, for --otlp-endpoint of the server
	@$(INSTALL) '.[serving,tracing]'

install: $(VENV)/.dev ## install everything, for training and for work on the code

test: $(VENV)/.dev ## run the tests, one process a core
	$(BIN)/pytest --numprocesses auto --durations 20 -m "not slow"

test-slow: $(VENV)/.dev ## run the tests that take minutes
	$(BIN)/pytest -m slow

foreign: $(VENV)/.dev ## try the server with clients of others (downloads them into build/)
	$(BIN)/python -m tests.foreign.run

check: $(VENV)/.dev ## run the linters and type checkers, and compare the stubs with the .proto
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/buf lint protos
	$(PYTHON) protos/generate.py --check

format: $(VENV)/.dev ## format the code and mend what ruff can mend
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

protos: ## generate the Python code of protos/
	$(PYTHON) protos/generate.py

# Keeps the pins that still fit; `make constraints UPGRADE=--upgrade` takes the newest of all.
constraints: $(VENV)/.dev ## pin what pyproject.toml asks for in constraints.txt
	$(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --all-extras \
		--fork-strategy fewest --no-emit-index-url --no-annotate $(UPGRADE) \
		--custom-compile-command "make constraints" --output-file constraints.txt pyproject.toml

clean: ## remove what was built and painted; .venv and runs/ stay
	rm -rf build dist out .mypy_cache .pytest_cache .ruff_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -not -path './$(VENV)/*' -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "$(PYTHON) is too old: name a Python >= 3.11, as in make PYTHON=python3.13"; exit 1; }
	@$(PYTHON) -m pip --version >/dev/null || \
		{ echo "$(PYTHON) has no pip: install it (Debian: apt install python3-pip)"; exit 1; }
	@$(PYTHON) -m venv --without-pip $(VENV)

$(VENV)/.serving: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing the client and the server (about 0.3 GB to download, once)"
	@$(INSTALL) '.[serving]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(BIN)/python
	@echo "installing everything, torch too (about 3 GB to download, once)"
	@$(INSTALL) '.[serving,training,dev]'
	@touch $(VENV)/.serving $@
