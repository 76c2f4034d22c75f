# SPDX-License-Identifier: GPL-2.0-only
# ioevq: module, library, demo and tests.
#   make help       this
#   make            the module for both stock kernels, the library and the tools
#   make lib, make tools    these alone
#   make examples   the example programs, in build/examples
#   make demo       the example server, driven in a virtual machine
#   make check      static checks, all selftests on both stock kernels, some on a debug kernel
#   make check-all      all that there is to check, in hours, and a table
#   make check-debug    of these the selftests on the debug kernels
#   make analyze        clang, clang-tidy, cppcheck, coccinelle, the use of the stack
#   make check-servers  all real servers, on the kernel's epoll and on /dev/ioevq
#   make check-fio      what fio writes by its engine on /dev/ioevq, verified
#   make bench          what events cost, by ioevq and by others, in instructions; BENCH=quick
#   make bench-report   of it a page with plots, in build/bench/report; DATA="6.1.json ..."
#   make bench-fio      fio's engines side by side
#   make check-python   the Python bindings: tests of their own, and CPython's on their event loop
#   make check-tracing  the examples of Documentation/tracing.rst: histograms, perf, bpftrace
#   make check-crash    that an example loses nothing that it acknowledged when QEMU is killed
#   make check-posix-aio  the POSIX test suite's cases of <aio.h>, on ours and on glibc's
#   make check-mutants  that the selftests notice when a law is broken
#   make soak MINUTES=n     everything at once on Linux K (6.1), all of it accounted for
#   make fuzz SECONDS=n     the fuzzer, guided by the coverage of the module, on a debug kernel
#   make fuzz-parsers SECONDS=n  libFuzzer, on all that parses text or files
#   make install, make uninstall    all but the module, with DESTDIR and PREFIX
#   make modules    the module for the running kernel, or KDIR
#   make modules_install, make modules_uninstall    it, with DESTDIR
#   make deb        Debian packages, in build/deb
#   make check-deb  that these install, work, upgrade and go, in a fresh Debian 12
#   make htmldocs   the documentation as a site, in build/htmldocs
#   make check-examples  the programs of the tutorial and the recipes
#   make model      the models of the queue and of the concurrency value, verified
#   make clean      removes build
.DELETE_ON_ERROR:
STOCK := 6.1 6.12
KERNEL := tools/vm/kernel
MODULE_SRC := Kbuild $(wildcard module/*.[ch] module/*/*.[ch]) uapi/linux/ioevq.h

all: $(STOCK:%=build/%/ioevq.ko) lib tools

# Kbuild writes beside its sources: each kernel gets a tree of links. points-K is the module for
# K with the delays at named points that those for debug kernels have, too.
build/%/ioevq.ko: $(MODULE_SRC) build/%/kdir
	cp -rsf $(CURDIR)/Kbuild $(CURDIR)/module $(CURDIR)/uapi build/$*
	$(MAKE) -s -C "$$(cat build/$*/kdir)" M=$(CURDIR)/build/$* $(MODULE_FLAGS) \
		$(if $(filter debug-% kcsan-% points-%,$*),IOEVQ_DEBUG=y) modules

# What it was built against: another kernel in the cache means to start anew.
build/%/kdir: FORCE
	@tools/check/deps build
	@dir=$$($(KERNEL) kdir $(*:points-%=%)) && if [ "$$(cat $@ 2>/dev/null)" != "$$dir" ]; then \
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
	tools/check/deps build vm check docs model servers debug
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

bench:
	tools/check/deps build vm bench
	tools/bench/run $(if $(filter quick,$(BENCH)),-q) $(BENCH_FLAGS)

# Of what there is; if there is nothing it is measured first.
bench-report:
	tools/check/deps report
	$(if $(DATA)$(wildcard build/bench/out/*.json),,$(MAKE) bench)
	tools/bench/report $(or $(DATA),build/bench/out/*.json)

bench-fio:
	tools/check/deps build vm fio
	tools/fio/bench

check-python:
	tools/check/deps build vm python
	tools/python/check

check-tracing:
	tools/check/deps build vm tracing
	tools/tracing/check

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

# What is installed, but for the module; DESTDIR and PREFIX as usual.
PARTS := tools/lib/ioevq tools/compat/epoll tools/compat/aio tools/ioevq tools/python \
	tools/packaging

install: lib tools
	@for part in $(PARTS); do $(MAKE) -s -C $$part install || exit; done

uninstall:
	@for part in $(PARTS); do $(MAKE) -s -C $$part uninstall || exit; done

# The module for one kernel: the running one, or KDIR. By hand it is built anew after each
# update of the kernel; the package's is by dkms.
KDIR ?= /lib/modules/$(shell uname -r)/build
# What uname -r says: in kernel.release Debian's 6.1 has another name.
UTSRELEASE = $(KDIR)/include/generated/utsrelease.h
RELEASE = $(or $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(UTSRELEASE) 2>/dev/null),$(shell uname -r))
MODULE_DIR = $(DESTDIR)/lib/modules/$(RELEASE)/updates

modules:
	@[ -e $(UTSRELEASE) ] || { echo "no headers of a kernel in" \
		"$(KDIR): apt install linux-headers-$$(uname -r), or say KDIR=" >&2; exit 1; }
	@[ "$$(cat build/host/kdir 2>/dev/null)" = "$(KDIR)" ] || rm -rf build/host
	@mkdir -p build/host && echo "$(KDIR)" >build/host/kdir
	@cp -rsf $(CURDIR)/Kbuild $(CURDIR)/module $(CURDIR)/uapi build/host
	$(MAKE) -s -C $(KDIR) M=$(CURDIR)/build/host modules

modules_install: modules
	install -D -m 644 build/host/ioevq.ko "$(MODULE_DIR)/ioevq.ko"
	PATH=$$PATH:/usr/sbin:/sbin depmod -b "$(DESTDIR)/" $(RELEASE)

modules_uninstall:
	rm -f "$(MODULE_DIR)"/ioevq.ko*
	[ ! -d "$(MODULE_DIR)" ] || PATH=$$PATH:/usr/sbin:/sbin depmod -b "$(DESTDIR)/" $(RELEASE)

deb:
	tools/check/deps deb
	tools/packaging/build

check-deb:
	tools/check/deps build vm deb try
	tools/packaging/check

htmldocs:
	tools/check/deps docs
	tools/docs/html

check-examples:
	tools/check/deps build vm
	tools/examples/check

clean:
	rm -rf build

help:
	@sed -n 's/^#   //p' Makefile

FORCE:

.PHONY: FORCE all lib tools examples selftests demo check check-debug check-all analyze \
	check-mutants check-servers check-fio bench bench-report bench-fio check-crash check-posix-aio \
	check-python check-tracing soak fuzz fuzz-parsers model install uninstall modules modules_install \
	modules_uninstall deb check-deb htmldocs check-examples clean help
