// SPDX-License-Identifier: GPL-2.0-only
/* The ioctls, by table. Structures carry their size and may grow. */
#include <linux/fs.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/uaccess.h>

#include "buf.h"
#include "fclose.h"
#include "ioctl.h"
#include "req.h"
#include "trace.h"
#include "wake.h"

#define KNOWN_SETUP_FLAGS	(IOEVQ_SETUP_MAPPED | IOEVQ_SETUP_CONCURRENCY)
#define CLOCK_FLAGS		(IOEVQ_ENTER_ABSTIME | IOEVQ_ENTER_BOOTTIME | IOEVQ_ENTER_REALTIME)
#define KNOWN_ENTER_FLAGS	(IOEVQ_ENTER_SIGMASK | IOEVQ_ENTER_PASS_ON | CLOCK_FLAGS)

static long do_info(struct file *file, union ioevq_args *args)
{
	struct ioevq_queue *q = file->private_data;
	const struct ioevq_source *src = ioevq_source(args->info.op);
	struct ioevq_info info;

	if (!src)
		return -EOPNOTSUPP;
	ioevq_queue_state(q, &info);
	info.size = sizeof(info);
	info.op = args->info.op;
	info.abi_version = IOEVQ_ABI_VERSION;
	info.event_size = sizeof(struct ioevq_event);
	info.features = IOEVQ_FEAT_CONCURRENCY | IOEVQ_FEAT_BUFFERS;
	if (ioevq_fclose_works())
		info.features |= IOEVQ_FEAT_CLOSE_HOOK;
	info.ops = READ_ONCE(q->ops);
	info.req_flags = src->req_flags;
	info.op_flags = src->op_flags;
	info.setup_flags = KNOWN_SETUP_FLAGS;
	info.enter_flags = KNOWN_ENTER_FLAGS;
	info.default_entries = ioevq_default_entries;
	info.max_entries = ioevq_max_entries;
	info.max_requests = READ_ONCE(ioevq_max_requests);
	info.max_user_requests = READ_ONCE(ioevq_max_user_requests);
	args->info = info;
	return 0;
}

/* What can be said of it without its queue. */
int ioevq_check_setup(const struct ioevq_setup *setup)
{
	if (setup->flags & ~KNOWN_SETUP_FLAGS)
		return -EOPNOTSUPP;
	if (setup->concurrency && !(setup->flags & IOEVQ_SETUP_CONCURRENCY))
		return -EINVAL;
	return 0;
}

static long do_setup(struct file *file, union ioevq_args *args)
{
	struct ioevq_queue *q = file->private_data;
	struct ioevq_setup *setup = &args->setup;
	int err = ioevq_check_setup(setup);

	if (!err)
		err = ioevq_queue_setup(q, setup);
	if (err)
		return err;
	setup->entries = q->ring.entries;
	setup->ring_size = ioevq_ring_bytes(q->ring.entries);
	setup->ring_offset = 0;
	return 0;
}

static int submit(struct ioevq_queue *q, struct ioevq_enter *enter)
{
	const struct ioevq_req __user *reqs = u64_to_user_ptr(enter->reqs);
	s64 __user *results = u64_to_user_ptr(enter->results);
	const struct ioevq_source *src;
	struct ioevq_req req;
	s64 res;
	u32 first = 0, end = 0;	/* releases of files */
	bool locked = false;
	int err = 0;

	for (; enter->submitted < enter->nr_reqs; enter->submitted++) {
		if (fatal_signal_pending(current)) {
			err = -EINTR;
			break;
		}
		/* An answer must have somewhere to go before anything happens. */
		if (copy_from_user(&req, reqs + enter->submitted, sizeof(req)) ||
		    (enter->results && put_user(IOEVQ_NO_RESULT, results + enter->submitted))) {
			err = -EFAULT;
			break;
		}
		src = ioevq_source(req.op);
		/* A message takes no mutex, nor does what is refused anyway. */
		if (!locked && src && src->size) {
			if (mutex_lock_interruptible(&q->mutex)) {
				err = -EINTR;
				break;
			}
			locked = true;
			WRITE_ONCE(q->submitting, true);
			q->sleepy = enter->min && enter->timeout_ns;
			first = READ_ONCE(q->nr_releases);
			ioevq_sweep(q);
		}
		trace_ioevq_submit(q, &req);
		err = ioevq_submit_one(q, src, &req, enter->results ? &res : NULL);
		if (err < 0) {
			trace_ioevq_refuse(q, &req, err);
			break;
		}
		if (err == IOEVQ_DONE)
			trace_ioevq_done(q, &req);
		/* It was taken away since: the request stands. */
		if (err == IOEVQ_DONE && enter->results &&
		    put_user(res, results + enter->submitted)) {
			enter->submitted++;
			err = -EFAULT;
			break;
		}
		err = 0;
		cond_resched();
	}
	if (locked) {
		/* What was cancelled leaves its file before we may sleep. */
		ioevq_sweep(q);
		WRITE_ONCE(q->submitting, false);
		end = READ_ONCE(q->nr_releases);
		ioevq_unlock(q);
		ioevq_wait_releases(q, first, end);
	}
	return err;
}

