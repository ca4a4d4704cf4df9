# Needs make and Python 3.11 or newer, nothing else. Everything is installed into .venv,
# once, and again when a lock or pyproject.toml changes.

BIN := .venv/bin
TASK := Write a function that parses durations such as 90s, 2m and 1h.

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help demo test test-slow bench lint types unit fix schemas docs wheel lock lock-check clean FORCE

help: ## List the targets
	@echo "make TARGET [PYTHON=/path/to/python] [MODEL=name or file, for demo]"
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | \
	  while IFS='|' read -r name text; do printf '  %-10s  %s\n' "$$name" "$$text"; done

demo: .venv/.runtime ## Hold the conversation M1: with Ollama, else with a very small model that is fetched
	@$(BIN)/llm-gc demo --task "$(TASK)" $(if $(MODEL),--model "$(MODEL)")

test: lint types unit ## All checks, but the slow tests

# Pytest's 5 means that it found no test; whatever else is wrong shows in the second call.
test-slow: .venv/.dev ## Run the slow tests
	@$(BIN)/python -m pytest -m slow --collect-only -qq >.venv/slow.log 2>&1; \
	if [ $$? -eq 5 ]; then echo "No test is marked slow: nothing to run."; \
	else set -x; $(BIN)/python -m pytest -m slow --numprocesses auto; fi

bench: .venv/.dev ## Run the benchmarks
	$(BIN)/python -m benchmarks

lint: .venv/.dev ## Lint, check the formatting and the prose
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/python -m tools.prose

types: .venv/.dev ## Check the types
	$(BIN)/mypy

unit: .venv/.dev ## Run the tests that are not slow; COVERAGE=1: show what they cover, and demand it
	$(BIN)/python -m pytest -m "not slow" --numprocesses auto $(if $(COVERAGE),--cov)

fix: .venv/.dev ## Mend what the linter can mend, and format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

schemas: .venv/.runtime ## Write schemas/*.json from the models
	$(BIN)/python -m tools.schemas

docs: .venv/.runtime ## Write the tables of docs/ and pipelines/README.md from the models
	$(BIN)/python -m tools.manual
	$(BIN)/python -m tools.rule_pages
	$(BIN)/python -m tools.gallery

wheel: .venv/.runtime ## Build the sdist and the wheel into dist/
	$(BIN)/python -m hatchling build

lock: .venv-lock/.uv ## Fit the locks to pyproject.toml; UPGRADE=1: to the newest too
	@$(call lock_in,.)

lock-check: .venv-lock/.uv ## Tell whether the locks fit pyproject.toml
	@mkdir -p build/lock && cp pyproject.toml requirements*.lock build/lock
	@$(call lock_in,build/lock)
	@for lock in requirements*.lock; do \
	  cmp -s $$lock build/lock/$$lock || { echo "$$lock is stale: run make lock" >&2; exit 1; }; done

clean: ## Remove what make and the tools made; sessions/ stays
	rm -rf .venv .venv-lock build dist htmlcov .coverage .coverage.* .hypothesis
	rm -rf .mypy_cache .pytest_cache .ruff_cache
	find . -name .git -prune -o -type d -name __pycache__ -prune -exec rm -rf {} +


# --- The environments

# $(call quietly,LOG,COMMAND): the command's output is shown only where it fails. Meanwhile a line now and then says
# that it is still at it; what says so ends with the recipe's shell, which a Ctrl-C ends.
quietly = { beat() { s=0; while sleep 4 >/dev/null 2>&1 && kill -0 $$$$ 2>/dev/null; do \
  s=$$((s + 4)); echo "  ... $$s s" >&2; done; }; beat & beat=$$!; \
  { $(2); } >$(1) 2>&1; code=$$?; kill $$beat 2>/dev/null; \
  [ $$code -eq 0 ] || { cat $(1) >&2; exit 1; }; }
pip = python -m pip --disable-pip-version-check --no-input install

# An interpreter that is gone, or another PYTHON than the one that made .venv, makes it anew.
renew := $(shell test -x $(BIN)/python && made_by=$$(cat .venv/.python 2>/dev/null) && \
  { test -z "$(PYTHON)" || test "$(PYTHON)" = "$$made_by"; } || echo FORCE)

.venv/.python: $(renew)
	@set -- $(if $(PYTHON),"$(PYTHON)",python3 python3.13 python3.12 python3.11); \
	for python do \
	  "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	  "$$python" -c 'import ensurepip, venv' 2>/dev/null || { \
	    echo "$$python lacks venv: install it (Debian, Ubuntu: apt install python3-venv)" >&2; exit 1; }; \
	  "$$python" -m venv --clear .venv && echo "$$python" >$@; exit; \
	done; \
	echo "llm-gc needs Python 3.11 or newer, and $(or $(PYTHON),python3) is not:" \
	  "name another with make PYTHON=/path/to/python" >&2; exit 1

.venv/.runtime: .venv/.python requirements.lock pyproject.toml
	@echo "Setting up .venv to run llm-gc (once, and when a lock changes) ..." >&2
	@$(call quietly,.venv/setup.log,$(call install,requirements.lock))
	@touch $@

.venv/.dev: .venv/.python requirements-dev.lock pyproject.toml
	@echo "Setting up .venv to develop llm-gc (once, and when a lock changes) ..." >&2
	@$(call quietly,.venv/setup.log,$(call install,requirements-dev.lock))
	@touch .venv/.runtime $@

# A lock is whole, so there is nothing to resolve: left to itself, an older pip wants the newest of what one package asks
# of another with an extra, and finds no hash for it.
install = $(BIN)/$(pip) --no-deps --require-hashes -r $(1) && $(BIN)/$(pip) --no-deps --no-build-isolation -e .

# Only the locks are made with uv, which lives apart.
.venv-lock/.uv: .venv/.python
	@echo "Setting up .venv-lock with uv (once) ..." >&2
	@$(BIN)/python -m venv --clear .venv-lock
	@$(call quietly,.venv-lock/setup.log,.venv-lock/bin/$(pip) 'uv>=0.9')
	@touch $@

# $(call lock_in,FOLDER): each command runs there, for the locks name their sources as given.
compile = "$(CURDIR)/.venv-lock/bin/uv" pip compile --quiet --no-config --universal --python-version 3.11 \
  --generate-hashes --annotation-style line --custom-compile-command "make lock" $(if $(UPGRADE),--upgrade)
lock_in = cd $(1) && $(compile) --group build -o requirements.lock pyproject.toml && \
  $(compile) --group dev -c requirements.lock -o requirements-dev.lock pyproject.toml
