# SPDX-License-Identifier: Apache-2.0
# The short way to everything; CMake does the work (CMakePresets.json).
.DEFAULT_GOAL := build
.PHONY: deps build-deps build demo check interop interop-long bench bench-seed install package
.PHONY: symbols conformance conformance-matrix mutants hostile fuzz sim-long planted clean help

JOBS ?= $(shell nproc 2>/dev/null || echo 2)
PREFIX  ?= /usr/local
RELEASE  = build/release

# Themes of tests/interop that have a form of some minutes.
LONG_THEMES = sleeper pexlong

help:
	@echo "make build    the release programs, in build/bin/"
	@echo "make demo     a network of four nodes before your eyes"
	@echo "make check    every test layer, with sanitizers"
	@echo "make interop  only the tests against real peers (needs Go 1.23)"
	@echo "make interop-long  their long forms: $(LONG_THEMES)"
	@echo "make install  library, headers, programs and manual into PREFIX ($(PREFIX)), below DESTDIR"
	@echo "make package  the Debian packages, in build/package/"
	@echo "make symbols  writes the list of exported symbols anew"
	@echo "make bench    us and the peers side by side (QUICK=1: the main rows, under 10 minutes)"
	@echo "make bench-seed  our seed beside a CometBFT node in seed mode (8 minutes)"
	@echo "make conformance  only yardspec against our own node"
	@echo "make conformance-matrix  released versions (needs Go)"
	@echo "make mutants  does yardspec see deliberate faults?"
	@echo "make sim-long  2,000 seeds of 25 nodes under every fault"
	@echo "make planted  does the simulator find bugs that no unit test finds?"
	@echo "make hostile  attacks on a release build over real sockets, in full (some minutes)"
	@echo "make fuzz     every fuzz target for FUZZ_SECONDS (600) each (needs clang)"
	@echo "make deps     what building and testing needs (apt-get)"
	@echo "make clean    removes build/"

deps:
	@scripts/deps.sh

build-deps:
	@scripts/deps.sh build

build: build-deps
	@cmake --preset release >/dev/null
	@cmake --build build/release -j $(JOBS)
	@mkdir -p build/bin && ln -sfn ../release/bin/yard build/bin/yard
	@ln -sfn ../release/bin/yardspec build/bin/yardspec
	@echo "build/bin/yard and build/bin/yardspec are ready"

demo: build
	@python3 scripts/demo.py

check:
	@scripts/check.sh

interop: build
	@python3 tests/interop/run.py

interop-long: build
	@SY_INTEROP_LONG=1 python3 tests/interop/run.py $(LONG_THEMES)

install: build-deps
	@cmake --preset release -B "$(RELEASE)" >/dev/null
	@cmake --build "$(RELEASE)" -j $(JOBS)
	@cmake --install "$(RELEASE)" --prefix "$(PREFIX)" >/dev/null
	@echo "installed into $(DESTDIR)$(PREFIX)"

package:
	@scripts/deps.sh package
	@scripts/package.sh build/package

symbols:
	@scripts/symbols.py --write

bench: build
	@python3 tests/bench/run.py $(if $(filter 1,$(QUICK)),--quick)

bench-seed: build
	@python3 tests/bench/seed.py

conformance: build
	@python3 tests/conformance/run.py

conformance-matrix: build
	@python3 tests/interop/build.py --all
	@python3 tests/conformance/matrix.py --write

mutants: build
	@cmake --preset mutants >/dev/null
	@cmake --build build/mutants -j $(JOBS) --target yard
	@python3 tests/conformance/mutants.py

sim-long: build-deps
	@cmake --preset planted >/dev/null
	@cmake --build build/planted -j $(JOBS) --target sim_storm
	@build/planted/tests/sim_storm --seeds 2000

planted: deps
	@cmake --preset planted >/dev/null
	@cmake --build build/planted -j $(JOBS)
	@python3 tests/sim/planted.py

hostile: build-deps
	@cmake --preset hostile >/dev/null
	@cmake --build build/hostile -j $(JOBS) --target hostile_programs
	@python3 tests/hostile/run.py --full

fuzz: deps
	@python3 tests/fuzz/run.py --seconds $(or $(FUZZ_SECONDS),600)

clean:
	rm -rf build
