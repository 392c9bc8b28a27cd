# Every target sets up what it needs; the first one creates .venv, later ones find it.
SHELL := /bin/bash
PYTHON ?= $(shell for p in python3 python3.14 python3.13 python3.12 python3.11; do \
    $$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
PEERS := .venv-bench
PEERS_INSTALLED := $(PEERS)/.installed
MOJO_PORT := ports/mojo/build/adapter
MOJO_EXAMPLE := ports/mojo/build/digits
MOJO_SOURCES := $(shell find ports/mojo -name '*.mojo' 2>/dev/null)
# Programs start a third faster where Python may keep its bytecode, and the suite starts hundreds.
unexport PYTHONDONTWRITEBYTECODE
export MODULAR_CRASH_REPORTING_ENABLED := false
export MODULAR_TELEMETRY_ENABLED := 0

.PHONY: help demo test lint conformance verdicts matrix relay bench mojo-port clean
help: ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "tenuto needs Python 3.11 or later; none found. Set PYTHON=/path/to/python3.11"; exit 1; }
	@echo "Installing into $(VENV) (once; about a minute and 2 GB)"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

$(MOJO_PORT): $(MOJO_SOURCES) | $(INSTALLED)
	@mkdir -p $(@D)
	@echo "Building the Mojo port"
	@cd ports/mojo && ../../$(BIN)/mojo build -j 1 -I . --fp-mode contract=off --target-cpu x86-64-v2 adapter.mojo -o build/adapter

$(MOJO_EXAMPLE): $(MOJO_SOURCES) | $(INSTALLED)
	@mkdir -p $(@D)
	@echo "Building the example in Mojo"
	@cd ports/mojo && ../../$(BIN)/mojo build -j 1 -I . -I examples --fp-mode contract=off --target-cpu x86-64-v2 examples/digits.mojo -o build/digits

mojo-port: $(MOJO_PORT) ## build the Mojo port

demo: $(INSTALLED) $(MOJO_PORT) ## train, kill -9, resume: the final files are identical
	@$(BIN)/python examples/demo.py

.PHONY: mojo-demo
mojo-demo: $(MOJO_EXAMPLE) ## a network in Mojo on the digits: Ctrl-C, kill -9, resume; its weights read in torch
	@$(BIN)/python examples/mojo_digits.py

.PHONY: mojo-mutants
mojo-mutants: $(INSTALLED) ## ten bugs in the Mojo port, one at a time: the suite sees each of them; twenty minutes
	@$(BIN)/python tests/mojo_bugs.py

.PHONY: strace
strace: # which shows that nothing goes around the storage, and is one of two ways to count what inspect reads
	@command -v strace >/dev/null || { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -yqq strace >/dev/null; } \
	    || echo "strace is missing and cannot be installed here: the lane A' will fail, and one measurement of inspect is left out"

.PHONY: file-systems
file-systems: # of which the lane C takes the power away
	@{ command -v mkfs.ext4 && command -v mkfs.xfs && command -v losetup; } >/dev/null || { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -yqq e2fsprogs xfsprogs mount >/dev/null; } \
	    || echo "mkfs.ext4, mkfs.xfs or losetup is missing and cannot be installed here: the lane C says what it leaves out"

.PHONY: chromium
chromium: # in which the tests look at the page of results
	@command -v chromium >/dev/null || { test "$$(id -u)" = 0 && apt-get update -qq && apt-get install -yqq chromium >/dev/null; } \
	    || echo "chromium is missing and cannot be installed here: the page of results is not looked at"

test: strace file-systems chromium lint conformance ## everything: lint, types, specification, conformance of both ports, tests
	@$(BIN)/python -m pytest -n 2 --dist loadfile

.PHONY: torture-resume
torture-resume: $(INSTALLED) ## a thousand SIGKILLs at random moments of a torch job, each resumed to the same final file
	@TENUTO_KILLS=1000 $(BIN)/python -m pytest tests/test_kill_resume.py

