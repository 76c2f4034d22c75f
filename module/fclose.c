// SPDX-License-Identifier: GPL-2.0-only
/*
 * The close hook. fsnotify_close() is the first thing that __fput() does for a
 * file, in process context, before ->release and thus while its wait queues are
 * still alive (fs/file_table.c). We listen with a mark on the super block that asks
 * for close events only.
 *
 * Marks of the pseudo file systems that the kernel mounts for itself (sockets, pipes,
 * anonymous inodes) stay, so that watching a file of theirs costs no lock of all
 * CPUs. Elsewhere, for FIFOs, ttys and devices, the mark goes with the last watch: only
 * as long do closes of other files there cost a look into our table. (A mark on the
 * inode would cost them nothing. But it goes with the last name of the inode, while
 * files are open, and then a close can go by unseen.)
 *
 * fsnotify is a notification interface, not a contract: a self test at load time
 * proves it on the running kernel, and without it nothing is watched.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/module.h>
#include <linux/rculist.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <linux/workqueue.h>

#include "compat/compat.h"
#include "fclose.h"
#include "point.h"

#define BUCKET_BITS	14
#define CLOSE_MASK	(FS_CLOSE_WRITE | FS_CLOSE_NOWRITE)
/* Watches of one file that are ended in one hold of the lock. */
#define END_BATCH	64

static struct bucket {
	spinlock_t lock;		/* watches of files that hash here; see queue.h */
	struct hlist_head files;	/* the first watch of each */
} buckets[1 << BUCKET_BITS];

struct ioevq_mark {
	struct fsnotify_mark mark;
	struct super_block *sb;		/* only compared */
	struct list_head node;		/* of marks or pseudo_marks */
	unsigned int users;		/* marks_mutex; watches, if not a pseudo file system */
};

static atomic_t nr_marks;		/* with those that fsnotify still refers to */
static DEFINE_MUTEX(marks_mutex);
static LIST_HEAD(marks);		/* marks_mutex */
static LIST_HEAD(pseudo_marks);		/* marks_mutex to add, RCU to read */
static struct fsnotify_group *group;
static bool works;

bool ioevq_fclose_works(void)
{
	return works;
}

static struct bucket *bucket_of(struct file *file)
{
	return &buckets[hash_ptr(file, BUCKET_BITS)];
}

/* Who leads the watches of @file, or NULL. Under the lock of the bucket. */
static struct ioevq_fwatch *find_first(struct bucket *b, struct file *file)
{
	struct ioevq_fwatch *fw;

	hlist_for_each_entry(fw, &b->files, node)
		if (fw->file == file)
			return fw;
	return NULL;
}

/* It is watched no more. Another leads then. Under the lock of the bucket. */
static void end(struct ioevq_fwatch *fw, bool by_close)
{
	struct ioevq_fwatch *next = hlist_entry_safe(fw->others.first, struct ioevq_fwatch, node);

	fw->closed(fw, by_close);
	fw->file = NULL;
	if (next) {
		hlist_del(&next->node);
		hlist_move_list(&fw->others, &next->others);
		hlist_add_behind(&next->node, &fw->node);
	}
	/* Who finds the bucket empty knows that we left: the acquire in handle_event(). */
	smp_wmb();
	hlist_del(&fw->node);
}

/*
 * __fput() of @data's file: nobody has a reference, so that no watch can be added. We
 * are inside of fsnotify's SRCU and must not wait for anything of user space.
 */
static int handle_event(struct fsnotify_group *grp, u32 mask, const void *data, int data_type,
			struct inode *dir, const struct qstr *name, u32 cookie,
			struct fsnotify_iter_info *iter)
{
	const struct path *path = data;
	struct ioevq_fwatch *first, *fw;
	struct bucket *b;
	struct file *file;
	unsigned int n = 0;

