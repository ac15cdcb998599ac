# Targets that `sam build` calls, one a function (Metadata: BuildMethod: makefile), with ARTIFACTS_DIR set.
# A function's archive holds its own folder (and its pages, where it serves any) and nothing else: all that it imports
# is in the layers. Compiled as the layers are (layers/layer.mk).
STAGES := Detect Match Alert Enrol Govern Review Retain Sweep Report Grant Migrate
PYTHON ?= python3
PYTHON313 ?=

define FUNCTION_TARGET
.PHONY: build-$(1)Function
build-$(1)Function:
	@test -n "$$(ARTIFACTS_DIR)" || { echo "ARTIFACTS_DIR is not set: this target is called by sam build or make build-host" >&2; exit 2; }
	@mkdir -p "$$(ARTIFACTS_DIR)/functions/$(2)"
	@cp functions/__init__.py "$$(ARTIFACTS_DIR)/functions/"
	@cp functions/$(2)/*.py "$$(ARTIFACTS_DIR)/functions/$(2)/"
	@if [ -d functions/$(2)/page ]; then cp -R functions/$(2)/page "$$(ARTIFACTS_DIR)/functions/$(2)/page"; fi
	@python=$$$$(PYTHON313="$$(PYTHON313)" $$(PYTHON) scripts/python313.py) && "$$$$python" -m compileall -q -f -j 1 \
	  --invalidation-mode unchecked-hash -s "$$(ARTIFACTS_DIR)" -p /var/task "$$(ARTIFACTS_DIR)"
endef

$(foreach stage,$(STAGES),$(eval $(call FUNCTION_TARGET,$(stage),$(shell echo $(stage) | tr A-Z a-z))))
