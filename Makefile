# Python 3.11 or newer and make are all that is needed: everything else comes from PyPI and npm.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CDK := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npx --yes aws-cdk@2.1148.1
# Context for deploy and synth, for example: make deploy CONTEXT="-c stage=prod -c machine=my.py:Mine"
CONTEXT ?=

.DEFAULT_GOAL := help
.PHONY: bench-restore bench-snapshots help setup run test check format up down synth deploy test-deploy soak clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

run: setup ## Run the main job on a local stack: a repository's history, checked against git
	@$(BIN)/python -m examples.httpx.run

test: check ## Check and test everything, as CI does
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile --no-loadscope-reorder

check: setup ## Check format, lint, types and import layers; quick
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## Format the code
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix-only .

up: setup ## Start the local stack and leave it running
	@$(BIN)/blockfold local up

down: setup ## Stop the local stack; its data is kept
	@$(BIN)/blockfold local down

synth: setup ## Write the CloudFormation template and assets to cdk.out/; needs no account
	@CDK_OUTDIR=cdk.out $(BIN)/python app.py
	@echo "wrote cdk.out/"

deploy: setup ## Deploy the stack into the AWS account of your credentials
	$(CDK) deploy $(CONTEXT)

test-deploy: setup ## Bootstrap, deploy, update and destroy by the CDK CLI, against an emulator
	$(BIN)/python -m pytest tests/deploy

soak: setup ## Run the property tests with many more examples
	BLOCKFOLD_SOAK=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --timeout 0 \
		tests/properties tests/pruning tests/policies tests/archive tests/rebuild tests/travel

bench-restore: setup ## Measure restores beside bare requests, on an emulator, and their memory
	$(BIN)/python -m bench.restore

bench-snapshots: setup ## Count what snapshots cost, print the merge curve, time the fold
	$(BIN)/python -m bench.levels
	$(BIN)/python -m bench.snapshots
	$(BIN)/python -m bench.fold

clean: ## Remove what was built; keeps the virtual environments and the local stack's data
	rm -rf build cdk.out *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

setup: $(INSTALLED)

$(INSTALLED): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name one: make PYTHON=python3.12"; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@touch $@
