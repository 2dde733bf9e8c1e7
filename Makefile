# Every target sets up what it needs. PYTHON chooses the interpreter the environment is made from (3.11 or newer).
PYTHON ?= python3
BIN := .venv/bin
TORCH_THREADS := OMP_NUM_THREADS=1

.PHONY: help setup demo test check torture bench real between classes ratings clean

help:               ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile

.venv/run: pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	touch $@

.venv/dev: .venv/run
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	touch $@

setup: .venv/dev    ## the environment, with the tools of development

demo: .venv/run     ## raw footage to registered, judged models, in minutes
	$(BIN)/rushes demo

test: .venv/dev     ## the test suite (RUSHES_FOOTAGE names a folder of real footage, where there is one)
	$(TORCH_THREADS) $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder -m 'not torture'

torture: .venv/dev  ## the slow checks
	$(TORCH_THREADS) $(BIN)/python -m pytest -m torture

check: .venv/dev    ## ruff, mypy, import-linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: .venv/dev    ## speed, as ratios measured in one run
	$(BIN)/python -m benchmarks

real: .venv/dev     ## both autoencoders on the Weizmann strips in RUSHES_FOOTAGE, against the linear answers (about 45 minutes)
	$(BIN)/python -m benchmarks.real_actions

between: .venv/dev  ## pix2pix on real footage in RUSHES_FOOTAGE, one sequence left out at a time (some two hours)
	$(BIN)/python -m benchmarks.real_between

classes: .venv/dev  ## C3D on real footage in RUSHES_FOOTAGE, one performer left out at a time (about half an hour)
	$(BIN)/python -m benchmarks.real_classes

ratings: .venv/dev  ## LRCN on the built-in trailers, the article's network beside it, against the formula of the ratings (some ten minutes)
	$(BIN)/python -m benchmarks.ratings

clean:              ## remove what the graph made; footage you brought, the registry and the caches stay
	rm -rf data/cuts data/frames data/clips data/runs data/timing data/evaluation data/report
