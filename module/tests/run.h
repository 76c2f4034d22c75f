/* SPDX-License-Identifier: GPL-2.0-only */
/* The unit tests, where they are built in: see Kbuild. */
#ifndef IOEVQ_TESTS_RUN_H
#define IOEVQ_TESTS_RUN_H

#if defined(IOEVQ_DEBUG) && IS_ENABLED(CONFIG_KUNIT)
void ioevq_tests_run(void);
void ioevq_tests_exit(void);
#else
static inline void ioevq_tests_run(void)
{
}

static inline void ioevq_tests_exit(void)
{
}
#endif

#endif
