# The only interface: `make help` lists what there is.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
.DEFAULT_GOAL := help

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | sort | column -t -s "$$(printf '\t')"

$(VENV)/.run: requirements/run.txt layers/core/pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -r requirements/run.txt
	$(PIP) install --no-deps --no-build-isolation -e layers/core
	@touch $@

$(VENV)/.dev: requirements/dev.txt layers/core/pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(PIP) install -r requirements/dev.txt
	$(PIP) install --no-deps --no-build-isolation -e layers/core
	@touch $@ $(VENV)/.run

lock: ## resolve requirements/*.in into pinned requirements/*.txt
	$(PYTHON) -m venv .venv-lock && .venv-lock/bin/python -m pip -q install uv
	@cd requirements && for name in run dev dlib sam; do \
	  ../.venv-lock/bin/uv pip compile -q --python-version 3.11 --no-emit-index-url --no-header --no-annotate $$name.in -o $$name.txt; done

install: $(VENV)/.run ## the environment that runs it
install-dev: $(VENV)/.dev ## the environment that develops and tests it
