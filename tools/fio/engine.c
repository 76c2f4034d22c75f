// SPDX-License-Identifier: GPL-2.0-only
/*
 * An engine for fio(1): its file I/O by a queue of /dev/ioevq.
 *
 *	fio --ioengine=external:/PATH/ioevq.so ...
 *
 * fio hands over requests one by one, says when to submit them (iodepth_batch of them,
 * one as a rule), and asks for what is done. It runs an instance for each job, in a
 * process or thread of its own: nothing here is shared.
 *
 * All buffers of a job are one piece of memory, which fio has allocated when it calls
 * post_init(). With "fixedbufs", as the option of io_uring's engine, that is one registered
 * buffer.
 */
#include <fio.h>
#include <optgroup.h>

#include <ioevq.h>

/* @pad: fio takes an option at offset 0 for none */
struct engine_options {
	void *pad;
	unsigned int vectored;
	unsigned int fixedbufs;
};

/*
 * @queue: where it all goes
 * @reqs: what was queued and not submitted yet, @nr of them
 * @io_us: whose they are
 * @iovs: for @reqs if they are vectored, one each: used by the submission alone
 * @events: what getevents() has taken
 */
struct engine {
	struct ioevq queue;
	struct ioevq_req *reqs;
	struct io_u **io_us;
	struct iovec *iovs;
	struct ioevq_event *events;
	unsigned int nr;
};

static struct fio_option options[] = {
	{
		.name = "vectored",
		.lname = "Vectored requests",
		.type = FIO_OPT_BOOL,
		.off1 = offsetof(struct engine_options, vectored),
		.def = "0",
		.help = "Hand buffers over as vectors of one",
		.category = FIO_OPT_C_ENGINE,
		.group = FIO_OPT_G_INVALID,
	},
	{
		.name = "fixedbufs",
		.lname = "Registered buffers",
		.type = FIO_OPT_BOOL,
		.off1 = offsetof(struct engine_options, fixedbufs),
		.def = "0",
		.help = "Register the memory of the job once, and name it in each request",
		.category = FIO_OPT_C_ENGINE,
		.group = FIO_OPT_G_INVALID,
	},
	{
		.name = NULL,
	},
};

static void engine_cleanup(struct thread_data *td)
{
	struct engine *e = td->io_ops_data;

	if (!e)
		return;
	ioevq_close(&e->queue);
	free(e->reqs);
	free(e->io_us);
	free(e->iovs);
	free(e->events);
	free(e);
	td->io_ops_data = NULL;
}

static int engine_init(struct thread_data *td)
{
	const struct engine_options *o = td->eo;
	unsigned int depth = td->o.iodepth;
	struct engine *e;
	int ret;

	if (o->vectored && o->fixedbufs) {
		td_verror(td, EINVAL, "ioevq: a registered buffer takes no vector");
		return 1;
	}
	e = calloc(1, sizeof(*e));
	if (!e) {
		td_verror(td, ENOMEM, "ioevq: engine");
		return 1;
	}
	/* Nothing but what is done here: a mistake is refused, and does no harm. */
	ret = ioevq_open(&e->queue, depth,
			 1 << IOEVQ_OP_READ | 1 << IOEVQ_OP_WRITE | 1 << IOEVQ_OP_FSYNC);
	if (ret) {
		td_verror(td, -ret, "ioevq: open /dev/ioevq");
		free(e);
		return 1;
	}
	td->io_ops_data = e;
	e->reqs = calloc(depth, sizeof(*e->reqs));
	e->io_us = calloc(depth, sizeof(struct io_u *));
	e->iovs = calloc(depth, sizeof(*e->iovs));
	e->events = calloc(depth, sizeof(*e->events));
	if (!e->reqs || !e->io_us || !e->iovs || !e->events) {
		td_verror(td, ENOMEM, "ioevq: requests");
		engine_cleanup(td);
		return 1;
	}
	return 0;
}

/* Without them the job fails: its numbers would be of something else. */
static int engine_post_init(struct thread_data *td)
{
	const struct engine_options *o = td->eo;
	struct engine *e = td->io_ops_data;
	struct ioevq_buffer buffer = {
		.addr = (uintptr_t)td->orig_buffer, .len = td->orig_buffer_size,
	};
	int ret;

	/* Nothing to transfer: a job of trims. */
	if (!o->fixedbufs || !td->orig_buffer)
		return 0;
	ret = ioevq_register_buffers(&e->queue, &buffer, 1);
	if (!ret)
		return 0;
	td_verror(td, -ret, "ioevq: register the buffers");
	return 1;
}

static void prep_rw(struct engine *e, const struct engine_options *o, const struct io_u *io_u)
{
	unsigned int op = io_u->ddir == DDIR_READ ? IOEVQ_OP_READ : IOEVQ_OP_WRITE;
	struct ioevq_req *req = &e->reqs[e->nr];
	struct iovec *iov = &e->iovs[e->nr];

	if (!o->vectored) {
		ioevq_prep_rw(req, op, io_u->file->fd, io_u->xfer_buf, io_u->xfer_buflen,
			      io_u->offset, (uintptr_t)io_u);
		if (o->fixedbufs)
			req->op_flags = IOEVQ_RW_FIXED;
		return;
	}
	iov->iov_base = io_u->xfer_buf;
	iov->iov_len = io_u->xfer_buflen;
	ioevq_prep_rw(req, op, io_u->file->fd, iov, 1, io_u->offset, (uintptr_t)io_u);
	req->op_flags = IOEVQ_RW_VECTOR;
}