/*
 * sigprocmask() is what is exported; the rest is what set_user_sigmask() does:
 * the old mask is restored here, or, after -EINTR, by the delivery of the signal.
 */
static int wait_sigmask(struct ioevq_queue *q, struct ioevq_enter *enter)
{
	sigset_t mask;
	int ret;

	if (enter->flags & IOEVQ_ENTER_SIGMASK) {
		BUILD_BUG_ON(sizeof(mask) != sizeof(enter->sigmask));
		memcpy(&mask, &enter->sigmask, sizeof(mask));
		sigdelsetmask(&mask, sigmask(SIGKILL) | sigmask(SIGSTOP));
		current->saved_sigmask = current->blocked;
		set_restore_sigmask();
		sigprocmask(SIG_SETMASK, &mask, NULL);
	}
	ret = ioevq_wait(q, enter);
	if (enter->flags & IOEVQ_ENTER_SIGMASK && ret != -EINTR && test_and_clear_restore_sigmask())
		sigprocmask(SIG_SETMASK, &current->saved_sigmask, NULL);
	return ret;
}

/* How long something takes has nothing to do with the time of day. */
static bool clock_is_valid(u32 flags)
{
	return !(flags & IOEVQ_ENTER_REALTIME) ||
	       (flags & CLOCK_FLAGS) == (IOEVQ_ENTER_REALTIME | IOEVQ_ENTER_ABSTIME);
}

int ioevq_check_enter(const struct ioevq_enter *enter, fmode_t mode)
{
	if (enter->flags & ~KNOWN_ENTER_FLAGS)
		return -EOPNOTSUPP;
	if (enter->nr_reqs > IOEVQ_MAX_BATCH || (enter->max && enter->min > enter->max) ||
	    enter->timeout_ns < -1 || !clock_is_valid(enter->flags) ||
	    (!(enter->flags & IOEVQ_ENTER_SIGMASK) && enter->sigmask))
		return -EINVAL;
	if ((enter->nr_reqs && !(mode & FMODE_WRITE)) ||
	    ((enter->min || enter->max) && !(mode & FMODE_READ)))
		return -EBADF;
	return 0;
}

static long do_enter(struct file *file, union ioevq_args *args)
{
	struct ioevq_queue *q = file->private_data;
	struct ioevq_enter *enter = &args->enter;
	int err;

	enter->submitted = 0;
	err = ioevq_check_enter(enter, file->f_mode);
	if (err)
		return err;
	err = ioevq_queue_use(q);
	if (err)
		return err;
	if (enter->nr_reqs) {
		err = submit(q, enter);
		if (err)
			return err;
	} else {
		ioevq_tidy(q);
	}
	return wait_sigmask(q, enter);
}

static long restrict_ops(struct ioevq_queue *q, u64 ops)
{
	if (mutex_lock_interruptible(&q->mutex))
		return -EINTR;
	/*
	 * The outer one waits for submissions under way, the inner one for SETUP. A message
	 * takes neither: one that is being sent may still pass.
	 */
	mutex_lock(&q->setup_mutex);
	WRITE_ONCE(q->ops, q->ops & ops);
	mutex_unlock(&q->setup_mutex);
	ioevq_unlock(q);
	return 0;
}

int ioevq_check_control(const struct ioevq_control *control, fmode_t mode)
{
	if (!(mode & FMODE_WRITE))
		return -EBADF;
	if (control->__reserved ||
	    (control->nr && control->cmd != IOEVQ_CONTROL_REGISTER_BUFFERS))
		return -EINVAL;
	switch (control->cmd) {
	case IOEVQ_CONTROL_REGISTER_BUFFERS:
	case IOEVQ_CONTROL_RESTRICT:
	case IOEVQ_CONTROL_ALERT:
		return 0;
	case IOEVQ_CONTROL_UNREGISTER_BUFFERS:
	case IOEVQ_CONTROL_CLEAR_ALERT:
		return control->arg ? -EINVAL : 0;
	case IOEVQ_CONTROL_CONCURRENCY:
		return control->arg > IOEVQ_UNLIMITED ? -EINVAL : 0;
	default:
		return -EOPNOTSUPP;
	}
}

