# Inland: `make run` and `make test` work in a fresh clone; `make help` lists the rest.
SHELL := /bin/bash
.DEFAULT_GOAL := help

PYTHON := .venv/bin/python
NATIVE := resolver/native
CARGO  := cargo
# Seconds that `make run` serves after its report; empty: until Ctrl-C.
SECONDS ?=
# More words for the benchmarks.
BENCH ?=

# Tests of whole systems at once.
WAITING ?= $(shell echo $$((2 * $$(nproc))))

TYPED := resolver policy testbed deploy benchmarks tests

export PATH := $(CURDIR)/.venv/bin:$(HOME)/.cargo/bin:$(PATH):/usr/local/sbin:/usr/sbin:/sbin

.PHONY: help setup native run test test-native test-python check image docs fix bench bench-quick \
  bench-profile clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-12s %s\n", $$1, $$2}' Makefile

setup: ## install what is missing (packages, Rust, .venv, the program .venv/bin/inland)
	@deploy/setup.sh test

native: ## build the packet path again, if its sources changed
	@deploy/setup.sh native

run: ## the resolver on a simulated country, live lookups, a border report (SECONDS=20: end by itself)
	@deploy/setup.sh run
	@exec $(PYTHON) -m testbed.tour $(if $(SECONDS),--seconds $(SECONDS))

test: ## every test: native, then Python (parts that need root say so when they are skipped)
	@deploy/setup.sh test
	@$(MAKE) --no-print-directory test-native test-python

test-native:
	$(CARGO) test --quiet --release --manifest-path $(NATIVE)/Cargo.toml

# Where modules are compiled, what is pure is also tried as it is written. Whole systems mostly wait,
# for servers and timers, so two share a core; what stands first takes longest.
test-python:
	[ ! -d .run/compiled ] || INLAND_COMPILED=0 $(PYTHON) -m pytest -q -n auto tests/property tests/unit
	$(PYTHON) -m pytest -q -n auto tests/property tests/unit
	$(PYTHON) -m pytest --ignore=tests/property --ignore=tests/unit \
	  -n $(WAITING) --dist loadscope --no-loadscope-reorder

check: ## format, lint, types, stubs against the native module, house rules
	@deploy/setup.sh test
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .
	$(PYTHON) -m mypy $(wildcard $(addsuffix /,$(TYPED)))
	$(PYTHON) -m mypy.stubtest resolver._native --allowlist tests/stubtest.allow
	$(CARGO) fmt --manifest-path $(NATIVE)/Cargo.toml --check
	$(CARGO) clippy --quiet --manifest-path $(NATIVE)/Cargo.toml --all-targets -- \
	  -D warnings -D clippy::too_many_lines
	$(CARGO) clippy --quiet --release --manifest-path $(NATIVE)/Cargo.toml \
	  --features extension-module -- -D warnings -D clippy::too_many_lines
	$(PYTHON) -m pytest -q tests/test_tidy.py

image: ## a container image from this clone (see deploy/container/build.sh for what may be set)
	@deploy/container/build.sh

docs: ## write what is made from the code: config/ reference and schema, rules, alerts, dashboards
	$(PYTHON) -m resolver.config_docs
	$(PYTHON) -m deploy.dashboards

fix: ## let the formatters write
	$(PYTHON) -m ruff format .
	$(PYTHON) -m ruff check --fix .
	$(CARGO) fmt --manifest-path $(NATIVE)/Cargo.toml

bench: ## all rows beside all peers (says first how long; BENCH="--rows hot,miss --rounds 3")
	@deploy/setup.sh bench
	@exec $(PYTHON) -m benchmarks $(BENCH)

bench-quick: ## hot, miss and mix beside two peers and the kernel's floor, under three minutes
	@deploy/setup.sh bench
	@exec $(PYTHON) -m benchmarks --quick $(BENCH)

bench-profile: ## where the time goes, hot and miss (perf, else callgrind); with symbols
	@deploy/setup.sh bench
	$(CARGO) build --quiet --release --features extension-module \
	  --manifest-path $(NATIVE)/Cargo.toml
	@cp $(NATIVE)/target/release/libinland_native.so resolver/_native.abi3.so
	@exec $(PYTHON) -m benchmarks --profile --rows hot,miss --workers 1 $(BENCH)

clean: ## forget what was built and installed here (Debian packages and Rust stay)
	rm -rf .venv .run $(NATIVE)/target resolver/_native*.so .mypy_cache .ruff_cache .pytest_cache \
	  .hypothesis