.PHONY: failures
failures: $(INSTALLED) ## kill and fail runs in every way of the failure contract; writes docs/reference/failures.md
	@TENUTO_WRITE_PAGE=1 $(BIN)/python -m pytest -q tests/test_failure_matrix.py && grep '^|' docs/reference/failures.md

.PHONY: torture torture-show
torture: strace file-systems $(INSTALLED) ## every lane in its long size, with its floors: build/torture.json; about two hours on two cores
	@TENUTO_TORTURE=1 $(BIN)/python -m pytest -v -n 2 --dist worksteal tests/crash

torture-show: $(INSTALLED) ## take one fsync out of the save protocol, in three places, and see what is found
	@$(BIN)/python tests/crash/show.py

.PHONY: spec
spec: $(INSTALLED) ## write what follows from the specification: constants, docs/reference, table of error codes, traceability
	@$(BIN)/tenuto spec generate
	@$(BIN)/tenuto spec trace
	@$(BIN)/python -m tenuto.conformance_tests.meta.page

lint: $(INSTALLED) ## ruff, mypy --strict, import-linter, generated files, specification linter
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@MYPYPATH=src:examples $(BIN)/mypy examples/*.py benchmarks/*.py ports/python/*.py
	@PYTHONPATH=src $(BIN)/lint-imports --no-cache
	@$(BIN)/tenuto spec generate --check
	@$(BIN)/tenuto spec lint

conformance: $(INSTALLED) $(MOJO_PORT) ## judge the Python and the Mojo port; ports/*/verdicts.json has to agree
	@for port in python mojo; do \
	    $(BIN)/tenuto conformance run --port ports/$$port/port.toml --jobs 2 && \
	    $(BIN)/tenuto spec verdicts --port-results build/conformance/$$port.jsonl --out ports/$$port/verdicts.json --check \
	    || exit; done

verdicts: $(INSTALLED) $(MOJO_PORT) ## judge both ports, and write ports/*/verdicts.json and the page of traceability
	@for port in python mojo; do \
	    $(BIN)/tenuto conformance run --port ports/$$port/port.toml --jobs 2; test $$? -le 1 && \
	    $(BIN)/tenuto spec verdicts --port-results build/conformance/$$port.jsonl --out ports/$$port/verdicts.json \
	    || exit; done
	@$(BIN)/tenuto spec trace

matrix: $(INSTALLED) $(MOJO_PORT) ## judge both ports, and write build/conformance/report.html: requirements by ports
	@for port in python mojo; do $(BIN)/tenuto conformance run --port ports/$$port/port.toml --jobs 2; test $$? -le 1 || exit; done
	@$(BIN)/tenuto conformance report build/conformance/python.jsonl build/conformance/mojo.jsonl --out build/conformance/report.html
	@echo build/conformance/report.html

relay: $(INSTALLED) $(MOJO_PORT) ## let each port go on from the checkpoints of the other, at every point, and draw it: build/relay.png
	@mkdir -p build
	@$(BIN)/tenuto conformance relay --from ports/python/port.toml --to ports/mojo/port.toml --picture build/relay.png
	@echo build/relay.png

# Lightning, Ignite and safetensors get an environment of their own, which sees all of the first one: that one stays as it is.
$(PEERS_INSTALLED): pyproject.toml constraints.txt | $(INSTALLED)
	@echo "Installing Lightning, Ignite and safetensors into $(PEERS) (once; 45 MB)"
	@$(BIN)/python -m venv $(PEERS)
	@site=$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') && \
	    echo "import site; site.addsitedir('$$site')" > $$($(PEERS)/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/first.pth
	@$(PEERS)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[bench]'
	@touch $@

bench: $(PEERS_INSTALLED) ## measured ratios, all sides in one run, and the same resume by Lightning: build/bench.json, .png, growth.png, benchmarks.md
	@$(PEERS)/bin/python -m benchmarks.run

clean: ## remove what the targets made, but the environment
	@rm -rf build ports/mojo/build checkpoints
