// SPDX-License-Identifier: GPL-2.0-only
/*
 * The close hook. fsnotify_close() is the first thing that __fput() does for a
 * file, in process context, before ->release and thus while its wait queues are
 * still alive (fs/file_table.c). We listen with a mark that asks for close events
 * only: on the super block for the pseudo file systems that the kernel mounts for
 * itself (sockets, pipes, anonymous inodes), on the inode anywhere else, so that
 * watching a FIFO does not cost every close on its file system.
 *
 * fsnotify is a notification interface, not a contract: a self test at load time
 * proves it on the running kernel, and without it nothing is watched.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/hash.h>
#include <linux/module.h>
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

/* Of a super block (@sb, @list) or of an inode (@users watches). */
struct ioevq_mark {
	struct fsnotify_mark mark;
	struct super_block *sb;		/* only compared */
	struct list_head list;		/* marks_mutex */
	unsigned int users;		/* marks_mutex */
};

/* Guards finding, adding and destroying marks. Nothing sleeps on user space below. */
static DEFINE_MUTEX(marks_mutex);
static LIST_HEAD(super_marks);		/* marks_mutex; a handful */
static struct fsnotify_group *group;
static bool works;

bool ioevq_fclose_works(void)
{
	return works;
}

static void end_watch(struct ioevq_fwatch *fw)
{
	hlist_del_init(&fw->node);
	fw->file = NULL;
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
	spin_lock(&b->lock);
	hlist_for_each_entry_safe(fw, tmp, &b->head, node) {
		if (fw->file == file)
			end_watch(fw);
	}
	spin_unlock(&b->lock);
	return 0;
}

/*
 * The mark of an inode goes: with its last name (unlink(2)), while files may still
 * be open. It is still on the inode's list, so that every close until now was
 * seen, and none will be from now on (fsnotify_destroy_marks()): whoever relies on
 * this mark must be detached now. FSNOTIFY_MARK_FLAG_ALIVE is cleared already.
 */
static void freeing_mark(struct fsnotify_mark *mark, struct fsnotify_group *grp)
{
	struct ioevq_mark *m = container_of(mark, struct ioevq_mark, mark);
	struct ioevq_fwatch *fw;
	struct hlist_node *tmp;
	unsigned int i;

	if (!READ_ONCE(m->users))
		return;
	for (i = 0; i < ARRAY_SIZE(buckets); i++) {
		spin_lock(&buckets[i].lock);
		hlist_for_each_entry_safe(fw, tmp, &buckets[i].head, node)
			if (fw->mark == m)
				end_watch(fw);
		spin_unlock(&buckets[i].lock);
	}
}

static void free_mark(struct fsnotify_mark *mark)
{
	kfree(container_of(mark, struct ioevq_mark, mark));
}

static const struct fsnotify_ops group_ops = {
	.handle_event = handle_event,
	.freeing_mark = freeing_mark,
	.free_mark = free_mark,
};

static struct ioevq_mark *mark_new(void)
{
	struct ioevq_mark *m = kzalloc(sizeof(*m), GFP_KERNEL_ACCOUNT);

	if (m) {
		fsnotify_init_mark(&m->mark, group);
		m->mark.mask = CLOSE_MASK;
	}
	return m;
}

/* A mark of a super block stays until the module goes, or the file system does. */
static int mark_super(struct super_block *sb)
{
	struct ioevq_mark *m;
	int err;

	list_for_each_entry(m, &super_marks, list)
		if (m->sb == sb && m->mark.flags & FSNOTIFY_MARK_FLAG_ALIVE)
			return 0;
	m = mark_new();
	if (!m)
		return -ENOMEM;
	err = compat_add_sb_mark(&m->mark, sb);
	if (err) {
		fsnotify_put_mark(&m->mark);
		return err;
	}
	m->sb = sb;
	list_add(&m->list, &super_marks);
	return 0;
}

static struct ioevq_mark *mark_inode(struct inode *inode)
{
	struct fsnotify_mark *found = compat_find_inode_mark(inode, group);
	struct ioevq_mark *m;
	int err;

	if (found) {
		m = container_of(found, struct ioevq_mark, mark);
		m->users++;	/* with the reference that we were given */
		return m;
	}
	m = mark_new();
	if (!m)
		return ERR_PTR(-ENOMEM);
	err = fsnotify_add_inode_mark(&m->mark, inode, 0);
	if (err) {
		fsnotify_put_mark(&m->mark);
		return ERR_PTR(err);
	}
	m->users = 1;
	return m;
}

static int mark_get(struct ioevq_fwatch *fw, struct file *file)
{
	struct super_block *sb = file->f_path.dentry->d_sb;
	int err;

	if (compat_file_is_silent(file))
		return -EOPNOTSUPP;
	fw->mark = NULL;
	mutex_lock(&marks_mutex);
	if (sb->s_flags & SB_NOUSER) {
		err = mark_super(sb);
	} else {
		fw->mark = mark_inode(d_inode(file->f_path.dentry));
		err = PTR_ERR_OR_ZERO(fw->mark);
	}
	mutex_unlock(&marks_mutex);
	return err;
}

static void mark_put(struct ioevq_fwatch *fw)
{
	struct fsnotify_mark *mark;

	if (!fw->mark)
		return;
	mark = &fw->mark->mark;
	mutex_lock(&marks_mutex);
	if (!--fw->mark->users)
		fsnotify_destroy_mark(mark, group);
	mutex_unlock(&marks_mutex);
	fsnotify_put_mark(mark);
}

static int watch(struct ioevq_fwatch *fw, struct file *file)
{
	struct bucket *b;
	int err;

	fw->bucket = hash_ptr(file, BUCKET_BITS);
	b = &buckets[fw->bucket];
	for (;;) {
		err = mark_get(fw, file);
		if (err)
			return err;
		spin_lock(&b->lock);
		fw->file = file;
		hlist_add_head(&fw->node, &b->head);
		/* Either freeing_mark() finds us behind this lock, or we it. */
		if (!fw->mark || fw->mark->mark.flags & FSNOTIFY_MARK_FLAG_ALIVE)
			break;
		hlist_del_init(&fw->node);
		fw->file = NULL;
		spin_unlock(&b->lock);
		mark_put(fw);
	}
	spin_unlock(&b->lock);
	return 0;
}

/*
 * Start to watch. The caller holds a reference to @file until it has attached
 * what closed() detaches, so that the close cannot come before. May sleep.
 * Returns 0, -EOPNOTSUPP (this file tells nobody of its close) or -ENOMEM.
 */
int ioevq_fclose_watch(struct ioevq_fwatch *fw, struct file *file)
{
	return works ? watch(fw, file) : -EOPNOTSUPP;
}

/* Stop to watch. After the return closed() was called and is not running. May sleep. */
void ioevq_fclose_unwatch(struct ioevq_fwatch *fw)
{
	struct bucket *b = &buckets[fw->bucket];

	spin_lock(&b->lock);
	if (fw->file) {
		hlist_del_init(&fw->node);
		fw->file = NULL;
		fw->closed(fw, false);
	}
	spin_unlock(&b->lock);
	mark_put(fw);
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

	list_for_each_entry_safe(m, tmp, &super_marks, list) {
		fsnotify_destroy_mark(&m->mark, group);
		fsnotify_put_mark(&m->mark);
	}
	fsnotify_put_group(group);
	/* free_mark() runs from a work of fsnotify's, in our text. */
	fsnotify_wait_marks_destroyed();
}
