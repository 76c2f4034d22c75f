/* SPDX-License-Identifier: GPL-2.0-only */
/* Protection keys of memory (pkeys(7)), where the processor has them. */
#ifndef IOEVQ_COMPAT_PKRU_H
#define IOEVQ_COMPAT_PKRU_H

#ifdef CONFIG_X86_INTEL_MEMORY_PROTECTION_KEYS
#include <asm/pkru.h>

static inline u32 compat_read_pkru(void)
{
	return read_pkru();
}

static inline void compat_write_pkru(u32 pkru)
{
	write_pkru(pkru);
}
#else
static inline u32 compat_read_pkru(void)
{
	return 0;
}

static inline void compat_write_pkru(u32 pkru)
{
}
#endif

#endif
