# `make humoto-shards` on a fresh machine does all set-up, then the main job on the embedded demo data.
PYTHON     ?= $(or $(shell command -v python3.11),python3)
VENV       := .venv
BIN        := $(VENV)/bin
DATAGEN    := $(BIN)/datagen
READY      := $(VENV)/.ready
EXTRAS     := render,cluster,remote,kubric,inference,crosscheck,view,dev

HUMOTO_DIR ?=
PRESET     ?= preview
GSO        ?=
HDRI       ?=
N          ?= 6
SEED       ?= 0
EVAL_SEED  := 7
EVAL_OUT    = $(or $(OUT),runs/eval-set-$(PRESET))
# The embedded sequences are too few to hold some out: they come from a seed of their own, and the manifest says so.
HUMOTO_SPLIT ?= $(if $(HUMOTO_DIR),test,all)
SIZE       ?=
FRAMES     ?=
EVAL_ARGS   = --config $(PRESET) --config eval --seed $(EVAL_SEED) --limit $(N) \
    $(if $(SIZE),--set render.width=$(firstword $(subst x, ,$(SIZE))) --set render.height=$(lastword $(subst x, ,$(SIZE)))) \
    $(if $(FRAMES),--set clips.num_frames=$(FRAMES))
EVALUATE   := runs/evaluate
DATA       ?=
PREDICTIONS ?=
ARGS       ?=
DEMO       := runs/demo-data

.PHONY: help setup lock humoto-shards gallery kubric-shards eval-set evaluate test check docs format clean

help:  ## what there is
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */ - /'

setup: $(READY)  ## .venv with everything, at pinned versions

$(READY): pyproject.toml constraints.txt requirements-nodeps.txt scripts/system_libraries.py
	@echo "set-up: .venv with everything, 4 GB on disk; pip is silent for some minutes"
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

gallery: humoto-shards  ## the same, and a page to look at it: OUT/gallery.html
	$(DATAGEN) gallery $(or $(OUT),runs/humoto-$(PRESET)) --out $(or $(OUT),runs/humoto-$(PRESET))/gallery.html

kubric-shards: $(READY)  ## GSO=... HDRI=... OUT=... N=6 PRESET=preview|standard|void
	$(DATAGEN) run kubric $(if $(GSO),--gso $(GSO)) $(if $(HDRI),--hdri $(HDRI)) \
	    --out $(or $(OUT),runs/kubric-$(PRESET)) --config $(PRESET) --seed $(SEED) --limit $(N) $(ARGS)

eval-set: $(READY)  ## HUMOTO_DIR=... GSO=... HDRI=... N=6 of each source, PRESET=..., SIZE=192x112 FRAMES=16 -> a void-eval folder
ifeq ($(HUMOTO_DIR),)
	$(DATAGEN) demo-data $(DEMO) --if-missing
endif
	$(DATAGEN) run humoto --data $(or $(HUMOTO_DIR),$(DEMO)) --out $(EVAL_OUT)-humoto $(EVAL_ARGS) \
	    --set humoto.split=$(HUMOTO_SPLIT) $(ARGS)
	$(DATAGEN) run kubric $(if $(GSO),--gso $(GSO)) $(if $(HDRI),--hdri $(HDRI)) --out $(EVAL_OUT)-kubric $(EVAL_ARGS) $(ARGS)
	$(DATAGEN) export void-eval $(EVAL_OUT)-humoto $(EVAL_OUT)-kubric $(EVAL_OUT)

# On a fresh machine: a small eval set, and a tiny model whose weights are random, to show the way.
evaluate: $(READY)  ## DATA=EVALSET PREDICTIONS='NAME=DIR ...' OUT=... -> table and report; without DATA a small set of its own
ifeq ($(DATA),)
	$(MAKE) eval-set OUT=$(EVALUATE)/eval-set N=2 PRESET=preview SIZE=192x112 FRAMES=16 ARGS='--ray off'
	$(BIN)/python -m inference tiny-model $(EVALUATE)/tiny --if-missing
	$(BIN)/python -m inference run --data $(EVALUATE)/eval-set --out $(EVALUATE)/void-untrained \
	    --base $(EVALUATE)/tiny/CogVideoX-Fun-V1.5-5b-InP --pass1 $(EVALUATE)/tiny/void_pass1.safetensors \
	    --set width=192 --set height=112 --set steps=2 --set window_frames=21 --set overlap_frames=8
endif
	$(BIN)/python -m inference evaluate --data $(or $(DATA),$(EVALUATE)/eval-set) --out $(or $(OUT),$(EVALUATE)/report) \
	    $(foreach one,$(or $(PREDICTIONS),$(if $(DATA),,void=$(EVALUATE)/void-untrained)),--predictions $(one)) $(ARGS)

test: $(READY)  ## the whole suite
	$(BIN)/python -m pytest -n auto --dist loadfile $(ARGS)

check: $(READY)  ## lint, types, import contracts
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(READY)  ## docs/COMMANDS.md from the commands' help
	$(BIN)/python scripts/command_reference.py docs/COMMANDS.md

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) build dist *.egg-info