static long do_control(struct file *file, union ioevq_args *args)
{
	struct ioevq_queue *q = file->private_data;
	u64 arg = args->control.arg;
	int err = ioevq_check_control(&args->control, file->f_mode);

	if (err)
		return err;
	switch (args->control.cmd) {
	case IOEVQ_CONTROL_REGISTER_BUFFERS:
		return ioevq_bufs_register(q, arg, args->control.nr);
	case IOEVQ_CONTROL_UNREGISTER_BUFFERS:
		return ioevq_bufs_unregister(q);
	case IOEVQ_CONTROL_RESTRICT:
		return restrict_ops(q, arg);
	}
	err = ioevq_queue_use(q);
	if (err)
		return err;
	if (args->control.cmd == IOEVQ_CONTROL_CONCURRENCY)
		ioevq_set_limit(q, arg);
	else
		ioevq_set_alert(q, args->control.cmd == IOEVQ_CONTROL_ALERT, arg);
	return 0;
}

static const struct ioevq_ioctl ioctls[] = {
	[_IOC_NR(IOEVQ_IOC_INFO)] = {
		.size = sizeof(struct ioevq_info),
		.min_size = offsetofend(struct ioevq_info, wakeups),
		.answers = true,
		.fn = do_info,
	},
	[_IOC_NR(IOEVQ_IOC_SETUP)] = {
		.size = sizeof(struct ioevq_setup),
		.min_size = offsetofend(struct ioevq_setup, ring_offset),
		.answers = true,
		.fn = do_setup,
	},
	[_IOC_NR(IOEVQ_IOC_ENTER)] = {
		.size = sizeof(struct ioevq_enter),
		.min_size = offsetofend(struct ioevq_enter, sigmask),
		.answers = true,
		.fn = do_enter,
	},
	[_IOC_NR(IOEVQ_IOC_CONTROL)] = {
		.size = sizeof(struct ioevq_control),
		.min_size = offsetofend(struct ioevq_control, arg),
		.fn = do_control,
	},
};

/* NULL: no such ioctl. */
const struct ioevq_ioctl *ioevq_ioctl_find(unsigned int cmd)
{
	unsigned int nr = _IOC_NR(cmd);

	if (cmd != _IO(IOEVQ_TYPE, nr) || nr >= ARRAY_SIZE(ioctls))
		return NULL;
	return &ioctls[array_index_nospec(nr, ARRAY_SIZE(ioctls))];
}

/* @size: of the structure, as the caller knows it. What is unknown of it must be zero. */
int ioevq_ioctl_check_size(const struct ioevq_ioctl *ioc, u32 size)
{
	if (size < ioc->min_size)
		return -EINVAL;
	return size > PAGE_SIZE ? -E2BIG : 0;
}

/*
 * Who has the same structure as we, as a rule, is served by copies of a constant size: they
 * cost half. What ENTER answers in it is one field.
 */
static long enter_as_we_know_it(struct file *file, union ioevq_args *args,
				struct ioevq_enter __user *user)
{
	long ret;

	/* An answer must have somewhere to go before anything happens. */
	if (put_user(0, &user->submitted))
		return -EFAULT;
	ret = do_enter(file, args);
	/* Events that were taken are not lost by that. */
	if (args->enter.submitted && put_user(args->enter.submitted, &user->submitted) && !ret)
		ret = -EFAULT;
	return ret;
}

long ioevq_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	const struct ioevq_ioctl *ioc = ioevq_ioctl_find(cmd);
	void __user *user = (void __user *)arg;
	union ioevq_args args;
	u32 size;
	long ret;

	if (cmd == IOEVQ_IOC_ENTER && !copy_from_user(&args.enter, user, sizeof(args.enter)) &&
	    args.enter.size == sizeof(args.enter))
		return enter_as_we_know_it(file, &args, user);
	if (!ioc)
		return -ENOTTY;
	if (get_user(size, (u32 __user *)user))
		return -EFAULT;
	ret = ioevq_ioctl_check_size(ioc, size);
	if (ret)
		return ret;
	ret = copy_struct_from_user(&args, ioc->size, user, size);
	if (ret)
		return ret;
	/* An answer must have somewhere to go before anything happens. */
	size = min_t(u32, size, ioc->size);
	if (ioc->answers && copy_to_user(user, &args, size))
		return -EFAULT;
	ret = ioc->fn(file, &args);
	/* As above: it may be ENTER. */
	if (ioc->answers && copy_to_user(user, &args, size) && !ret)
		ret = -EFAULT;
	return ret;
}
