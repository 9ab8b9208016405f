# Python 3.11 or newer and make are all that is needed: everything else comes from PyPI and npm.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CDK := PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/npx --yes aws-cdk@2.1148.1
# Context for deploy and synth, for example: make deploy CONTEXT="-c stage=prod -c machine=my.py:Mine"
CONTEXT ?=
# Runs of the simulation that make soak takes, for example: make soak SEEDS=1000
SEEDS ?= 100000
# How long soak-stack lasts, and where its chances come from: make soak-stack MINUTES=10 SEED=1
MINUTES ?= 3
SEED ?=

.DEFAULT_GOAL := help
.PHONY: bot bot-ngircd bench bench-restore bench-snapshots help setup run test check format up down synth deploy test-deploy soak soak-properties soak-stack clean

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

bot: setup ## Talk to the chat bot on a local stack; without a terminal, play a conversation
	@$(BIN)/python -m examples.bot.run

bot-ngircd: setup ## Test the chat bot on ngircd, too; fetches that from Debian 12
	@ngircd="$$($(BIN)/python -m tests.bot.fetch_ngircd build/ngircd)" && \
		BLOCKFOLD_NGIRCD="$$ngircd" $(BIN)/python -m pytest tests/bot/test_irc.py

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

soak: setup ## Simulate SEEDS runs of the whole stack, with crashes and all
	@$(BIN)/python -m tests.simulation --seeds $(SEEDS) --jobs 2

soak-properties: setup ## Run the property tests and the fuzzing with many more examples; takes hours
	BLOCKFOLD_SOAK=1 $(BIN)/python -m pytest --numprocesses 2 --dist loadfile --timeout 0 \
		tests/properties tests/pruning tests/policies tests/archive tests/rebuild tests/travel \
		tests/records tests/recorders tests/runtime tests/confined tests/fuzz

soak-stack: setup ## Kill, freeze and cut off the processes of a local stack for MINUTES
	@$(BIN)/python -m tests.soak --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

bench: setup ## Run it beside castore, eventsourcing and a naive handler; write docs/benchmarks.md
	@$(BIN)/python -m bench.compare

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
