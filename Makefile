# Everything a newcomer types. Each target sets up what it needs: python3.11+ and make are enough.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
CLAIM  ?=
# Tests start hundreds of programs: with this set by whoever calls, each would compile all of its modules anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test check bench serve format lock clean

help: ## Show this list
	@awk -F':.*## ' '/^[a-z]+:.*## /{printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(READY) ## Create .venv with everything pinned by hash (demo, test and check do this themselves)

$(READY): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("Clearance needs Python 3.11 or later; set PYTHON=..." if sys.version_info < (3, 11) else 0)'
	@if command -v uv >/dev/null 2>&1; then \
	  uv venv -q --allow-existing --python "$$($(PYTHON) -c 'import sys; print(sys.executable)')" $(VENV) && \
	  uv pip install -q --python $(BIN)/python --require-hashes -r requirements.lock && \
	  uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e . ; \
	else \
	  $(PYTHON) -m venv $(VENV) && \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --require-hashes -r requirements.lock && \
	  $(BIN)/python -m pip install -q --disable-pip-version-check --no-deps --no-build-isolation -e . ; \
	fi
	@touch $(READY)

demo: $(READY) ## An agent hijacked and stopped, a database about to be wiped, an undo (no network, no keys)
	@$(BIN)/clearance demo

test: $(READY) ## Every test, acceptance included
	@$(BIN)/python -m pytest -n 2 --dist worksteal

check: $(READY) ## Format, lint, types, import contracts, unit and docs tests: under a minute
	@$(BIN)/ruff format --check -q .
	@$(BIN)/ruff check -q .
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/lint-imports --no-cache > .import_linter.out || { cat .import_linter.out; rm -f .import_linter.out; exit 1; }; rm -f .import_linter.out
	@$(BIN)/python -m pytest -q -n 2 --dist worksteal --hypothesis-profile=check -m "not acceptance and not servers"

bench: $(READY) ## Measure every claim beside a peer (CLAIM=name for one); writes benchmarks/results.json
	@$(BIN)/python -m benchmarks $(CLAIM)

serve: $(READY) ## Open the HTTP door on 127.0.0.1:8700
	@$(BIN)/clearance serve

format: $(READY) ## Put the code in shape
	@$(BIN)/ruff format -q . && $(BIN)/ruff check -q --fix .

lock: $(READY) ## Pin every dependency anew
	@$(BIN)/uv pip compile -q --universal --python-version 3.11 --all-extras --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate -o requirements.lock pyproject.toml

clean: ## Remove the environment and every cache
	@rm -rf $(VENV) .venv-mcp-sqlite .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find src tests benchmarks examples -name __pycache__ -prune -exec rm -rf {} +
