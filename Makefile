# SPDX-License-Identifier: GPL-2.0-only
# ioevq: module, library, demo and tests.
#   make            the module for both stock kernels, the library and the tools
#   make demo       the example server, driven in a virtual machine
#   make check      static checks, all selftests and some servers on both stock kernels
#   make check-all      all that there is to check, in hours, and a table
#   make check-debug    of these the selftests on the debug kernels
#   make analyze        clang, clang-tidy, cppcheck, coccinelle, the use of the stack
#   make check-servers  all real servers, on the kernel's epoll and on /dev/ioevq
#   make check-fio      what fio writes by its engine on /dev/ioevq, verified
#   make bench-fio      fio's engines side by side
#   make check-python  the Python bindings: tests of their own, and CPython's on their event loop
#   make check-crash    that an example loses nothing that it acknowledged when QEMU is killed
#   make check-posix-aio  the POSIX test suite's cases of <aio.h>, on ours and on glibc's
#   make check-mutants  that the selftests notice when a law is broken
#   make soak MINUTES=n     everything at once on Linux K (6.1), all of it accounted for
#   make fuzz SECONDS=n     the fuzzer, guided by the coverage of the module, on a debug kernel
#   make fuzz-parsers SECONDS=n  libFuzzer, on all that parses text or files
#   make model      the models of the queue and of the concurrency value, verified
.DELETE_ON_ERROR:
STOCK := 6.1 6.12
KERNEL := tools/vm/kernel
MODULE_SRC := Kbuild $(wildcard module/*.[ch] module/*/*.[ch]) uapi/linux/ioevq.h

all: $(STOCK:%=build/%/ioevq.ko) lib tools

# Kbuild writes beside its sources: each kernel gets a tree of links.
build/%/ioevq.ko: $(MODULE_SRC) build/%/kdir
	cp -rsf $(CURDIR)/Kbuild $(CURDIR)/module $(CURDIR)/uapi build/$*
	$(MAKE) -s -C "$$(cat build/$*/kdir)" M=$(CURDIR)/build/$* $(MODULE_FLAGS) \
		$(if $(filter debug-% kcsan-%,$*),IOEVQ_DEBUG=y) modules

# What it was built against: another kernel in the cache means to start anew.
build/%/kdir: FORCE
	@tools/check/deps build
	@dir=$$($(KERNEL) kdir $*) && if [ "$$(cat $@ 2>/dev/null)" != "$$dir" ]; then \
		rm -rf $(@D) && mkdir -p $(@D) && echo "$$dir" >$@; fi

.PRECIOUS: build/%/kdir

lib:
	$(MAKE) -s -C tools/lib/ioevq

# The epoll and the <aio.h> of LD_PRELOAD, and the command that uses them.
tools:
	$(MAKE) -s -C tools/compat/epoll
	$(MAKE) -s -C tools/compat/aio
	$(MAKE) -s -C tools/ioevq

examples: lib
	$(MAKE) -s -C tools/examples

selftests: lib tools
	$(MAKE) -s -C selftests KSRC="$$($(KERNEL) source .)"

demo:
	tools/check/deps build vm demo
	$(MAKE) -s build/6.1/ioevq.ko examples
	tools/demo/run

check:
	tools/check/deps build vm check model servers debug
	tools/check/standard

check-debug:
	tools/check/all debug-6.1 coverage debug-6.12 kcsan-6.1

check-all:
	tools/check/all

analyze:
	tools/check/deps build analyze vm
	$(MAKE) -s lib tools
	tools/check/analyze

check-servers:
	tools/check/deps build vm servers
	tools/servers/run

check-fio:
	tools/check/deps build vm fio
	tools/fio/check

bench-fio:
	tools/check/deps build vm fio
	tools/fio/bench

check-python:
	tools/check/deps build vm python
	tools/python/check

check-crash:
	tools/check/deps build vm demo crash
	tools/examples/kvlog/crash-test

check-posix-aio:
	tools/check/deps build vm
	tools/compat/aio/conformance

check-mutants:
	tools/check/deps build vm check
	$(MAKE) -s selftests
	tools/check/mutants

MINUTES ?= 30
K ?= 6.1
soak:
	tools/check/deps build vm check
	$(MAKE) -s -C selftests/soak
	tools/vm/run -k $(K) -t $$(($(MINUTES) * 60 + 1200)) -- \
		selftests/soak/run --minutes $(MINUTES) $(if $(SEED),--seed $(SEED))

SECONDS ?= 600
fuzz:
	tools/check/deps build vm debug fuzz
	selftests/fuzz/run -s $(SECONDS) $(FUZZ_FLAGS)

fuzz-parsers:
	tools/check/deps fuzz
	$(MAKE) -s -C selftests/fuzz parsers
	selftests/fuzz/parsers/run $(SECONDS)

model:
	tools/check/deps model
	Documentation/model/run

install: lib tools
	$(MAKE) -s -C tools/lib/ioevq install
	$(MAKE) -s -C tools/compat/epoll install
	$(MAKE) -s -C tools/compat/aio install
	$(MAKE) -s -C tools/ioevq install

clean:
	rm -rf build

FORCE:

.PHONY: FORCE all lib tools examples selftests demo check check-debug check-all analyze \
	check-mutants check-servers check-fio bench-fio check-crash check-posix-aio \
	check-python soak fuzz fuzz-parsers model install clean