	if (WARN_ON_ONCE(data_type != FSNOTIFY_EVENT_PATH))
		return 0;
	/* Only compared: a path that is not part of a file matches none. */
	file = container_of(path, struct file, f_path);
	b = bucket_of(file);
	/*
	 * Whoever put a watch there held the file: that was before its last fput(). Who
	 * took it away has left the wait queues: pairs with end().
	 */
	if (!smp_load_acquire(&b->files.first))
		return 0;
	ioevq_point(IOEVQ_POINT_CLOSING);
	spin_lock(&b->lock);
	while ((first = find_first(b, file))) {
		/* Who leads last: it would have to be found again. */
		do {
			fw = hlist_entry_safe(first->others.first, struct ioevq_fwatch, node);
			end(fw ?: first, true);
		} while (fw && ++n % END_BATCH);
		cond_resched_lock(&b->lock);
	}
	spin_unlock(&b->lock);
	return 0;
}

static void free_mark(struct fsnotify_mark *mark)
{
	kfree(container_of(mark, struct ioevq_mark, mark));
	if (atomic_dec_and_test(&nr_marks))
		wake_up_var(&nr_marks);
}

static const struct fsnotify_ops group_ops = {
	.handle_event = handle_event,
	.free_mark = free_mark,
};

/* RCU or marks_mutex is held. A mark dies with its super block. */
static struct ioevq_mark *find_mark(struct list_head *list, struct super_block *sb)
{
	struct ioevq_mark *m;

	list_for_each_entry_rcu(m, list, node, lockdep_is_held(&marks_mutex))
		if (m->sb == sb && READ_ONCE(m->mark.flags) & FSNOTIFY_MARK_FLAG_ALIVE)
			return m;
	return NULL;
}

static struct ioevq_mark *add_mark(struct list_head *list, struct super_block *sb)
{
	struct ioevq_mark *m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);
	int err;

	if (!m)
		return ERR_PTR(-ENOMEM);
	atomic_inc(&nr_marks);
	fsnotify_init_mark(&m->mark, group);
	m->mark.mask = CLOSE_MASK;
	m->sb = sb;
	err = compat_add_sb_mark(&m->mark, sb);
	if (err) {
		fsnotify_put_mark(&m->mark);
		return ERR_PTR(err);
	}
	list_add_rcu(&m->node, list);
	return m;
}

static int mark_pseudo(struct super_block *sb)
{
	struct ioevq_mark *m;

	rcu_read_lock();
	m = find_mark(&pseudo_marks, sb);
	rcu_read_unlock();
	if (m)
		return 0;
	mutex_lock(&marks_mutex);
	m = find_mark(&pseudo_marks, sb) ?: add_mark(&pseudo_marks, sb);
	mutex_unlock(&marks_mutex);
	return PTR_ERR_OR_ZERO(m);
}

/* From now on the close of @file is told. */
static int mark_get(struct ioevq_fwatch *fw, struct file *file)
{
	struct super_block *sb = file->f_path.dentry->d_sb;
	struct ioevq_mark *m;

	fw->mark = NULL;
	if (compat_file_is_silent(file))
		return -EOPNOTSUPP;
	if (sb->s_flags & SB_NOUSER)
		return mark_pseudo(sb);
	mutex_lock(&marks_mutex);
	m = find_mark(&marks, sb) ?: add_mark(&marks, sb);
	if (!IS_ERR(m)) {
		m->users++;
		fw->mark = m;
	}
	mutex_unlock(&marks_mutex);
	return PTR_ERR_OR_ZERO(m);
}

static void mark_put(struct ioevq_fwatch *fw)
{
	struct ioevq_mark *m = fw->mark;

	if (!m)
		return;
	mutex_lock(&marks_mutex);
	if (!--m->users) {
		list_del(&m->node);
		fsnotify_destroy_mark(&m->mark, group);
		fsnotify_put_mark(&m->mark);
	}
	mutex_unlock(&marks_mutex);
}

