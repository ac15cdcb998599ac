# What the layers' Makefiles share. `sam build` calls those with ARTIFACTS_DIR set, in their own folders
# (samconfig.toml: build_in_source), and `make build-host` in the same way. They build on any host: wheels of the wanted
# architecture are fetched, and nothing is compiled but .pyc.
SHELL := /bin/bash -euo pipefail
.SHELLFLAGS := -c
ARCH ?= aarch64
# Any Python with pip.
PYTHON ?= python3
TOOLS := ../../scripts
# Where it is not named it is looked for, once, and only by what needs it.
PYTHON313 ?=
FIND_PYTHON313 = $$(PYTHON313="$(PYTHON313)" $(PYTHON) $(TOOLS)/python313.py)
TARGET = $(ARTIFACTS_DIR)/python

# Failures are to be read, so what went well says nothing.
.SILENT:
.PHONY: called-rightly
called-rightly:
	@test -n "$(ARTIFACTS_DIR)" || { echo "ARTIFACTS_DIR is not set: this target is called by sam build or make build-host" >&2; exit 2; }

# $(call fetch,requirements): pip resolves nothing, compiles nothing, and takes only wheels of that architecture.
define fetch
@echo "$(notdir $(CURDIR)): wheels for $(ARCH), Python 3.13"
@$(PYTHON) -m pip install --quiet --disable-pip-version-check --no-input --no-compile --no-deps --upgrade \
  --retries 5 --timeout 30 \
  --platform manylinux_2_28_$(ARCH) --platform manylinux2014_$(ARCH) --implementation cp --python-version 3.13 \
  --only-binary=:all: --target "$(TARGET)" -r $(1) || { \
  echo "$(notdir $(CURDIR)): pip could not fetch the wheels of layers/$(notdir $(CURDIR))/requirements.txt (see above)." >&2; \
  echo "  Without a network: put them into a folder where there is one," >&2; \
  echo "    pip download --no-deps --only-binary=:all: --python-version 3.13 --implementation cp \\" >&2; \
  echo "      --platform manylinux_2_28_$(ARCH) --platform manylinux2014_$(ARCH) -d wheels -r $(1)" >&2; \
  echo "  and build with PIP_NO_INDEX=1 PIP_FIND_LINKS=/path/to/wheels" >&2; exit 1; }
endef

# What no function imports from any package: scripts, tests, type stubs, what another Python compiled.
define trim
rm -rf "$(TARGET)/bin"
find "$(TARGET)" \( -name tests -o -name __pycache__ \) -type d -prune -exec rm -rf {} +
find "$(TARGET)" -name '*.pyi' -delete
endef

# The .pyc are used without a look at their source (unchecked-hash): archives change file times, and cold starts are short.
define compile
@python=$(FIND_PYTHON313) && \
  "$$python" -m compileall -q -f -j 1 --invalidation-mode unchecked-hash -s "$(1)" -p "$(2)" "$(1)"
endef

# $(call licences,name of the layer,more arguments): licences/<layer>.md, or a failure that names what has no licence text.
define licences
@$(PYTHON) $(TOOLS)/licences.py packages --layer $(1) --python "$(TARGET)" --into "$(ARTIFACTS_DIR)/licences" $(2)
endef
