# `make` alone lists what there is. Without make, or on Windows: the README has the same as plain pip lines.

PYTHON ?= python3
BIN := .venv/bin
# More for pytest, as in: make test ARGS="-k mask"
ARGS ?=
# How many processes run tests side by side. One more than a small machine has cores: tests wait a fifth of their time.
# Those with a browser don't, and get as many as there are cores (tests/support/scheduling.py).
WORKERS ?= 3

# No command here may spend money, even where a key is set.
export TTAPI_OFFLINE := 1
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Where it is set, each process that a test starts, kernels among them, compiles the package again: 0.3 s of its 0.7 s.
unexport PYTHONDONTWRITEBYTECODE
# Where others keep every core busy, numpy's own threads wait for each other on them: small products take three times as
# much of the processor.
test quick: export OPENBLAS_NUM_THREADS := 1

.PHONY: help
help:
	@echo "make lab     open notebook 01 in JupyterLab (needs no key)"
	@echo "make test    run everything: unit tests, notebooks, browser tests"
	@echo "make cover   the same, and which lines nothing reached: a fifth slower"
	@echo "make quick   run what needs no browser and no notebook and is not marked slow, properties and tables by a sample"
	@echo "make check   ruff and mypy"
	@echo "make bench   run the benchmarks, and write BENCHMARKS.md; some of them: make bench ARGS=\"fill mask_speed\""
	@echo "make trust   run the trust runs, which take too long for CI"
	@echo "make lock    renew requirements-lock.txt, by which tests and CI install (needs uv)"
	@echo "make clean   remove .venv and all that the others made"
	@echo
	@echo "The first run makes .venv from $(PYTHON); for another Python: make lab PYTHON=python3.12"

.PHONY: lab
lab: .venv/installed-lab
	$(BIN)/ttapi-nb lab notebooks/01_first_edit.ipynb

.PHONY: test
test: .venv/installed-test
	$(BIN)/python tests/get_browser.py
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder $(COVERAGE) $(ARGS)

# Both options are spelt out because nbval hands them to the notebooks' kernels, and can't use pytest-cov's defaults: a
# bare --cov kills the kernel.
.PHONY: cover
cover: COVERAGE := --cov=ttapi_nb --cov-config=pyproject.toml
cover: test

# While you work: no browser, no notebooks, no coverage; a few examples of each property, a few cases of each long
# table, and not what computes for long. `make test` leaves out nothing. Each process would load nbval for a second.
.PHONY: quick
quick: .venv/installed-test
	TTAPI_TEST_QUICK=1 $(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder \
	    -p no:nbval -o addopts="--import-mode=importlib --strict-config --strict-markers" \
	    -m "not slow" --ignore=tests/ui tests $(ARGS)

.PHONY: check
check: .venv/installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# Scripts in a folder, in the order of their names; a leading underscore marks a helper.
define run_scripts
@set -- $(1)/[!_]*.py; \
if [ ! -e "$$1" ]; then echo "Nothing was run: there is no script in $(1) yet."; exit 0; fi; \
for script; do echo "== $$script"; $(BIN)/python "$$script" || exit 1; done
endef

.PHONY: bench
bench: .venv/installed-test
	$(BIN)/python tests/benchmarks/_report.py $(ARGS)

.PHONY: trust
trust: .venv/installed-test
	$(call run_scripts,tests/trust)

# The build's own tools are in it too: nothing that CI runs comes unchecked. Look through the difference before a commit.
# Two are left out that jsonschema does without: a grammar of addresses, which it never checks here, took two seconds of
# the processor in each server that starts.
.PHONY: lock
lock:
	printf '%s\n' 'hatchling>=1.27' editables | uv pip compile pyproject.toml - --extra test --upgrade --quiet \
	    --python-version 3.11 --python-platform x86_64-manylinux_2_28 \
	    --generate-hashes --no-emit-index-url --no-annotate --no-header \
	    --no-emit-package lark --no-emit-package rfc3987-syntax --output-file requirements-lock.new
	{ echo '# What tests and CI install on Linux x86_64 with Python 3.11, each file by its hash. Renewed by: make lock'; \
	    cat requirements-lock.new; } >requirements-lock.txt
	rm requirements-lock.new

.PHONY: clean
clean:
	rm -rf .venv build dist htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find notebooks tests ttapi_nb -name __pycache__ -prune -exec rm -rf {} +

# A second run installs nothing, unless pyproject.toml or the Python under .venv has changed since.
.venv/installed-lab: .venv/bin/python pyproject.toml
	@echo "Installing ttapi_nb and JupyterLab into .venv; the first time takes a few minutes."
	@$(BIN)/python -m pip install --quiet --editable ".[lab]"
	@touch $@

# The lock holds for one platform and one Python. Others take what pyproject.toml allows. It names all there is to
# install, and --no-deps keeps an older pip from asking for an extra of a package in a release that it does not name.
# What is compiled is what is used, as it is first used: pip would take half a minute for all of it, one by one.
.venv/installed-test: .venv/bin/python pyproject.toml requirements-lock.txt
	@echo "Installing ttapi_nb and what its tests need into .venv; the first time takes a few minutes."
	@if $(BIN)/python -c 'import platform, sys; sys.exit((sys.platform, platform.machine(), sys.version_info[:2], \
	    sys.implementation.name) != ("linux", "x86_64", (3, 11), "cpython"))'; then \
	    $(BIN)/python -m pip install --quiet --no-compile --no-deps --require-hashes --requirement requirements-lock.txt \
	        && $(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .; \
	else \
	    $(BIN)/python -m pip install --quiet --editable ".[test]"; \
	fi
	@touch $@ .venv/installed-lab

# Debian keeps ensurepip in a package of its own. Without it `venv` can make no pip, but the pip outside can.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	    echo 'ttapi_nb needs Python 3.11 or newer, and "$(PYTHON)" is not: name one that is, as in' \
	        '"make $(or $(MAKECMDGOALS),lab) PYTHON=python3.12".' >&2; exit 1; }
	@if $(PYTHON) -c 'import ensurepip' 2>/dev/null; then \
	    $(PYTHON) -m venv --clear .venv; \
	else \
	    $(PYTHON) -m venv --clear --without-pip .venv \
	        && $(PYTHON) -m pip --python .venv/bin/python install --quiet pip; \
	fi || { rm -rf .venv; \
	    echo 'No virtual environment could be made: "$(PYTHON)" lacks its venv or pip module' \
	        '(Debian and Ubuntu: apt-get install python3-venv python3-pip).' >&2; exit 1; }
