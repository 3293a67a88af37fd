# `make humoto-shards` on a fresh machine does all set-up, then the main job on the embedded demo data.
PYTHON     ?= $(or $(shell command -v python3.11),python3)
VENV       := .venv
BIN        := $(VENV)/bin
DATAGEN    := $(BIN)/datagen
READY      := $(VENV)/.ready
EXTRAS     := render,cluster,kubric,inference,crosscheck,dev

HUMOTO_DIR ?=
PRESET     ?= preview
GSO        ?=
HDRI       ?=
N          ?= 6
SEED       ?= 0
EVAL_SEED  := 7
ARGS       ?=
DEMO       := runs/demo-data

.PHONY: help setup lock humoto-shards kubric-shards eval-set test check format clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */ - /'

setup: $(READY)  ## .venv with everything, at pinned versions

$(READY): pyproject.toml constraints.txt requirements-nodeps.txt scripts/system_libraries.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	$(BIN)/python -m pip install --quiet --no-deps --requirement requirements-nodeps.txt
	$(BIN)/python scripts/system_libraries.py
	@touch $@

lock: ## write constraints.txt anew from the newest versions that pyproject.toml allows
	PYTHON=$(PYTHON) EXTRAS=$(EXTRAS) scripts/lock.sh

humoto-shards: $(READY)  ## HUMOTO_DIR=... OUT=... N=6 PRESET=preview|standard|void
ifeq ($(HUMOTO_DIR),)
	$(DATAGEN) demo-data $(DEMO) --if-missing
endif
	$(DATAGEN) run humoto --data $(or $(HUMOTO_DIR),$(DEMO)) --out $(or $(OUT),runs/humoto-$(PRESET)) \
	    --config $(PRESET) --seed $(SEED) --limit $(N) $(ARGS)

kubric-shards: $(READY)  ## GSO=... HDRI=... OUT=... N=6 PRESET=preview|standard|void
	$(DATAGEN) run kubric $(if $(GSO),--gso $(GSO)) $(if $(HDRI),--hdri $(HDRI)) \
	    --out $(or $(OUT),runs/kubric-$(PRESET)) --config $(PRESET) --seed $(SEED) --limit $(N) $(ARGS)

eval-set: $(READY)  ## collision scenes of test-split assets alone; the manifest in OUT makes the same set again
	$(DATAGEN) run kubric $(if $(GSO),--gso $(GSO)) $(if $(HDRI),--hdri $(HDRI)) \
	    --out $(or $(OUT),runs/eval-kubric-$(PRESET)) --config $(PRESET) --seed $(EVAL_SEED) --limit $(N) \
	    --set kubric.split=test $(ARGS)

test: $(READY)  ## the whole suite
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

check: $(READY)  ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info
