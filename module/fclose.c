// SPDX-License-Identifier: GPL-2.0-only
/*
 * The close hook. fsnotify_close() is the first thing that __fput() does for a
 * file, in process context, before ->release and thus while its wait queues are
 * still alive (fs/file_table.c). We listen with a mark that asks for close events
 * only: on the super block for the pseudo file systems that the kernel mounts for
 * itself (sockets, pipes, anonymous inodes), on the inode anywhere else, so that
 * watching a FIFO does not cost every close on its file system. Only when an inode
 * loses its last name, and its marks with it, are its open files watched by a mark
 * of the super block, for as long as it takes.
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
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "compat/compat.h"
#include "fclose.h"

#define BUCKET_BITS	10
#define CLOSE_MASK	(FS_CLOSE_WRITE | FS_CLOSE_NOWRITE)

/* @lock guards the weak pointers to the files that hash here; see queue.h */
static struct bucket {
	spinlock_t lock;	/* head, and the watches in it */
	struct hlist_head head;
} buckets[1 << BUCKET_BITS];

struct ioevq_mark {
	struct fsnotify_mark mark;
	struct super_block *sb;		/* what the mark is on, or the inode's */
	struct list_head node;		/* marks_mutex to add; pseudo_marks, or nothing */
	unsigned int users;		/* marks_mutex; watches, with one reference for all */
	atomic_t live;			/* of these, those in a bucket */
};

/* Guards finding, adding and destroying marks. Nothing sleeps on user space below. */
static DEFINE_MUTEX(marks_mutex);
static LIST_HEAD(pseudo_marks);		/* RCU; a handful, kept until the module goes */
static struct fsnotify_group *group;
static bool works;

bool ioevq_fclose_works(void)
{
	return works;
}

static void leave_bucket(struct ioevq_fwatch *fw)
{
	hlist_del_init(&fw->node);
	fw->file = NULL;
	if (fw->mark)
		atomic_dec(&fw->mark->live);
}

static void end_watch(struct ioevq_fwatch *fw)
{
	leave_bucket(fw);
	fw->closed(fw, true);
}

/* __fput() of @data's file. fsnotify's SRCU lock is held: spin, do not sleep. */
static int handle_event(struct fsnotify_group *grp, u32 mask, const void *data, int data_type,
			struct inode *dir, const struct qstr *name, u32 cookie,
			struct fsnotify_iter_info *iter)
{
	const struct path *path = data;
	struct ioevq_fwatch *fw;
	struct hlist_node *tmp;
	struct bucket *b;
	struct file *file;

	if (WARN_ON_ONCE(data_type != FSNOTIFY_EVENT_PATH))
		return 0;
	/* Only compared: a path that is not part of a file matches none. */
	file = container_of(path, struct file, f_path);
	b = &buckets[hash_ptr(file, BUCKET_BITS)];
	/* Whoever put a watch there held the file: that was before its last fput(). */
	if (hlist_empty(&b->head))
		return 0;
	spin_lock(&b->lock);
	hlist_for_each_entry_safe(fw, tmp, &b->head, node) {
		if (fw->file == file)
			end_watch(fw);
	}
	spin_unlock(&b->lock);
	return 0;
}

static void free_mark(struct fsnotify_mark *mark)
{
	kfree(container_of(mark, struct ioevq_mark, mark));
}

static void freeing_mark(struct fsnotify_mark *mark, struct fsnotify_group *grp);

static const struct fsnotify_ops group_ops = {
	.handle_event = handle_event,
	.freeing_mark = freeing_mark,
	.free_mark = free_mark,
};

/* Find or add our mark on @inode, or if that is NULL on @sb, for one more user. */
static struct ioevq_mark *mark_get_locked(struct super_block *sb, struct inode *inode)
{
	struct fsnotify_mark *found = inode ? compat_find_inode_mark(inode, group)
					    : compat_find_sb_mark(sb, group);
	struct ioevq_mark *m;
	int err;

	lockdep_assert_held(&marks_mutex);

	if (found) {
		m = container_of(found, struct ioevq_mark, mark);
		m->users++;
		fsnotify_put_mark(found);
		return m;
	}
	m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);
	if (!m)
		return ERR_PTR(-ENOMEM);
	fsnotify_init_mark(&m->mark, group);
	m->mark.mask = CLOSE_MASK;
	m->sb = sb;
	m->users = 1;
	err = inode ? fsnotify_add_inode_mark(&m->mark, inode, 0)
		    : compat_add_sb_mark(&m->mark, sb);
	if (err) {
		fsnotify_put_mark(&m->mark);
		return ERR_PTR(err);
	}
	return m;
}

static void mark_put_locked(struct ioevq_mark *m)
{
	lockdep_assert_held(&marks_mutex);

	if (--m->users)
		return;
	fsnotify_destroy_mark(&m->mark, group);
	fsnotify_put_mark(&m->mark);
}

static void mark_put(struct ioevq_mark *m)
{
	if (!m)
		return;
	mutex_lock(&marks_mutex);
	mark_put_locked(m);
	mutex_unlock(&marks_mutex);
}

/*
 * The mark of an inode goes: with its last name (unlink(2)), while files may still
 * be open. It is still on the inode's list, so that every close until now was
 * seen, and none will be from now on (fsnotify_destroy_marks()): whoever relies on
 * it is moved to the super block now. FSNOTIFY_MARK_FLAG_ALIVE is cleared already.
 */
