# SPDX-License-Identifier: GPL-2.0-only
# libFuzzer, clang's, feeds each parser; a finding is an assertion, or one of the sanitizers.
PARSERS := services times records requests trace files
PARSERS_CC ?= clang
PARSERS_FLAGS := -g -O1 -std=gnu11 -D_GNU_SOURCE= -Dfuzz_input=LLVMFuzzerTestOneInput -Wall -Wextra -Werror -Wno-macro-redefined -Wno-unused-function \
	-fsanitize=fuzzer,address,undefined -fno-sanitize-recover=all \
	-I$(ROOT)/tools/lib/ioevq/include -I$(ROOT)/uapi
SUPERVISE := $(filter-out %/main.c,$(wildcard $(ROOT)/tools/ioevq/supervise/*.c)) \
	$(addprefix $(ROOT)/tools/ioevq/,device.c program.c words.c json.c) $(wildcard $(ROOT)/tools/lib/ioevq/*.c)
KVLOG := $(ROOT)/tools/examples/kvlog

SOURCES_services := $(ROOT)/tools/ioevq/supervise/parse.c
SOURCES_times := $(SUPERVISE)
SOURCES_records := $(KVLOG)/log.c $(KVLOG)/crc.c
SOURCES_requests := $(ROOT)/tools/lib/ioevq/ioevq.c
SOURCES_trace := $(ROOT)/tools/ioevq/trace/format.c $(ROOT)/tools/ioevq/trace/record.c
SOURCES_files := $(ROOT)/tools/ioevq/words.c

parsers: $(PARSERS:%=$(OUT)/parser-%)

$(OUT)/parser-%: $(HERE)/parsers/%.c $(wildcard $(HERE)/parsers/*.[hm]* $(KVLOG)/*.[ch] \
		$(ROOT)/tools/ioevq/*.[ch] $(ROOT)/tools/ioevq/*/*.[ch]) | $(OUT)
	$(PARSERS_CC) $(PARSERS_FLAGS) -o $@ $< $(SOURCES_$*)

.PHONY: parsers
