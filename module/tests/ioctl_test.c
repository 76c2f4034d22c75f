// SPDX-License-Identifier: GPL-2.0-only
/* What an ioctl may say: sizes, flags and values. Requests are for submit_test.c. */
#include <linux/mm.h>

#include "../ioctl.h"
#include "tests.h"

#define RW	(FMODE_READ | FMODE_WRITE)

/* Each structure from its first version, which never changes, to a page. */
static void ioctl_sizes(struct kunit *test)
{
	static const struct {
		unsigned int cmd;
		u32 min;
		u32 size;
	} known[] = {
		{ IOEVQ_IOC_INFO, 96, sizeof(struct ioevq_info) },
		{ IOEVQ_IOC_SETUP, 40, sizeof(struct ioevq_setup) },
		{ IOEVQ_IOC_ENTER, 56, sizeof(struct ioevq_enter) },
		{ IOEVQ_IOC_CONTROL, 16, sizeof(struct ioevq_control) },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(known); i++) {
		const struct ioevq_ioctl *ioc = ioevq_ioctl_find(known[i].cmd);

		KUNIT_ASSERT_NOT_NULL(test, ioc);
		KUNIT_EXPECT_EQ(test, ioc->size, known[i].size);
		KUNIT_EXPECT_LE(test, ioc->size, sizeof(union ioevq_args));
		KUNIT_EXPECT_EQ(test, ioevq_ioctl_check_size(ioc, 0), -EINVAL);
		KUNIT_EXPECT_EQ(test, ioevq_ioctl_check_size(ioc, known[i].min - 1), -EINVAL);
		KUNIT_EXPECT_EQ(test, ioevq_ioctl_check_size(ioc, known[i].min), 0);
		KUNIT_EXPECT_EQ(test, ioevq_ioctl_check_size(ioc, known[i].size), 0);
		KUNIT_EXPECT_EQ(test, ioevq_ioctl_check_size(ioc, known[i].size + 8), 0);
		KUNIT_EXPECT_EQ(test, ioevq_ioctl_check_size(ioc, PAGE_SIZE), 0);
		KUNIT_EXPECT_EQ(test, ioevq_ioctl_check_size(ioc, PAGE_SIZE + 1), -E2BIG);
		KUNIT_EXPECT_EQ(test, ioevq_ioctl_check_size(ioc, U32_MAX), -E2BIG);
	}
}

static void ioctl_unknown(struct kunit *test)
{
	static const unsigned int cmds[] = {
		0, 1, 2, 3, _IO(IOEVQ_TYPE, 4), _IO(IOEVQ_TYPE, 255), _IO(IOEVQ_TYPE - 1, 0),
		_IO(IOEVQ_TYPE + 1, 2), _IOR(IOEVQ_TYPE, 0, u32), _IOW(IOEVQ_TYPE, 2, u64),
		IOEVQ_IOC_ENTER | 1U << 31, ~0U,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cmds); i++)
		KUNIT_EXPECT_NULL_MSG(test, ioevq_ioctl_find(cmds[i]), "ioctl %#x", cmds[i]);
}

static void ioctl_setup(struct kunit *test)
{
	const u32 known = IOEVQ_SETUP_MAPPED | IOEVQ_SETUP_CONCURRENCY;
	struct ioevq_setup setup = {};
	unsigned int bit;

	KUNIT_EXPECT_EQ(test, ioevq_check_setup(&setup), 0);
	for (bit = 0; bit < 32; bit++) {
		setup.flags = BIT(bit);
		KUNIT_EXPECT_EQ_MSG(test, ioevq_check_setup(&setup),
				    setup.flags & known ? 0 : -EOPNOTSUPP, "bit %u", bit);
	}
	setup.concurrency = 1;
	setup.flags = IOEVQ_SETUP_CONCURRENCY;
	KUNIT_EXPECT_EQ(test, ioevq_check_setup(&setup), 0);
	setup.flags = IOEVQ_SETUP_MAPPED;
	KUNIT_EXPECT_EQ(test, ioevq_check_setup(&setup), -EINVAL);
}

static void ioctl_enter_flags(struct kunit *test)
{
	const u32 known = IOEVQ_ENTER_SIGMASK | IOEVQ_ENTER_PASS_ON | IOEVQ_ENTER_ABSTIME |
			  IOEVQ_ENTER_BOOTTIME;
	struct ioevq_enter enter = {};
	unsigned int bit;

	for (bit = 0; bit < 32; bit++) {
		int want = BIT(bit) & known ? 0 : -EOPNOTSUPP;

		enter.flags = BIT(bit);
		/* The time of day is no duration. */
		if (enter.flags == IOEVQ_ENTER_REALTIME)
			want = -EINVAL;
		KUNIT_EXPECT_EQ_MSG(test, ioevq_check_enter(&enter, RW), want, "bit %u", bit);
	}
	enter.flags = IOEVQ_ENTER_REALTIME | IOEVQ_ENTER_ABSTIME;
	KUNIT_EXPECT_EQ(test, ioevq_check_enter(&enter, RW), 0);
	enter.flags |= IOEVQ_ENTER_BOOTTIME;
	KUNIT_EXPECT_EQ(test, ioevq_check_enter(&enter, RW), -EINVAL);
}

