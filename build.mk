# Targets that `sam build` calls, one a function (Metadata: BuildMethod: makefile), with ARTIFACTS_DIR set.
# A function's archive holds its own folder (and its pages, where it serves any) and nothing else: all that it imports
# is in the layers.
STAGES := Detect Match Alert Enrol Govern Review Retain Sweep Report Grant Migrate

define FUNCTION_TARGET
.PHONY: build-$(1)Function
build-$(1)Function:
	@test -n "$$(ARTIFACTS_DIR)" || { echo "ARTIFACTS_DIR is not set: this target is called by sam build"; exit 2; }
	@mkdir -p "$$(ARTIFACTS_DIR)/functions/$(2)"
	@cp functions/__init__.py "$$(ARTIFACTS_DIR)/functions/"
	@cp functions/$(2)/*.py "$$(ARTIFACTS_DIR)/functions/$(2)/"
	@if [ -d functions/$(2)/page ]; then cp -R functions/$(2)/page "$$(ARTIFACTS_DIR)/functions/$(2)/page"; fi
endef

$(foreach stage,$(STAGES),$(eval $(call FUNCTION_TARGET,$(stage),$(shell echo $(stage) | tr A-Z a-z))))