static int watch(struct ioevq_fwatch *fw, struct file *file)
{
	struct bucket *b = bucket_of(file);
	struct ioevq_fwatch *first;
	int err;

	err = mark_get(fw, file);
	if (err)
		return err;
	fw->file = file;
	fw->bucket = b - buckets;
	INIT_HLIST_HEAD(&fw->others);
	spin_lock(&b->lock);
	first = find_first(b, file);
	hlist_add_head(&fw->node, first ? &first->others : &b->files);
	spin_unlock(&b->lock);
	return 0;
}

/*
 * Start to watch. The caller has attached to @file what closed() detaches, and holds
 * a reference: the close comes after. May sleep. Returns 0, or -EOPNOTSUPP (this file
 * tells nobody of its close) or -ENOMEM, and then closed() was not called.
 */
int ioevq_fclose_watch(struct ioevq_fwatch *fw, struct file *file)
{
	return works ? watch(fw, file) : -EOPNOTSUPP;
}

/* Stop to watch. After the return closed() was called and is not running. May sleep. */
void ioevq_fclose_unwatch(struct ioevq_fwatch *fw)
{
	struct bucket *b = &buckets[fw->bucket];

	ioevq_point(IOEVQ_POINT_UNWATCH);
	spin_lock(&b->lock);
	if (fw->file)
		end(fw, false);
	spin_unlock(&b->lock);
	mark_put(fw);
}

/* A reference to the file, or NULL if it is being closed. */
struct file *ioevq_fclose_get(struct ioevq_fwatch *fw)
{
	struct bucket *b = &buckets[fw->bucket];
	struct file *file = NULL;

	spin_lock(&b->lock);
	if (fw->file && atomic_long_inc_not_zero(&fw->file->f_count))
		file = fw->file;
	spin_unlock(&b->lock);
	return file;
}

static const struct file_operations test_fops = {
	.owner = THIS_MODULE,
};

struct self_test {
	struct work_struct work;
	struct ioevq_fwatch fw;
	bool seen;
};

static void self_test_closed(struct ioevq_fwatch *fw, bool by_close)
{
	container_of(fw, struct self_test, fw)->seen = by_close;
}

/* Does closing a file call us before ->release? In a kernel thread: __fput_sync(). */
static void self_test(struct work_struct *work)
{
	struct self_test *t = container_of(work, struct self_test, work);
	struct file *file = anon_inode_getfile("[ioevq-test]", &test_fops, NULL, O_RDWR);

	if (IS_ERR(file))
		return;
	t->fw.closed = self_test_closed;
	if (!watch(&t->fw, file)) {
		__fput_sync(file);
		ioevq_fclose_unwatch(&t->fw);
	} else {
		__fput_sync(file);
	}
}

int ioevq_fclose_init(void)
{
	struct self_test t = {};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(buckets); i++)
		spin_lock_init(&buckets[i].lock);
	group = fsnotify_alloc_group(&group_ops, 0);
	if (IS_ERR(group))
		return PTR_ERR(group);

	INIT_WORK_ONSTACK(&t.work, self_test);
	schedule_work(&t.work);
	flush_work(&t.work);
	destroy_work_on_stack(&t.work);
	works = t.seen;
	if (!works)
		pr_warn("close hook does not work on this kernel: IOEVQ_OP_POLL is refused\n");
	return 0;
}

void ioevq_fclose_exit(void)
{
	struct ioevq_mark *m, *tmp;

	WARN_ON(!list_empty(&marks));
	list_for_each_entry_safe(m, tmp, &pseudo_marks, node) {
		fsnotify_destroy_mark(&m->mark, group);
		fsnotify_put_mark(&m->mark);
	}
	/*
	 * Others may have a reference for as long as a fanotify daemon thinks about a
	 * permission. Then free_mark() runs from a work of fsnotify's, in our text.
	 */
	wait_var_event(&nr_marks, !atomic_read(&nr_marks));
	fsnotify_put_group(group);
	fsnotify_wait_marks_destroyed();
}