static void freeing_mark(struct fsnotify_mark *mark, struct fsnotify_group *grp)
{
	struct ioevq_mark *m = container_of(mark, struct ioevq_mark, mark), *super;
	unsigned int i, moved = 0;
	struct ioevq_fwatch *fw;
	struct hlist_node *tmp;

	/* Pairs with the one in watch(): we see it in its bucket, or it sees us. */
	smp_mb();
	if (!atomic_read(&m->live))
		return;
	mutex_lock(&marks_mutex);
	super = mark_get_locked(m->sb, NULL);
	for (i = 0; i < ARRAY_SIZE(buckets); i++) {
		spin_lock(&buckets[i].lock);
		hlist_for_each_entry_safe(fw, tmp, &buckets[i].head, node) {
			if (fw->mark != m)
				continue;
			if (IS_ERR(super)) {
				/* No memory: better no watch than one that dangles. */
				end_watch(fw);
				continue;
			}
			fw->mark = super;
			super->users++;
			atomic_inc(&super->live);
			atomic_dec(&m->live);
			moved++;
		}
		spin_unlock(&buckets[i].lock);
	}
	if (!IS_ERR(super))
		mark_put_locked(super);
	while (moved--)
		mark_put_locked(m);
	mutex_unlock(&marks_mutex);
}

static bool pseudo_is_marked(struct super_block *sb)
{
	struct ioevq_mark *m;
	bool found = false;

	rcu_read_lock();
	list_for_each_entry_rcu(m, &pseudo_marks, node)
		found |= m->sb == sb && m->mark.flags & FSNOTIFY_MARK_FLAG_ALIVE;
	rcu_read_unlock();
	return found;
}

/* Such a mark stays until the module goes, or the file system does. */
static int mark_pseudo(struct super_block *sb)
{
	struct ioevq_mark *m;
	int err = 0;

	if (pseudo_is_marked(sb))
		return 0;
	mutex_lock(&marks_mutex);
	if (!pseudo_is_marked(sb)) {
		m = mark_get_locked(sb, NULL);
		err = PTR_ERR_OR_ZERO(m);
		if (!err)
			list_add_rcu(&m->node, &pseudo_marks);
	}
	mutex_unlock(&marks_mutex);
	return err;
}

/* What tells of the close of @file: fw->mark, or NULL if that is there for ever. */
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
	m = mark_get_locked(sb, d_inode(file->f_path.dentry));
	/* At this moment the marks of the inode are going. */
	if (m == ERR_PTR(-ENOENT))
		m = mark_get_locked(sb, NULL);
	mutex_unlock(&marks_mutex);
	if (IS_ERR(m))
		return PTR_ERR(m);
	fw->mark = m;
	return 0;
}

static int watch(struct ioevq_fwatch *fw, struct file *file)
{
	struct ioevq_mark *m;
	struct bucket *b;
	int err;

	fw->bucket = hash_ptr(file, BUCKET_BITS);
	b = &buckets[fw->bucket];
	for (;;) {
		err = mark_get(fw, file);
		if (err)
			return err;
		m = fw->mark;
		spin_lock(&b->lock);
		fw->file = file;
		hlist_add_head(&fw->node, &b->head);
		if (!m)
			break;
		atomic_inc(&m->live);
		/* Pairs with the one in freeing_mark(). */
		smp_mb__after_atomic();
		if (READ_ONCE(m->mark.flags) & FSNOTIFY_MARK_FLAG_ALIVE)
			break;
		leave_bucket(fw);
		spin_unlock(&b->lock);
		mark_put(m);
	}
	spin_unlock(&b->lock);
	return 0;
}

/*
 * Start to watch. The caller has attached to @file what closed() detaches, and holds
 * a reference: the close comes after. (Only freeing_mark(), if it is out of memory, calls
 * closed() earlier.) May sleep. Returns 0, or -EOPNOTSUPP (this file tells nobody of
 * its close) or -ENOMEM, and then closed() was not called.
 */
int ioevq_fclose_watch(struct ioevq_fwatch *fw, struct file *file)
{
	return works ? watch(fw, file) : -EOPNOTSUPP;
}

/* Stop to watch. After the return closed() was called and is not running. May sleep. */
void ioevq_fclose_unwatch(struct ioevq_fwatch *fw)
{
	struct bucket *b = &buckets[fw->bucket];
	struct ioevq_mark *m;

	spin_lock(&b->lock);
	if (fw->file) {
		leave_bucket(fw);
		fw->closed(fw, false);
	}
	m = fw->mark;
	fw->mark = NULL;
	spin_unlock(&b->lock);
	mark_put(m);
}

/* A reference to the file, or NULL if it is being closed. */
struct file *ioevq_fclose_get(struct ioevq_fwatch *fw)
{
	struct bucket *b = &buckets[fw->bucket];
	struct file *file;

	spin_lock(&b->lock);
	file = fw->file;
	if (file && !atomic_long_inc_not_zero(&file->f_count))
		file = NULL;
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

	list_for_each_entry_safe(m, tmp, &pseudo_marks, node) {
		fsnotify_destroy_mark(&m->mark, group);
		fsnotify_put_mark(&m->mark);
	}
	fsnotify_put_group(group);
	/* free_mark() runs from a work of fsnotify's, in our text. */
	fsnotify_wait_marks_destroyed();
}