static enum fio_q_status engine_queue(struct thread_data *td, struct io_u *io_u)
{
	struct engine *e = td->io_ops_data;

	fio_ro_check(td, io_u);
	if (e->nr == td->o.iodepth)
		return FIO_Q_BUSY;
	switch (io_u->ddir) {
	case DDIR_READ:
	case DDIR_WRITE:
		prep_rw(e, td->eo, io_u);
		break;
	case DDIR_SYNC:
	case DDIR_DATASYNC:
		/* It is about what is done by then, as fsync(2). fio knows (fsync= in fio(1)). */
		ioevq_prep_fsync(&e->reqs[e->nr], io_u->file->fd,
				 io_u->ddir == DDIR_DATASYNC ? IOEVQ_FSYNC_DATASYNC : 0,
				 (uintptr_t)io_u);
		break;
	default:
		/* What the interface has not: by system call, once all before it is out. */
		if (e->nr)
			return FIO_Q_BUSY;
		if (io_u->ddir != DDIR_TRIM) {
			do_io_u_sync(td, io_u);
			return FIO_Q_COMPLETED;
		}
		do_io_u_trim(td, io_u);
		io_u_mark_submit(td, 1);
		io_u_mark_complete(td, 1);
		return FIO_Q_COMPLETED;
	}
	e->io_us[e->nr++] = io_u;
	return FIO_Q_QUEUED;
}

/* @nr requests, from @io_us on, are submitted: the time from here on is theirs. */
static void mark_issued(struct thread_data *td, struct io_u **io_us, unsigned int nr)
{
	struct timespec now;
	unsigned int i;

	io_u_mark_submit(td, nr);
	if (!fio_fill_issue_time(td))
		return;
	fio_gettime(&now, NULL);
	for (i = 0; i < nr; i++) {
		io_us[i]->issue_time = now;
		io_u_queued(td, io_us[i]);
	}
	if (td->o.read_iolog_file)
		td->last_issue = now;
}

static int engine_commit(struct thread_data *td)
{
	struct engine *e = td->io_ops_data;
	unsigned int done = 0;
	int ret = 0;

	while (done < e->nr) {
		ret = ioevq_submit(&e->queue, e->reqs + done, e->nr - done);
		if (ret == -EINTR)
			continue;
		if (ret <= 0)
			break;
		mark_issued(td, e->io_us + done, (unsigned int)ret);
		done += (unsigned int)ret;
	}
	/* What was refused is first now: for another try, if it is fio that has to wait. */
	e->nr -= done;
	memmove(e->reqs, e->reqs + done, e->nr * sizeof(*e->reqs));
	memmove(e->io_us, e->io_us + done, e->nr * sizeof(struct io_u *));
	memmove(e->iovs, e->iovs + done, e->nr * sizeof(*e->iovs));
	for (done = 0; done < e->nr; done++)
		if (e->reqs[done].op_flags & IOEVQ_RW_VECTOR && e->reqs[done].op != IOEVQ_OP_FSYNC)
			e->reqs[done].addr = (uintptr_t)&e->iovs[done];
	if (ret >= 0)
		return 0;
	/* A limit that is not ours: it passes when something that is out comes back. */
	if ((ret == -EAGAIN || ret == -EDQUOT || ret == -ENOMEM) && td->io_u_in_flight)
		return 0;
	return ret;
}

static int engine_getevents(struct thread_data *td, unsigned int min, unsigned int max,
			    const struct timespec *t)
{
	struct engine *e = td->io_ops_data;
	int64_t timeout = t ? t->tv_sec * 1000000000LL + t->tv_nsec : IOEVQ_FOREVER;
	unsigned int n = 0;
	int ret;

	if (!td->o.iodepth_batch_complete_min)
		min = 0;
	do {
		ret = ioevq_wait(&e->queue, e->events + n, min > n ? min - n : 0, max - n, timeout);
		if (ret == -EINTR)
			continue;
		if (ret < 0)
			return ret;
		n += (unsigned int)ret;
	} while (n < min && !t);
	return (int)n;
}

static struct io_u *engine_event(struct thread_data *td, int event)
{
	struct engine *e = td->io_ops_data;
	const struct ioevq_event *ev = &e->events[event];
	struct io_u *io_u = (struct io_u *)(uintptr_t)ev->user_data;

	io_u->error = 0;
	if (ev->res < 0)
		io_u->error = (unsigned int)-ev->res;
	else if (!ddir_sync(io_u->ddir))
		io_u->resid = io_u->xfer_buflen - (unsigned long long)ev->res;
	return io_u;
}

static char *engine_errdetails(struct io_u *io_u)
{
	char *text = NULL;

	if (asprintf(&text, "ioevq: op %d, %llu bytes at %llu: %s", io_u->ddir, io_u->xfer_buflen,
		     io_u->offset, strerror((int)io_u->error)) < 0)
		return NULL;
	return text;
}

/* fio finds it by this name. */
struct ioengine_ops ioengine = {
	.name = "ioevq",
	.version = FIO_IOOPS_VERSION,
	.flags = FIO_ASYNCIO_SYNC_TRIM | FIO_ASYNCIO_SETS_ISSUE_TIME,
	.init = engine_init,
	.post_init = engine_post_init,
	.queue = engine_queue,
	.commit = engine_commit,
	.getevents = engine_getevents,
	.event = engine_event,
	.errdetails = engine_errdetails,
	.cleanup = engine_cleanup,
	.open_file = generic_open_file,
	.close_file = generic_close_file,
	.get_file_size = generic_get_file_size,
	.options = options,
	.option_struct_size = sizeof(struct engine_options),
};
