# `make` alone lists what there is. Everything is created inside this checkout.
.DEFAULT_GOAL := help
SHELL := /bin/sh
BIN := .venv/bin
STAMP := .venv/.set-up

# Hundreds of processes start in tests and demo: each would compile our sources anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help setup demo playground test check e2e campaign bench lint lock picture screenshots reference histories clean

help: ## List the commands
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## Create .venv with lastgood, temporal and python in .venv/bin

$(STAMP): requirements/dev.txt pyproject.toml scripts/setup scripts/find-python
	@sh scripts/setup "$(PYTHON)"

demo: $(STAMP) ## A good release, then a bad one that rolls itself back (KEEP=1 leaves the UI up)
	@$(BIN)/python -m sandbox.scenarios.demo $(if $(KEEP),--keep)

playground: $(STAMP) ## A service to play with, until Ctrl-C: see docs/tutorial.md
	@$(BIN)/python -m sandbox.scenarios.playground

test: $(STAMP) lint ## Lint, types, and the tests; what takes longer is in the campaign
	$(BIN)/python -m pytest --numprocesses 5 --dist worksteal --ignore tests/e2e
	$(BIN)/python -m pytest tests/e2e

check: $(STAMP) lint ## Lint, types and the fast tests
	$(BIN)/python -m pytest tests/decisions tests/house tests/replay

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

e2e: $(STAMP) ## Only the end-to-end tests
	$(BIN)/python -m pytest tests/e2e

campaign: $(STAMP) ## All tests, also those of every strategy, step, stranger and target (half an hour)
	$(BIN)/python -m pytest --numprocesses 4 --dist worksteal --ignore tests/e2e -m "campaign or not campaign"
	$(BIN)/python -m pytest tests/e2e -m "campaign or not campaign"

bench: $(STAMP) ## Measure: overhead, reaction time, history, time back to steady, detection, judging
	$(BIN)/python -m benchmarks

picture: $(STAMP) ## Draw the README's picture from a real rollback, and that of docs/judgement.md
	$(BIN)/python scripts/draw_picture.py
	$(BIN)/python scripts/draw_backtest.py

screenshots: $(STAMP) ## Make the pictures of docs/temporal-ui.md and docs/report.md, in a real browser
	LASTGOOD_SCREENSHOTS=docs $(BIN)/python -m pytest tests/e2e/test_temporal_ui.py
	$(BIN)/python scripts/draw_report.py

reference: $(STAMP) ## Write docs/reference anew from the code
	$(BIN)/python -m scripts.write_reference

histories: $(STAMP) ## Record anew what tests/replay replays, after a change of workflows
	$(BIN)/python -m scripts.record_histories

lock: $(STAMP) ## Pin the dependencies anew, for all Pythons and platforms, with hashes
	@sh scripts/lock

clean: ## Remove what set-up and tests made
	rm -rf .venv .pytest_cache .mypy_cache .ruff_cache .run
