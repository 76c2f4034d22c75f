// SPDX-License-Identifier: GPL-2.0-only
/*
 * Limits: requests per queue and per user, rings and workers per user. A queue counts for the
 * user who opened it, whoever uses it later. The kernel's own counters (ucounts) are not
 * exported, hence a small table.
 */
#include <linux/cred.h>
#include <linux/hashtable.h>
#include <linux/slab.h>

#include "queue.h"

static DEFINE_MUTEX(users_mutex);
static DEFINE_HASHTABLE(users, 6);

/* Find or create the counters of the caller. NULL: no memory. */
struct ioevq_user *ioevq_user_get(void)
{
	kuid_t uid = current_uid();
	struct ioevq_user *user;

	mutex_lock(&users_mutex);
	hash_for_each_possible(users, user, node, __kuid_val(uid)) {
		if (uid_eq(user->uid, uid)) {
			refcount_inc(&user->queues);
			goto out;
		}
	}
	user = kzalloc(sizeof(*user), GFP_KERNEL_ACCOUNT);
	if (user) {
		user->uid = uid;
		refcount_set(&user->queues, 1);
		hash_add(users, &user->node, __kuid_val(uid));
	}
out:
	mutex_unlock(&users_mutex);
	return user;
}

void ioevq_user_put(struct ioevq_user *user)
{
	if (!refcount_dec_and_mutex_lock(&user->queues, &users_mutex))
		return;
	hash_del(&user->node);
	mutex_unlock(&users_mutex);
	if (user->workers)
		destroy_workqueue(user->workers);
	if (user->closers)
		destroy_workqueue(user->closers);
	kfree(user);
}

/*
 * Users have workers of their own: a hung file system takes none from others.
 * Returns 0 or -ENOMEM.
 */
int ioevq_user_need_workers(struct ioevq_user *user)
{
	unsigned int max = clamp(ioevq_max_user_workers, 1U, 512U);

	if (READ_ONCE(user->workers))
		return 0;
	mutex_lock(&users_mutex);
	if (!user->workers)
		WRITE_ONCE(user->workers, alloc_workqueue("ioevq-%u", WQ_UNBOUND, max,
							  __kuid_val(user->uid)));
	mutex_unlock(&users_mutex);
	return user->workers ? 0 : -ENOMEM;
}

/*
 * The same for releases of files: one may take as long as who closes it wants. NULL: no
 * memory. May sleep.
 */
struct workqueue_struct *ioevq_user_closers(struct ioevq_user *user)
{
	if (READ_ONCE(user->closers))
		return user->closers;
	mutex_lock(&users_mutex);
	if (!user->closers)
		WRITE_ONCE(user->closers,
			   alloc_workqueue("ioevq-close-%u", WQ_UNBOUND, WQ_MAX_ACTIVE,
					   __kuid_val(user->uid)));
	mutex_unlock(&users_mutex);
	return user->closers;
}

/* Count one more request: 0, -EAGAIN (queue) or -EDQUOT (user). */
int ioevq_charge(struct ioevq_queue *q)
{
	if (atomic_inc_return(&q->requests) > READ_ONCE(ioevq_max_requests)) {
		atomic_dec(&q->requests);
		return -EAGAIN;
	}
	if (atomic_inc_return(&q->user->requests) > READ_ONCE(ioevq_max_user_requests)) {
		ioevq_uncharge(q);
		return -EDQUOT;
	}
	return 0;
}

/* What a request holds besides itself, in requests: 0 or -EDQUOT. */
int ioevq_charge_user(struct ioevq_user *user, unsigned int n)
{
	if (atomic_add_return(n, &user->requests) <= READ_ONCE(ioevq_max_user_requests))
		return 0;
	ioevq_uncharge_user(user, n);
	return -EDQUOT;
}

void ioevq_uncharge_user(struct ioevq_user *user, unsigned int n)
{
	atomic_sub(n, &user->requests);
}

void ioevq_uncharge(struct ioevq_queue *q)
{
	atomic_dec(&q->requests);
	atomic_dec(&q->user->requests);
}
