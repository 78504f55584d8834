# The index of what can be done here: `make help`.
.DEFAULT_GOAL := help
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
PY := $(VENV)/bin/python
EXT := vscode-extension
STAMP := $(VENV)/.installed
NODE_STAMP := $(EXT)/node_modules/.installed

.PHONY: help setup demo test test-vllm test-kills test-e2e shots check format gen bench fuzz vsix lock clean

help: ## this list
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F':.*## ' '{printf "  make %-10s %s\n", $$1, $$2}'

setup: $(STAMP) $(NODE_STAMP) ## install everything into .venv and vscode-extension/node_modules

$(STAMP): pyproject.toml requirements.lock
	@test -x $(PY) || $(PYTHON) -m venv $(VENV)
	$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.lock
	$(PY) -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	@touch $@

$(NODE_STAMP): $(EXT)/package.json $(EXT)/package-lock.json
	cd $(EXT) && npm ci --no-audit --no-fund
	@touch $@

demo: $(STAMP) ## the main job on a sample repository: outline, edits, checks, diff, accept, undo
	@$(PY) -m inglenook demo

test: $(STAMP) ## every test that needs no editor
	$(PY) -m pytest -m "not e2e" tests

test-vllm: $(STAMP) ## our client on a real vLLM on the processor; installs it (3.5 GB) into .cache/vllm, or says what is missing
	bash tests/on_vllm/fetch.sh .cache/vllm
	INGLENOOK_VLLM=$$PWD/.cache/vllm/bin/python $(PY) -m pytest tests/on_vllm

test-kills: $(STAMP) ## kill the real server and the real terminal at 200 random moments (`make test` does at 40)
	INGLENOOK_KILLS=200 $(PY) -m pytest tests/lsp/test_survival.py tests/unit/cli/test_ledger.py -k killed

test-e2e: $(STAMP) $(NODE_STAMP) vsix ## a real VS Code in a real browser; a real Neovim, old and new, Helix and Emacs
	bash tests/e2e/fetch_vscode.sh
	bash tests/e2e/fetch_editors.sh
	$(PY) -m pytest -m e2e --reruns 1 tests/e2e

shots: $(STAMP) $(NODE_STAMP) vsix ## take the pictures in docs/images again, from the real editor
	bash tests/e2e/fetch_vscode.sh
	bash tests/e2e/fetch_editors.sh
	INGLENOOK_SHOTS=1 $(PY) -m pytest -m e2e tests/e2e

check: $(STAMP) $(NODE_STAMP) ## format, lint, types, storeys, tidy, generation drift, tsc, eslint
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/ruff check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports
	$(PY) -m pytest tests/test_tidy.py
	$(PY) -m inglenook.protocol.export --check
	cd $(EXT) && node scripts/types.mjs --check
	cd $(EXT) && npx --no-install tsc --noEmit && npx --no-install eslint .

format: $(STAMP) ## format the Python and fix what the linter can
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

gen: $(STAMP) $(NODE_STAMP) ## write schemas/, docs/protocol.md, protocol.gen.ts and package.json's blocks from server/inglenook/protocol
	$(PY) -m inglenook.protocol.export
	cd $(EXT) && node scripts/types.mjs

bench: $(STAMP) ## print the figures, as ratios and counts
	@test -d .cache/tokens || $(PY) -m pip install --quiet --disable-pip-version-check --no-deps --target .cache/tokens tiktoken regex requests litellm
	@export TIKTOKEN_CACHE_DIR=$$PWD/.cache/tokens/litellm/litellm_core_utils/tokenizers BENCH_TOKENS=$$PWD/.cache/tokens; $(PY) tests/bench/run.py

fuzz: $(STAMP) ## a million random and mutated replies of models: no crash, no hang, nothing outside the draft
	$(PY) tests/bench/fuzz.py

vsix: $(STAMP) $(NODE_STAMP) ## package the extension, with the server in it (INGLENOOK_PAGE: its public https address, for pictures on its page)
	rm -f $(EXT)/server/*.whl
	SOURCE_DATE_EPOCH=1767225600 $(PY) -m pip wheel --quiet --disable-pip-version-check --no-deps --wheel-dir $(EXT)/server .
	cd $(EXT) && npm run --silent vsix

lock: ## pin every dependency again, with hashes and without addresses (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --all-extras --python-version 3.11 pyproject.toml --output-file requirements.lock
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header --no-annotate --python-version 3.11 --constraints requirements.lock pyproject.toml --output-file $(EXT)/server/requirements.txt

clean: ## remove what was made here
	rm -rf $(VENV) $(EXT)/node_modules $(EXT)/out $(EXT)/*.vsix .mypy_cache .ruff_cache .import_linter_cache .hypothesis test-results
