# The two commands of the README are `make demo` and `make test`; both begin with `setup`.
# Everything is installed below this folder: .tools (uv), .venv (Python), node_modules (anvil, solc).

PYTHON ?= $(shell for p in python3.13 python3.12 python3.11 python3; do \
	command -v $$p >/dev/null && $$p -c 'import sys; sys.exit(not (3,11) <= sys.version_info[:2] < (3,14))' 2>/dev/null && echo $$p && break; done)
UV := .tools/bin/uv
UV_VERSION := 0.13.8
BIN := .venv/bin
ARGS ?=

.PHONY: setup packages demo up test test-slow test-conformance lint fmt types check bench bench-engine bench-state bench-dashboard contracts fixtures screenshots catalogue settings rules clean

setup: .venv/.synced .venv/.engine node_modules/.synced
	@echo "engine: $$(ls .venv/lib/python3*/site-packages/stopgate_engine >/dev/null 2>&1 && echo "revm (native), py-evm as second opinion" || echo "py-evm")"

.tools/.uv-$(UV_VERSION):
	@test -n "$(PYTHON)" || { echo "stopgate needs Python 3.11, 3.12 or 3.13 on the PATH (set PYTHON=/path/to/python)"; exit 1; }
	@$(PYTHON) -m venv .tools && .tools/bin/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

.venv/.synced: .tools/.uv-$(UV_VERSION) pyproject.toml uv.lock
	@$(UV) sync --frozen --inexact --quiet --python $(PYTHON)
	@touch $@

# Rust is optional: with it the native engine is built and preferred, without it py-evm does everything, slower.
# `uv sync --inexact` above leaves the wheel that is installed here in place.
.venv/.engine: $(wildcard engine/src/*.rs) engine/Cargo.toml engine/Cargo.lock engine/pyproject.toml | .venv/.synced
	@mkdir -p engine/target
	@if ! command -v cargo >/dev/null; then echo "cargo not found: no native engine"; touch $@; \
	elif echo "building the native engine (minutes the first time, log in engine/target/build.log)"; \
		rm -rf engine/target/wheels; \
		$(BIN)/maturin build --release --locked -m engine/Cargo.toml -i $(BIN)/python -o engine/target/wheels >engine/target/build.log 2>&1 \
		&& $(UV) pip install --quiet --python $(BIN)/python --no-deps --reinstall engine/target/wheels/*.whl; then touch $@; \
	else echo "the native engine could not be built: see engine/target/build.log"; fi

# Node is optional: with it the chain is anvil, without it the py-evm development chain.
node_modules/.synced: package.json package-lock.json
	@mkdir -p node_modules
	@if command -v npm >/dev/null; then npm install --no-save --silent --no-fund --no-audit; \
	else echo "npm not found: the demo uses the py-evm development chain, tests against anvil are skipped"; fi
	@touch $@

# Other projects' compiled contracts: for tests and `make fixtures` only, which leave out what is not there.
packages: setup
	@$(BIN)/python -m fixtures.packages || true

demo: setup
	@$(BIN)/stopgate demo $(ARGS)

up: setup
	@$(BIN)/stopgate up $(ARGS)

test: setup packages
	@$(BIN)/pytest $(ARGS)

# The long loops: kill -9 sixty times on each database, and the like.
test-slow: setup packages
	@$(BIN)/pytest -m slow $(ARGS)

# Every state test, every real block and every recorded attack on the native engine; minutes.
test-conformance: setup
	@$(BIN)/pytest -m "slow or not slow" tests/gateway/evm/test_conformance.py tests/gateway/evm/test_revm.py tests/gateway/evm/test_geth_fixtures.py $(ARGS)

lint: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/lint-imports

fmt: setup
	@$(BIN)/ruff check --fix . && $(BIN)/ruff format .

types: setup
	@$(BIN)/mypy

# Freshness, round trips and rightness of the state verdicts are given on; ARGS=--json for machines.
bench-state: setup
	@$(BIN)/python -m bench.state $(ARGS)

check: lint types test

bench-engine: setup
	@$(BIN)/python -m bench.engine $(ARGS)

# The edge, then every detector over all that is recorded; ARGS=--json for machines.
bench: setup
	@$(BIN)/python -m bench.edge $(ARGS)
	@$(BIN)/python -m bench.detectors $(ARGS)

contracts: setup
	@$(BIN)/python -m fixtures.artifact

fixtures: contracts packages
	@$(BIN)/python -m fixtures.record && $(BIN)/python -m fixtures.playbill

# Needs Chromium (Debian package: chromium). Pictures of every page at two sizes, light and dark.
screenshots: setup
	@$(BIN)/python -m tests.dashboard.screenshots docs/screenshots $(ARGS)

bench-dashboard: setup
	@$(BIN)/python -m bench.dashboard $(ARGS)

# The page on the detectors is made from their classes; a test compares the two.
catalogue: setup
	@$(BIN)/python -m gateway.inspection.catalogue > detectors/README.md

# Every setting of gateway and dashboard, from their classes; a test compares.
settings: setup
	@$(BIN)/python -m gateway.cli.settings_page . Gateway=gateway.settings:Settings Dashboard=dashboard.settings:DashboardSettings:store,data_dir

# The vocabulary in docs/rules.md, from the tables that rules are checked by; a test compares.
rules: setup
	@$(BIN)/python -m gateway.inspection.rules.reference < docs/rules.md > .rules.md && mv .rules.md docs/rules.md

clean:
	@rm -rf .venv .tools node_modules .stopgate .mypy_cache .ruff_cache .pytest_cache .hypothesis