static void ioctl_enter(struct kunit *test)
{
	static const struct {
		struct ioevq_enter enter;
		fmode_t mode;
		int want;
	} cases[] = {
		{ {}, 0, 0 },
		{ { .nr_reqs = IOEVQ_MAX_BATCH }, FMODE_WRITE, 0 },
		{ { .nr_reqs = IOEVQ_MAX_BATCH + 1 }, RW, -EINVAL },
		{ { .nr_reqs = U32_MAX }, RW, -EINVAL },
		{ { .min = 3, .max = 3 }, FMODE_READ, 0 },
		{ { .min = 4, .max = 3 }, RW, -EINVAL },
		{ { .min = 4 }, FMODE_READ, 0 },
		{ { .timeout_ns = -1 }, RW, 0 },
		{ { .timeout_ns = -2 }, RW, -EINVAL },
		{ { .timeout_ns = S64_MIN }, RW, -EINVAL },
		{ { .timeout_ns = S64_MAX }, RW, 0 },
		{ { .sigmask = 1 }, RW, -EINVAL },
		{ { .sigmask = 1, .flags = IOEVQ_ENTER_SIGMASK }, RW, 0 },
		{ { .nr_reqs = 1 }, FMODE_READ, -EBADF },
		{ { .min = 1 }, FMODE_WRITE, -EBADF },
		{ { .max = 1 }, FMODE_WRITE, -EBADF },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		KUNIT_EXPECT_EQ_MSG(test, ioevq_check_enter(&cases[i].enter, cases[i].mode),
				    cases[i].want, "case %u", i);
}

static void ioctl_control(struct kunit *test)
{
	static const struct {
		struct ioevq_control control;
		int want;
	} cases[] = {
		{ { .cmd = 0 }, -EOPNOTSUPP },
		{ { .cmd = 7 }, -EOPNOTSUPP },
		{ { .cmd = U32_MAX }, -EOPNOTSUPP },
		{ { .cmd = IOEVQ_CONTROL_RESTRICT, .arg = U64_MAX }, 0 },
		{ { .cmd = IOEVQ_CONTROL_CONCURRENCY, .arg = IOEVQ_UNLIMITED }, 0 },
		{ { .cmd = IOEVQ_CONTROL_CONCURRENCY, .arg = IOEVQ_UNLIMITED + 1ULL }, -EINVAL },
		{ { .cmd = IOEVQ_CONTROL_ALERT, .arg = U64_MAX }, 0 },
		{ { .cmd = IOEVQ_CONTROL_CLEAR_ALERT }, 0 },
		{ { .cmd = IOEVQ_CONTROL_CLEAR_ALERT, .arg = 1ULL << 32 }, -EINVAL },
		{ { .cmd = IOEVQ_CONTROL_UNREGISTER_BUFFERS }, 0 },
		{ { .cmd = IOEVQ_CONTROL_UNREGISTER_BUFFERS, .arg = 1 }, -EINVAL },
		{ { .cmd = IOEVQ_CONTROL_REGISTER_BUFFERS, .arg = 1, .nr = 1 }, 0 },
		{ { .cmd = IOEVQ_CONTROL_RESTRICT, .nr = 1 }, -EINVAL },
		{ { .cmd = IOEVQ_CONTROL_ALERT, .__reserved = 1 }, -EINVAL },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		KUNIT_EXPECT_EQ_MSG(test, ioevq_check_control(&cases[i].control, FMODE_WRITE),
				    cases[i].want, "case %u", i);
		KUNIT_EXPECT_EQ(test, ioevq_check_control(&cases[i].control, FMODE_READ), -EBADF);
	}
}

static struct kunit_case ioctl_cases[] = {
	KUNIT_CASE(ioctl_sizes),
	KUNIT_CASE(ioctl_unknown),
	KUNIT_CASE(ioctl_setup),
	KUNIT_CASE(ioctl_enter_flags),
	KUNIT_CASE(ioctl_enter),
	KUNIT_CASE(ioctl_control),
	{}
};

struct kunit_suite test_ioctl_suite = {
	.name = "ioevq_ioctl",
	.test_cases = ioctl_cases,
};
