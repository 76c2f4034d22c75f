// SPDX-License-Identifier: GPL-2.0-only
/* POLL_MOD: what watches are about from now on. */
#include <linux/file.h>
#include <linux/poll.h>

#include "src_poll.h"

struct mod {
	const struct ioevq_req *req;
	struct file *file;		/* of all of them, held; or NULL: each has its own */
	struct list_head todo;		/* &ioevq_kreq.recheck; watches to be armed */
	unsigned int changed;
	unsigned int others;		/* exclusive where that was not given, or the reverse */
	bool wider;			/* one is for more than before */
};

/*
 * Change one watch, which sleeps from now on until it is armed. Events of it that
 * are in the ring stay as they are, and do not count for the new ones.
 */
static void mod_one(struct mod *mod, struct ioevq_watch *w)
{
	const struct ioevq_req *req = mod->req;
	struct ioevq_queue *q = w->kreq.q;
	__poll_t before;

	spin_lock_irq(&q->lock);
	if (w->kreq.state != IOEVQ_LIVE || (w->mode ^ req->op_flags) & IOEVQ_POLL_EXCLUSIVE) {
		mod->others += w->kreq.state == IOEVQ_LIVE;
		spin_unlock_irq(&q->lock);
		return;
	}
	mod->changed++;
	if (req->op_flags & IOEVQ_POLL_MOD_USER_DATA && req->off != w->kreq.rec.ev.user_data)
		ioevq_index_rename(&q->index, &w->kreq, req->off);
	before = w->mask;
	ioevq_poll_set(w, req->op_arg, req->op_flags);
	if (w->mask & ~before)
		mod->wider = true;
	ioevq_watch_arm(w, false);
	ioevq_watch_forget(w);
	ioevq_recheck_forget(&w->kreq);
	list_add_tail(&w->kreq.recheck, &mod->todo);
	w->folded = 0;
	spin_unlock_irq(&q->lock);
}

/* As if it were new. The caller holds the file. */
static void arm_one(struct ioevq_watch *w, struct file *file, bool wider)
{
	poll_table pt = { ._key = w->mask };
	struct ioevq_queue *q = w->kreq.q;
	__poll_t ready;

	/*
	 * Either ->poll sees that the file was made ready, or its wake-up what is watched for. That
	 * we are armed it reads under queue->lock.
	 */
	if (wider)
		ioevq_watch_pass(w);
	ready = ioevq_poll_ask(w, file, &pt, true);
	spin_lock_irq(&q->lock);
	if (w->kreq.state == IOEVQ_LIVE && w->armed)
		ioevq_poll_found(w, ready);
	spin_unlock_irq(&q->lock);
}

/* The event of the request has its place: what is announced from now on is behind it. */
static void arm_all(struct ioevq_queue *q, struct mod *mod)
{
	struct ioevq_watch *w;
	struct file *file;

	spin_lock_irq(&q->lock);
	while ((w = list_first_entry_or_null(&mod->todo, struct ioevq_watch, kreq.recheck))) {
		list_del_init(&w->kreq.recheck);
		ioevq_watch_arm(w, true);
		spin_unlock_irq(&q->lock);
		/* It stays: to be freed takes the mutex. */
		file = mod->file ?: ioevq_watch_file(w);
		if (file)
			arm_one(w, file, mod->wider);
		if (file && !mod->file)
			ioevq_queue_fput(q, file);
		cond_resched();
		spin_lock_irq(&q->lock);
	}
	spin_unlock_irq(&q->lock);
}

static bool matches(struct ioevq_kreq *kreq, const struct ioevq_req *req)
{
	return !(req->op_flags & IOEVQ_POLL_MOD_MATCH) || kreq->rec.ev.user_data == req->addr;
}

/* All watches of the file that were submitted for the descriptor. 0 or -EBADF. */
static int mod_by_fd(struct ioevq_queue *q, struct mod *mod)
{
	struct file *file = fget(mod->req->fd);
	struct ioevq_kreq *kreq;

	if (!file)
		return -EBADF;
	mod->file = file;
	hlist_for_each_entry(kreq, ioevq_index_file(&q->index, file), by_file) {
		if (ioevq_poll_is(kreq, file, mod->req->fd) && matches(kreq, mod->req))
			mod_one(mod, container_of(kreq, struct ioevq_watch, kreq));
		cond_resched();
	}
	return 0;
}

/* The same for those with this user data, whatever they are about. */
static void mod_by_user_data(struct ioevq_queue *q, struct mod *mod)
{
	struct ioevq_kreq *kreq;
	struct hlist_node *next;

	hlist_for_each_entry_safe(kreq, next, ioevq_index_user_data(&q->index, mod->req->addr),
				  by_user_data) {
		if (kreq->src != &ioevq_src_poll || !matches(kreq, mod->req))
			continue;
		mod_one(mod, container_of(kreq, struct ioevq_watch, kreq));
		cond_resched();
	}
}

static int poll_mod_submit(struct ioevq_queue *q, struct ioevq_kreq *kreq,
			   const struct ioevq_req *req)
{
	struct mod mod = { .req = req, .todo = LIST_HEAD_INIT(mod.todo) };
	int err = 0;

	if (ioevq_poll_check(req->op_arg, req->op_flags) ||
	    (!(req->op_flags & IOEVQ_POLL_MOD_MATCH) && req->addr) ||
	    (!(req->op_flags & IOEVQ_POLL_MOD_USER_DATA) && req->off) ||
	    (req->fd == -1 && !(req->op_flags & IOEVQ_POLL_MOD_MATCH)))
		return -EINVAL;
	if (req->fd == -1)
		mod_by_user_data(q, &mod);
	else
		err = mod_by_fd(q, &mod);
	if (!err && !mod.changed)
		err = mod.others ? -EINVAL : -ENOENT;
	if (!err) {
		err = ioevq_done(kreq, mod.changed, 0);
		arm_all(q, &mod);
	}
	if (mod.file)
		ioevq_queue_fput(q, mod.file);
	return err;
}

const struct ioevq_source ioevq_src_poll_mod = {
	.size = sizeof(struct ioevq_kreq),
	.op_flags = IOEVQ_POLL_FLAGS | IOEVQ_POLL_MOD_MATCH | IOEVQ_POLL_MOD_USER_DATA,
	.req_flags = IOEVQ_REQ_SKIP_SUCCESS,
	.uses = IOEVQ_USES_FD | IOEVQ_USES_ADDR | IOEVQ_USES_OFF | IOEVQ_USES_ARG,
	.at_once = true,
	.submit = poll_mod_submit,
};
