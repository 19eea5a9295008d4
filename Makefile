# SPDX-License-Identifier: Apache-2.0
# The short words of the README. Everything else is in meson.build.
#
#   make build   programs in build/, build/caisson usable in place
#   make test    build, then all tests; TESTS="tests/cli/help.bats" for some of them
#   make engines what tests/cli/runtime-engines.bats runs caisson-runtime under
#   make vm-test the tests of what depends on the kernel, under the distribution's own, in qemu
#   make demo    a real image, hardened, attacked from inside
#   make bench   the numbers, beside every other engine found on this machine
#   make install [PREFIX=/usr/local] [DESTDIR=]
#
# Each installs what it lacks from the distribution's packages first; DEPS=no leaves that out.
BUILD ?= build
PREFIX ?= /usr/local
DESTDIR ?=
TESTS ?=
IMAGES ?=
DEPS ?= yes
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
MESON_FLAGS ?=
VM_FLAGS ?=

export CAISSON_BUILD := $(abspath $(BUILD))
ifneq ($(IMAGES),)
export CAISSON_TEST_IMAGES := $(abspath $(IMAGES))
endif

.PHONY: build tests-configured test engines vm-test demo bench install format fuzz clean deps deps-build deps-test deps-engines deps-vm deps-demo deps-ci

build: deps-build $(BUILD)/build.ninja
	ninja -C $(BUILD) -j $(JOBS)

$(BUILD)/build.ninja:
	meson setup $(BUILD) --prefix=$(PREFIX) --libexecdir=libexec $(MESON_FLAGS)

# Whoever built before the test's packages were there has a build directory without unit tests.
tests-configured: deps-test $(BUILD)/build.ninja
	@if [ "$$(cat $(BUILD)/meson-info/intro-tests.json)" = "[]" ]; then meson setup --reconfigure $(BUILD); fi

test: tests-configured build
	python3 tests/run.py --build $(BUILD) $(TESTS)

engines: deps-engines build
	tools/engines.sh $(BUILD)/engines

vm-test: deps-vm build
	tests/vm/run --build $(BUILD) $(VM_FLAGS) $(TESTS)

demo: deps-demo build
	tools/demo.sh $(BUILD)

bench: build
	python3 tests/bench/bench.py --build $(BUILD)

install: build
	meson configure $(BUILD) --prefix=$(PREFIX)
	DESTDIR=$(DESTDIR) meson install -C $(BUILD) --strip --quiet

format:
	clang-format -i $$(git ls-files '*.c' '*.h')

fuzz: deps-ci
	tests/fuzz/run.sh 60

clean:
	rm -rf $(BUILD)

deps: deps-build deps-test deps-demo

deps-build deps-test deps-engines deps-vm deps-demo deps-ci: deps-%:
ifeq ($(DEPS),yes)
	@tools/deps.sh $*
endif
