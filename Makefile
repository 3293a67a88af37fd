# `make humoto-shards` on a fresh machine does all set-up, then the main job on the embedded demo data.
PYTHON     ?= $(or $(shell command -v python3.11),python3)
VENV       := .venv
BIN        := $(VENV)/bin
DATAGEN    := $(BIN)/datagen
READY      := $(VENV)/.ready
EXTRAS     := render,cluster,dev

HUMOTO_DIR ?=
PRESET     ?= preview
OUT        ?= runs/humoto-$(PRESET)
N          ?= 6
SEED       ?= 0
ARGS       ?=
DEMO       := runs/demo-data

.PHONY: help setup lock humoto-shards test check format clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */ - /'

setup: $(READY)  ## .venv with everything, at pinned versions

$(READY): pyproject.toml constraints.txt scripts/system_libraries.py
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[$(EXTRAS)]'
	$(BIN)/python scripts/system_libraries.py
	@touch $@

lock: ## write constraints.txt anew from the newest versions that pyproject.toml allows
	PYTHON=$(PYTHON) EXTRAS=$(EXTRAS) scripts/lock.sh

humoto-shards: $(READY)  ## HUMOTO_DIR=... OUT=... N=6 PRESET=preview|standard|void
ifeq ($(HUMOTO_DIR),)
	$(DATAGEN) demo-data $(DEMO) --if-missing
endif
	$(DATAGEN) run humoto --data $(or $(HUMOTO_DIR),$(DEMO)) --out $(OUT) --config $(PRESET) --seed $(SEED) --limit $(N) $(ARGS)

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
