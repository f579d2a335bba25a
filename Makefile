# Everything that a checkout can do; `make` alone lists it. ARGS= goes on to ansible-playbook, PARTS= to the tests.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

export PATH := $(CURDIR)/.venv/bin:$(PATH)
environment := PYTHON='$(PYTHON)' requirements/env dev
testbed := testbed=$$(tests/testbed/prepare) && eval "$$testbed"

help: ## list what there is to make
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|'

up: ## a Dask cluster on a kind cluster on this machine, with all that it needs
	@started=$$SECONDS; $(environment); $(testbed); \
	ansible-playbook site.yml -e daskops_environment_seconds=$$((SECONDS - started)) $(ARGS)

status: env ## how that cluster is and how to reach it
	@ansible-playbook playbooks/status.yml $(ARGS)

down: env ## take it down, with everything that was made for it
	@$(testbed); ansible-playbook playbooks/teardown.yml -e provider=kind -e teardown_confirm=true $(ARGS)

test: env ## every test, or PARTS="lint unit"; what they print is in build/test
	@python tests/run.py $(PARTS)

lint: env ## the quick static checks of make test
	@python tests/run.py lint

bench: env ## measure what README promises
	@$(testbed); python tests/bench $(ARGS)

docs: env ## render the reference of modules and roles to build/docs
	@docs/build

format: env ## bring the Python code into the one format
	@ruff check --fix-only . ; ruff format .

env: ## the Python environment, as requirements/dev.txt says (PYTHON=/path/to/python3)
	@$(environment)

lock: env ## bring requirements/*.txt up to date with requirements/*.in (ARGS=--upgrade)
	@requirements/lock $(ARGS)

clean-testbed: ## remove all that the test bed made (ARGS=--force: its containers too)
	@tests/testbed/clean $(ARGS)

.PHONY: help up status down test lint bench docs format env lock clean-testbed
