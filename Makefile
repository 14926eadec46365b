# Everything from a fresh clone: each target sets up its own .venv first.

PYTHON ?= python3
BIN := .venv/bin
READY := .venv/.ready
TOOLS := .venv/.tools
JOBS ?= 2

.PHONY: help demo test lint bench clean

help:  ## show what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 8

demo: $(READY)  ## compare PARSE with five rivals on real data, with a table and pictures
	$(BIN)/parse-dfl compare --data digits \
		--methods parse,local,dsgd-task,dsgd-modality,dsgd-hybrid,harmony --seeds 3 \
		--agents top=5,bottom=5,top+bottom=5 --out demo --overwrite

test: $(TOOLS)  ## run the tests
	$(BIN)/python -m pytest -n $(JOBS)

lint: $(TOOLS)  ## check style, types and the direction of imports
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(READY)  ## measure seconds a round and memory on this machine; an hour
	$(BIN)/python -m benchmarks.speed --threads 1 --parts times,compiled
	$(BIN)/python -m benchmarks.speed --threads 2 --parts startup,times,compiled,growth $(if $(RIVALS),--rivals $(RIVALS))

clean:  ## remove what the targets made
	rm -rf .venv demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache

# The build backend is installed first, pinned like all else, so that the build needs no
# environment of its own.  Most modules are never imported, so compiling them all would only wait.
$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit( \
		"parse-dfl needs Python 3.11 or newer, and $(PYTHON) is %d.%d; " \
		"name a newer one: make PYTHON=python3.12" % sys.version_info[:2])'
	@echo "Setting up .venv with pinned packages (a minute or so, longer where they must be downloaded)"
	@$(PYTHON) -m venv --clear .venv
	@$(BIN)/python -m pip install -qq --no-compile -c constraints.txt hatchling editables
	@$(BIN)/python -m pip install -qq --no-compile -c constraints.txt --no-build-isolation -e .
	@touch $@

# What tests and linters need on top; the demo does without.
$(TOOLS): $(READY)
	@$(BIN)/python -m pip install -qq --no-compile -c constraints.txt --no-build-isolation -e ".[dev]"
	@touch $@
