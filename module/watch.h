/* SPDX-License-Identifier: GPL-2.0-only */
/* A watch of a file: its entries in wait queues, and what is announced when they wake it. */
#ifndef IOEVQ_WATCH_H
#define IOEVQ_WATCH_H

#include <linux/wait.h>

#include "fclose.h"
#include "req.h"

/* Announcements of one watch that can be unreaped at once. */
#define IOEVQ_MAX_ANNOUNCED	3
/* Wait queues of a file beside the first. */
#define IOEVQ_MAX_OTHERS	3

/* @head: NULL when not queued; see detach_entry() for who may clear it. wait.private: the watch */
struct ioevq_entry {
	wait_queue_entry_t wait;
	wait_queue_head_t *head;
	struct ioevq_entry *next;
};

struct ioevq_watch {
	struct ioevq_kreq kreq;
	struct ioevq_fwatch close;
	union {				/* constant */
		struct ioevq_nest *nest;	/* if it is a queue that is watched, or NULL */
		struct tty_struct *tty;		/* if is_master */
	};
	struct sighand_struct *sighand;	/* constant, compared only; see look() */
	struct ioevq_entry entry;
	struct ioevq_entry *others;	/* constant after submission */
	/* queue->lock: */
	__poll_t mask;			/* of interest; wake-ups may read an old one */
	u32 mode;			/* enum ioevq_poll_flags */
	/* Constant, and read without the lock: not in one word with what is written under it. */
	bool can_tell : 1;		/* its file's wake-ups do */
	bool is_master : 1;		/* see compat/master.h */
	bool tells;			/* its wake-ups say what is ready, and may announce it */
	bool armed;
	bool plain;			/* the rest does not matter; see ioevq_watch_arm() */
	__poll_t early;			/* came before the request was accepted */
	__poll_t peeked;		/* news that ->poll tells once; see ioevq_poll_news() */
	__poll_t handed_on;		/* when it leaves: what another is told; 0: to look */
	/*
	 * What was announced and where it stands in the ring. Bits are not announced again
	 * before that is reaped; a mask of 0 is free.
	 */
	u16 announced[IOEVQ_MAX_ANNOUNCED];
	bool owes;			/* exclusive, and ended before its event was reaped */
	bool early_recheck : 1;		/* as early */
	bool early_free : 1;		/* the same */
	bool hands_on : 1;		/* when it leaves another is to be told */
	ioevq_seq_t seq[IOEVQ_MAX_ANNOUNCED];
	u64 folded;			/* wake-ups without an event of their own */
	struct ioevq_rec *spare;	/* &more, when it is not in the backlog */
	struct ioevq_rec more;
};

/* entry.c */
int ioevq_watch_join(struct ioevq_watch *w, wait_queue_head_t *head);
void ioevq_watch_leave(struct ioevq_watch *w);
void ioevq_watch_pass(struct ioevq_watch *w);
void ioevq_watch_free_entries(struct ioevq_watch *w);

/* watch.c */
int ioevq_watch_begin(struct ioevq_watch *w, struct file *file);
void ioevq_watch_end(struct ioevq_watch *w);
struct file *ioevq_watch_file(struct ioevq_watch *w);
void ioevq_watch_take_turns(struct ioevq_watch *w);
wait_queue_func_t ioevq_watch_wake(const struct ioevq_watch *w);

/* With queue->lock: */
bool ioevq_watch_announce(struct ioevq_watch *w, __poll_t ready, bool news);
void ioevq_watch_ended(struct ioevq_watch *w);
bool ioevq_watch_unreaped(struct ioevq_watch *w);

/*
 * Most watches are edge-triggered, armed all their life, and not exclusive: their wake-ups need
 * not look at each of that. With queue->lock, or before anybody else knows of the watch.
 */
static inline void ioevq_watch_arm(struct ioevq_watch *w, bool armed)
{
	/* Read without the lock by look_and_tell(). */
	WRITE_ONCE(w->armed, armed);
	w->plain = armed && w->tells &&
		   (w->mode & (IOEVQ_POLL_EDGE | IOEVQ_POLL_EXCLUSIVE)) == IOEVQ_POLL_EDGE;
}

/* Whatever was announced counts no more. queue->lock is held. */
static inline void ioevq_watch_forget(struct ioevq_watch *w)
{
	memset(w->announced, 0, sizeof(w->announced));
}

#endif
