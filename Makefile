# One command for each thing a person does here; `make` alone lists them.
SHELL := /bin/sh
ifndef PYTHON
PYTHON := $(shell for p in python3.13 python3.12 python3.11 python3 python; do \
  if $$p -c 'import sys, venv, ensurepip; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' >/dev/null 2>&1; \
  then command -v $$p; break; fi; done)
endif
VENV := .venv
EMULATOR := .venv-emulator
PEERS := .venv-peers
AUDIT := .venv-audit
OIDC := .venv-oidc
BIN := $(VENV)/bin
STAGE ?= dev
PORT ?= 8000
PIP := -m pip install -qq --disable-pip-version-check

.DEFAULT_GOAL := help
.PHONY: help run reload package hashes audit check lint types size format test test-fast test-e2e simulate bench bench-peers deploy callbacks keys restore plan verify-audit destroy config clean
.DELETE_ON_ERROR:

# A virtualenv whose Python is gone (upgraded, or the checkout was copied from elsewhere) is made anew.
$(foreach each,$(VENV) $(EMULATOR) $(PEERS) $(AUDIT) $(OIDC),$(shell $(each)/bin/python -c '' 2>/dev/null || rm -f $(each)/.ready))

help: ## list the commands
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-11s %s\n", $$1, $$2}'

