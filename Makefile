# guosuo: every target sets up what it needs; `make help` lists them.

SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
BIN := .venv/bin
PRODUCT := core hsm pki authz monitor backup deploy guosuo_verify.py guosuo_vouch.py

# Where `make demo` leaves bundle and report.
OUT ?= rehearsal
# The site that `make serve` runs; it is made on first use.
SITE ?= $(or $(GUOSUO_STATE),$(HOME)/.local/state/guosuo)
PROVINCE ?= deploy/province/beichen.yaml
# Which tests: `make test TESTS=tests/pki`.
TESTS ?=
# How often `make soak` kills, and how many minutes `make fuzz` gives each parser.
KILLS ?= 200
MINUTES ?= 1
# How many certificates `make bench` generates in its large store.
CERTIFICATES ?= 10000000
# `make lock` takes nothing published after this day: no dependency is younger than a week.
BEFORE ?= $(shell date -u -d '7 days ago' +%F)

.PHONY: help setup demo serve test check format bench soak fuzz lock uninstall

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## what this machine lacks: packages (as root) and .venv (the plan alone: deploy/setup.sh --dry-run)
	@deploy/setup.sh

demo: setup ## rehearse the whole day on real parts: trust, access, a leak, containment, proof, recovery
	@$(BIN)/guosuo rehearse --out "$(OUT)"

serve: setup ## run a site at SITE, made from PROVINCE on first use
	@test -e "$(SITE)/guosuo.toml" || $(BIN)/guosuo init --from "$(PROVINCE)" --site "$(SITE)"
	@$(BIN)/guosuo serve --site "$(SITE)"

test: setup ## all tests, on both stores and real services (TESTS=tests/pki narrows it)
	@$(PYTHON) -m pytest $(TESTS)

check: setup ## lint, format, types, import contracts, architecture
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(PYTHON) -m pytest -n 0 tests/test_architecture.py

format: setup ## put every file into the one format
	@$(BIN)/ruff check --fix-only --select I .
	@$(BIN)/ruff format .

bench: setup ## our figures beside a peer's, both measured in the same run (ten million CERTIFICATES take 16 GB of disk)
	@$(PYTHON) -m deploy.bench --certificates $(CERTIFICATES)

soak: setup ## kill the service KILLS times at random moments, and five times at each named one, and check what is left
	@$(PYTHON) -m tests.crash.soak $(KILLS)
	@GUOSUO_KILLS=5 $(PYTHON) -m pytest tests/crash/test_kills_sqlite.py tests/crash/test_kills_postgres.py

fuzz: setup ## MINUTES of hostile input for every parser
	@$(PYTHON) -m tests.fuzz --minutes $(MINUTES)

lock: ## write requirements.lock anew from pyproject.toml (needs uv on PATH)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links \
	    --custom-compile-command 'make lock' --exclude-newer $(BEFORE) --upgrade --extra dev pyproject.toml \
	    -o requirements.lock > /dev/null

uninstall: ## take away what set-up brought: .venv, our package source, and (it asks) the packages
	@deploy/setup.sh --uninstall
