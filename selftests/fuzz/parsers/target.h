/* SPDX-License-Identifier: GPL-2.0-only */
/* What libFuzzer calls, by a name of its own, with whatever it has come up with. */
#ifndef IOEVQ_FUZZ_TARGET_H
#define IOEVQ_FUZZ_TARGET_H

#include <stddef.h>
#include <stdint.h>

int fuzz_input(const uint8_t *data, size_t size);

#endif