$(VENV)/.ready: requirements.txt requirements-dev.txt $(wildcard infra/layers/*.txt)
	@$(call venv,$(VENV),requirements-dev.txt,the tools and tests (about a minute))

$(EMULATOR)/.ready: infra/local/requirements.txt
	@$(call venv,$(EMULATOR),infra/local/requirements.txt,the local AWS emulator (about half a minute))

$(PEERS)/.ready: bench/peers/requirements.txt
	@$(call venv,$(PEERS),bench/peers/requirements.txt,the schedulers to compare with (about half a minute))

$(AUDIT)/.ready: infra/audit.txt
	@$(call venv,$(AUDIT),infra/audit.txt,what asks for known vulnerabilities)

$(OIDC)/.ready: tests/support/oidc/requirements.txt
	@$(call venv,$(OIDC),tests/support/oidc/requirements.txt,the tests' identity provider (about half a minute))

# $(1) directory, $(2) requirements, $(3) what for
define venv
	if [ -z "$(PYTHON)" ]; then \
	  echo "Chronos needs Python 3.11, 3.12 or 3.13 with its venv module (Debian and Ubuntu: apt install python3-venv)," >&2; \
	  echo "and none on the PATH runs. Install one, or name it: make $(MAKECMDGOALS) PYTHON=/path/to/python3" >&2; exit 1; fi; \
	echo "==> $(1): a virtualenv for $(3), with $(PYTHON)"; \
	$(1)/bin/python -c '' 2>/dev/null || { rm -rf $(1); "$(PYTHON)" -m venv $(1); } || { \
	  echo "Could not create $(1) with $(PYTHON); its venv module seems broken. Name another: PYTHON=/path/to/python3" >&2; exit 1; }; \
	$(1)/bin/python $(PIP) -r $(2) || { \
	  echo "Installing $(2) failed (see above): check the network or pip's index setting, then run the same command again." >&2; exit 1; }; \
	touch $(1)/.ready
endef

run: $(VENV)/.ready $(EMULATOR)/.ready ## run everything locally (PORT=8000), until Ctrl-C
	@exec $(BIN)/python -m infra.local run --port $(PORT)

reload: $(VENV)/.ready ## bring a code change into the running `make run`, keeping its data
	@exec $(BIN)/python -m infra.local reload

package: $(VENV)/.ready ## build the one CloudFormation template and the code zip into .chronos/package
	@$(BIN)/python -m infra package

hashes: $(VENV)/.ready ## note the hashes of what goes to Lambda, after a change of its pins
	@$(BIN)/python -m infra hashes

audit: $(VENV)/.ready $(AUDIT)/.ready ## ask osv.dev for known vulnerabilities of what goes to Lambda
	@$(BIN)/python -m infra audit

check: lint types size ## ruff, mypy, cfn-lint and the package's size

lint: $(VENV)/.ready
	$(BIN)/ruff check .

types: $(VENV)/.ready
	$(BIN)/mypy

size: package
	@$(BIN)/python -m infra check

format: $(VENV)/.ready ## rewrite the code as ruff would
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

test: test-fast test-e2e ## every test, the end-to-end ones last

test-fast: $(VENV)/.ready $(OIDC)/.ready ## the tests that need no emulator
	$(BIN)/pytest -q -m "not e2e" -n auto --dist worksteal

test-e2e: $(VENV)/.ready $(EMULATOR)/.ready $(OIDC)/.ready ## the packaged app on the emulator
	$(BIN)/pytest -q -m e2e

simulate: $(VENV)/.ready ## days of virtual time under faults (SEEDS=20 FIRST=1 HOURS=24 JOBS=30 STORM=1, or one SEED)
	@$(BIN)/python -m tests.simulation --seeds $(or $(SEEDS),20) --first $(or $(FIRST),1) --hours $(or $(HOURS),24) \
	  --jobs $(or $(JOBS),30) --storm $(or $(STORM),1) $(if $(SEED),--seed $(SEED))

bench: $(VENV)/.ready $(EMULATOR)/.ready ## measure; one JSON line a figure (PARTS="tick idle")
	@$(BIN)/python -m bench $(PARTS)

bench-peers: $(VENV)/.ready $(PEERS)/.ready ## CPU a run beside Celery, Dramatiq and Huey (needs redis-server)
	@$(BIN)/python -m bench peers

config: $(VENV)/.ready ## make the Chalice project of a deployed STAGE, for the chalice command itself
	@$(BIN)/python -m infra config --stage $(STAGE)

deploy: $(VENV)/.ready ## deploy STAGE to the AWS account of the environment (NEW_KEY=1, FORCE=1)
	@$(BIN)/python -m infra deploy --stage $(STAGE) $(if $(NEW_KEY),--new-key) $(if $(FORCE),--force)

callbacks: $(VENV)/.ready ## make what callbacks of STAGE need (PUBLIC_URL=, NEW_KEY=1 signs with a new key, FORCE=1 forgets the old)
	@$(BIN)/python -m infra callbacks --stage $(STAGE) $(if $(NEW_KEY),--new-key) $(if $(FORCE),--force)

keys: $(VENV)/.ready ## the keys that sign access tokens of STAGE (NEW_KEY=1 signs with a new one, FORCE=1 forgets the old)
	@$(BIN)/python -m infra keys --stage $(STAGE) $(if $(NEW_KEY),--new-key) $(if $(FORCE),--force)

restore: $(VENV)/.ready ## go on from restored tables (DISASTER=2027-01-15T13:10:00Z CATALOG= TIMERS= RUNS= AUDIT=)
	@$(BIN)/python -m infra restore --stage $(STAGE) --disaster "$(DISASTER)" $(foreach each,catalog timers runs audit,\
	  --$(each) "$($(shell echo $(each) | tr a-z A-Z))")

plan: $(VENV)/.ready ## give a TENANT of STAGE another PLAN (free, starter, pro, enterprise)
	@$(BIN)/python -m infra plan --stage $(STAGE) --tenant "$(TENANT)" --plan "$(PLAN)"

verify-audit: $(VENV)/.ready ## check the audit trail of a TENANT of STAGE for tampering (ANCHOR= what it printed before)
	@$(BIN)/python -m infra verify-audit --stage $(STAGE) --tenant "$(TENANT)" --anchor "$(ANCHOR)"

destroy: $(VENV)/.ready ## remove STAGE from the AWS account of the environment
	@$(BIN)/python -m infra destroy --stage $(STAGE)

clean: ## remove what was built (not the local data, .chronos/local)
	rm -rf $(VENV) $(EMULATOR) $(PEERS) $(AUDIT) $(OIDC) .chronos/package .chronos/build .chronos/stages .mypy_cache .ruff_cache .pytest_cache
