# Few verbs. `make demo` on a fresh clone installs, trains two small models and shows their reports.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Two workers with one thread each: more threads than cores make the suite slower and figures differ.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/pytest -n 2

.PHONY: help install demo test faults mutants saving bench bench-gpu bench-setup lint docs

help:  ## show the verbs
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## */\t/'

install: $(STAMP)  ## make .venv with everything, as pinned in requirements.lock

$(STAMP): pyproject.toml requirements.lock
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet -c requirements.lock -e '.[dev]'
	touch $@

demo: install  ## train, measure and report a small Chinese and a small English model
	$(BIN)/autolect run recipes/quickstart-zh.toml
	$(BIN)/autolect run recipes/quickstart-en.toml

test: install  ## run the suite
	$(PYTEST)

KILLS ?= 150
DAMAGE ?= 2000

faults: install  ## kill runs, make system calls fail, alter files; KILLS and DAMAGE say how often
	AUTOLECT_KILLS=$(KILLS) AUTOLECT_DAMAGE=$(DAMAGE) $(PYTEST) tests/faults

mutants: install  ## put faults into a copy of the source and show that the suite notices each
	$(BIN)/python tests/faults/mutants.py

saving: install  ## measure what checkpoints cost, and how long resuming takes
	$(BIN)/python bench/saving.py

PEERS := torch==2.13.0 transformers==5.24.0 datasets==5.2.0 accelerate==1.15.0 sentence-transformers==6.2.0
PEERS += gensim==4.4.0 fasttext-numpy2-wheel==0.9.2 usearch==2.26.6

bench-setup: install  ## make build/peers, the environment of those that bench measures against
	test -x build/peers/bin/python || $(PYTHON) -m venv build/peers
	build/peers/bin/python -m pip install --quiet $(PEERS)

BENCHES ?= training autoencoder finetuning inference prepare vectors growth planned shakespeare time_to_loss

bench: install  ## measure speed beside peers, and write docs/benchmarks.md; BENCHES says which
	mkdir -p build
	cp bench/benchmarks.md build/benchmarks.md
	for one in $(BENCHES); do CUDA_VISIBLE_DEVICES= $(BIN)/python bench/$$one.py | tee -a build/benchmarks.md; echo >> build/benchmarks.md; done
	mv build/benchmarks.md docs/benchmarks.md

bench-gpu: install  ## the same for training on a GPU, in docs/benchmarks-gpu.md
	mkdir -p build
	$(BIN)/python bench/training.py masked-768 causal-768 | tee build/benchmarks-gpu.md
	$(BIN)/python bench/shakespeare.py --shape gpu | tee -a build/benchmarks-gpu.md
	mv build/benchmarks-gpu.md docs/benchmarks-gpu.md

lint: install  ## check style, types and the direction of imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: install  ## write docs/recipe.md from the docstrings of the settings
	$(BIN)/python docs/recipe.py
