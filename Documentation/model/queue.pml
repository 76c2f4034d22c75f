/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The queue: events are posted, taken and waited for. The names are those of the code,
 * which is ring.c, wake.c, wait.c, src_poll.c and req.c, and ioevq_take() of the library.
 *
 * There are two consumers. One takes by ENTER, the other from the mapped ring by
 * compare-and-swap, and when that is empty it sleeps by an ENTER that takes none. With
 * FATES=1 one of them is once befallen, at any moment, by a timeout, a signal or SIGKILL.
 * What else there is, a symbol selects:
 *   EVENTS	Four events, in a ring of two slots and its backlog. Who takes by ENTER
 *		waits for one or for two.
 *   EDGE	An edge watch of two bits, of a file whose wake-ups tell. It becomes ready
 *		while the ring is full, and once more. Somebody else reads it, too.
 *   RECHECK	A watch of a file that a consumer has to look at, under queue->mutex. It
 *		becomes ready twice; with FATES=0 there is somebody who submits, too.
 *
 * What is proved:
 *   - Each event is taken once, and in order: they are numbered, and number n is what
 *     is found at head n.
 *   - No wake-up is lost, and none is one too many. When queue->lock is free nobody
 *     sleeps for whom there are events that no other, woken or told, comes for; and who
 *     is woken has as many as it needs.
 *   - An announcement that waits to be reaped is not repeated. While a file is ready
 *     there is one, or somebody has reaped it and will read the file after that, or
 *     somebody is on the way to announce it.
 *   - While a file has to be looked at and a consumer sleeps, another was woken to look,
 *     or somebody has the mutex and will ask again.
 *   - Every run ends, with all events taken, the file read until it was empty, and all
 *     consumers asleep. (For EVENTS and RECHECK, with FATES=0, cycles are looked for.)
 *
 * What is left out: a hostile ring (law 12), wrap-around, faults, batches, alerts, the
 * end of a watch, more than one, pollers of the queue, the number of folded wake-ups.
 * Nor is who only waits killed between being told of an event and taking it: of that the
 * others would hear when the next one comes.
 *
 * The model is sequentially consistent, where no barrier would be missed. So a symbol
 * lets what a barrier orders happen in the other order, too, and then there must be an
 * error:
 *   NO_MB_ANNOUNCE	smp_mb__after_spinlock() of changed(): the file becomes ready,
 *			then the head is read
 *   NO_MB_REAP		the compare-and-swap of ioevq_take() and take_events(): the head
 *			moves, then the file is read
 *   NO_MB_POLL		smp_mb__after_spinlock() of poll_recheck(): who asked is seen,
 *			and then the head as it is, not as it was
 *   NO_MB_RECHECK	smp_mb() of ioevq_wake_recheck(): the list, then the mutex
 *   NO_MB_UNLOCK	smp_mb() of ioevq_unlock(): the mutex, then the list
 *   NO_RELEASE		smp_store_release() of ring_put(): the slot, then the tail
 *
 * A step is one access to what others may access meanwhile. What a lock guards needs no
 * steps of its own, nor does a slot that the tail does not cover.
 */
#if defined(EVENTS)
#define FILLED	1
#define POSTS	3
#elif defined(EDGE)
#define WATCH
#define BITS	2
#define FILLED	2
#elif defined(RECHECK)
#define WATCH
#define BITS	1
#define FILLED	2
#endif

#define ENTRIES	2
#define CONSUMERS 2
#define IOCTL	0			/* takes by ENTER; the other from the mapped ring */
#define me	_pid

/* An event: its number, and which bits of the watch it announces. */
#define event(nr, bits)	((nr) | (bits) << 4)
#define number(ev)	((ev) & 15)
#define bits_of(ev)	((ev) >> 4)

/* The shared page */
byte head, tail = FILLED;
byte slots[ENTRIES] = { 0, 1 };

/* queue->lock, and what it guards */
bool locked;
byte backlog[4], backlog_len;
byte waiters[CONSUMERS], nr_waiters;	/* a stack */
byte claimed, least;
byte need[CONSUMERS];
bool woken[CONSUMERS];

/* The tasks */
bool runnable[CONSUMERS] = true;
bool killed[CONSUMERS];
byte fates = FATES;			/* that may still befall them */

/* What only the proof knows */
byte posted = FILLED;			/* events, ever */
byte told[CONSUMERS];			/* events of which who only waited was told */

/* Used within a step */
hidden byte i, j, w, avail, lowest;

#define used()		(tail - head)
#define available()	(tail - head + backlog_len)
#ifdef RECHECK
#define ring_flags	(backlog_len > 0 || on_recheck)
#else
#define ring_flags	(backlog_len > 0)
#define on_recheck	false
#define polling		false
#endif
#define can_flush()	(backlog_len > 0 && used() < ENTRIES)
#define unlock()	locked = false

#ifdef WATCH
bool ready[BITS];			/* the file */
bool announced[BITS];			/* queue->lock, and so are the next three */
byte seq_of[BITS];
byte more_seq;
bool spare = true;
bool waking[BITS];			/* proof: it became so, changed() is not done */
byte pending[BITS];			/* proof: announcements that wait to be reaped */
byte acting[CONSUMERS];			/* proof: bits reaped, their file not yet read */

#define unreaped(b)	(announced[b] && head <= seq_of[b])
#endif

#ifdef RECHECK
bool mutex;
bool on_recheck;			/* queue->lock; the watch is on the list */
bool q_rechecker;			/* queue->lock; queue->rechecker */
bool rechecker[CONSUMERS];		/* queue->lock; of a waiter */
bool polling;				/* proof: off the list, to be announced */
byte unlocking;				/* proof: who will ask again */
#endif

inline lock()
{
	d_step { !locked -> locked = true }
}

inline ring_put(ev)
{
	slots[tail % ENTRIES] = ev;
	tail++
}

inline flush_one()
{
	ring_put(backlog[0]);
#ifdef WATCH
	spare = spare || bits_of(backlog[0]);
#endif
	backlog_len--;
	backlog[0] = backlog[1];
	backlog[1] = backlog[2];
	backlog[2] = backlog[3];
	backlog[3] = 0
}

/* spin_lock(), ioevq_ring_flush() */
inline lock_and_flush()
{
	atomic {
		!locked ->
		locked = true;
		if
		:: can_flush() -> flush_one()
		:: else
		fi
	}
	do
	:: d_step { can_flush() -> flush_one() }
	:: else -> break
	od
}

/* Flushes one, not two: two would always be enough here. */
inline ioevq_ring_post(bits)
{
	if
	:: d_step { can_flush() -> flush_one() }
	:: else
	fi;
#ifdef WATCH
	assert(spare);
#endif
	if
	:: d_step {
		backlog_len == 0 && used() < ENTRIES ->
		assert(posted == tail);
		ring_put(event(posted, bits));
		posted++
	}
#ifdef NO_RELEASE
	:: d_step {
		backlog_len == 0 && used() < ENTRIES ->
		tail++;
		posted++
	}
		slots[(tail - 1) % ENTRIES] = event(tail - 1, bits)
#endif
	:: d_step {
		else ->
		assert(posted == tail + backlog_len);
		backlog[backlog_len] = event(posted, bits);
		backlog_len++;
#ifdef WATCH
		spare = spare && !(bits);
#endif
		posted++
	}
	fi
}

inline list_del(at)
{
	nr_waiters--;
	j = at;
	do
	:: j < nr_waiters -> waiters[j] = waiters[j + 1]; j++
	:: else -> waiters[j] = 0; break
	od;
	j = 0;
	least = (nr_waiters > 0 -> least : 0)
}

inline wake_waiter(at)
{
	w = waiters[at];
	list_del(at);
	woken[w] = true;
	runnable[w] = true
}

inline ioevq_hand_on()
{
	d_step {
		avail = available();
		if
		:: nr_waiters > 0 && avail >= claimed + least ->
			lowest = 255;
			i = nr_waiters;
			do
			:: i > 0 ->
				i--;
				w = waiters[i];
				if
				:: avail >= claimed + need[w] ->
					claimed = claimed + need[w];
					assert(avail >= claimed);
					wake_waiter(i);
					if
					:: avail == claimed -> lowest = 0; break
					:: else
					fi
				:: avail < claimed + need[w] && need[w] < lowest ->
					lowest = need[w]
				:: else
				fi
			:: else -> break
			od;
			if
			:: lowest > 0 && nr_waiters > 0 -> least = lowest
			:: else
			fi
		:: else
		fi;
		avail = 0; i = 0; w = 0; lowest = 0
	}
}

#ifdef WATCH
/*
 * spin_lock(), smp_mb__after_spinlock(), announce(), spin_unlock().
 * @on_the_way: what the proof knows, until this is done
 */
inline announce(b, on_the_way)
{
	if
	:: d_step {
		!locked && unreaped(b) ->
		on_the_way = false		/* folded */
	}
	:: d_step {
		!locked && !unreaped(b) ->
		locked = true;
		if
		:: spare -> more_seq = posted
		:: else ->
			/* It is in the backlog still: it can say more. */
			i = more_seq - tail;
			assert(i < backlog_len && number(backlog[i]) == more_seq);
			backlog[i] = backlog[i] | event(0, 1 << b);
			i = 0
		fi;
		announced[b] = true;
		seq_of[b] = more_seq;
		pending[b]++;
		assert(pending[b] == 1)
	}
		if
		:: more_seq == posted ->
			ioevq_ring_post(1 << b);
			ioevq_hand_on()
		:: else
		fi;
		d_step { on_the_way = false; unlock() }
	fi
}
#endif

#ifdef RECHECK
/* @busy: is the mutex locked? */
inline ioevq_wake_recheck(busy)
{
	d_step {
		if
		:: !q_rechecker && !(busy) && nr_waiters > 0 ->
			q_rechecker = true;
			i = nr_waiters - 1;
			rechecker[waiters[i]] = true;
			need[waiters[i]] = 0;
			wake_waiter(i);
			i = 0; w = 0
		:: else
		fi
	}
}

inline ioevq_unlock()
{
#ifdef NO_MB_UNLOCK
	if
	:: d_step { mutex = false; unlocking++ }
		asked = on_recheck
	:: asked = on_recheck;
		d_step { mutex = false; unlocking++ }
	fi;
#else
	d_step { mutex = false; unlocking++ }
	/* smp_mb() */
	asked = on_recheck;
#endif
	if
	:: d_step { !asked -> unlocking-- }
	:: d_step {
		asked && !locked ->
		locked = true;
		asked = false
	}
		if
		:: on_recheck -> ioevq_wake_recheck(mutex)
		:: else
		fi;
		d_step { unlocking--; unlock() }
	fi
}

inline poll_recheck()
{
	if
	:: ready[0] -> announce(0, polling)
#ifdef NO_MB_POLL
	:: d_step { stale -> stale = false; polling = false }
#endif
	:: d_step { !ready[0] -> polling = false }
	fi
}

inline ioevq_recheck()
{
#ifdef NO_MB_POLL
	stale = false;
	if
	:: stale = unreaped(0)
	:: true
	fi;
#endif
	if
	:: on_recheck ->
		if
		:: d_step { !mutex -> mutex = true }
			d_step {
				!locked ->
				q_rechecker = false;
				polling = on_recheck;
				on_recheck = false
			}
			if
			:: polling -> poll_recheck()
			:: else
			fi;
			ioevq_unlock()
		:: mutex
		fi
	:: else
	fi
}

inline end_recheck()
{
	if
	:: rechecker[me] ->
		d_step { rechecker[me] = false; q_rechecker = false }
		if
		:: on_recheck -> ioevq_wake_recheck(mutex)
		:: else
		fi
	:: else
	fi
}
#endif

/* The compare-and-swap of the head has succeeded. */
inline reap(n)
{
	assert(number(ev0) == head);
	assert(n == 1 || number(ev1) == head + 1);
	head = head + n;
	taken = taken + n;
#ifdef WATCH
	i = bits_of(ev0) | bits_of(ev1);
	acting[me] = acting[me] | i;
	pending[0] = pending[0] - (i & 1);
#if BITS > 1
	pending[1] = pending[1] - (i >> 1);
#endif
	i = 0
#endif
}

#ifdef NO_MB_REAP
/* What is in the file may be read before the head has moved. */
inline read_early()
{
	if
	:: nothing = !ready[0] | !ready[1] << 1
	:: nothing = 0
	fi
}
#else
#define read_early()
#define nothing	0
#endif

/* What the file says is done, until it says no more. */
inline act_on(b)
{
	d_step {
		if
		:: acting[me] & 1 << b ->
			acting[me] = acting[me] & ~(1 << b);
			ready[b] = ready[b] && nothing & 1 << b
		:: else
		fi
	}
}

#if FATES
/* A signal may have come at any moment: when we look is when it matters. */
inline signal_pending()
{
	if
	:: true
	:: d_step { fates > 0 && !signal -> fates--; signal = true }
	fi
}
#endif

/* Up to @max, as many as are there: copied first, and taken by compare-and-swap. */
inline take_events()
{
	do
	:: taken < max ->
		lock_and_flush();
		atomic { t = tail; unlock() }
		h = head;
		if
		:: h == t ->
			h = 0; t = 0;
			break
		:: h > t ->		/* others have taken what has come after that */
			h = 0; t = 0
		:: h < t ->
			ev0 = slots[h % ENTRIES];
			if
			:: t - h > 1 && max - taken > 1 ->
				ev1 = slots[(h + 1) % ENTRIES];
				n = 2
			:: else -> n = 1
			fi;
			read_early();
			d_step {
				if
				:: head == h -> reap(n)
				:: else
				fi;
				h = 0; t = 0; ev0 = 0; ev1 = 0; n = 0
			}
		fi;
#if FATES
		signal_pending();
		if
		:: signal -> break
		:: else
		fi
#endif
	:: else -> break
	od
}

inline drop_claim(hand_on)
{
	d_step {
		woken[me] && !locked ->
		locked = true;
		claimed = claimed - need[me];
		told[me] = (hand_on -> 0 : need[me])
	}
}

inline drop_claim_end(hand_on)
{
	if
	:: hand_on -> ioevq_hand_on()
	:: else
	fi;
	d_step { need[me] = 0; woken[me] = false; unlock() }
}

/*
 * Give back what a wake-up promised us; who else waits may have the rest. Only at the
 * end of ioevq_wait() may we have been woken to look at a file and not have done so.
 */
inline end_claim(hand_on)
{
	if
	:: !woken[me]
	:: drop_claim(hand_on);
		drop_claim_end(hand_on)
	fi
}

#if FATES && defined(RECHECK)
inline last_end_claim(hand_on)
{
	if
	:: !woken[me]
	:: drop_claim(hand_on);
		end_recheck();
		drop_claim_end(hand_on)
	fi
}
#else
#define last_end_claim(hand_on)	end_claim(hand_on)
#endif

#define needed()	(no_wait -> 1 : min - taken)

active [CONSUMERS] proctype consumer()
{
	byte h, t, ev0, ev1, n;
	byte min, max, taken;
	bool no_wait, enough;
#if FATES
	bool expired, signal;
#endif
#ifdef RECHECK
	bool asked;
#endif
#ifdef NO_MB_REAP
	byte nothing;
#endif
#ifdef NO_MB_POLL
	bool stale;
#endif

user:	if
	:: me == IOCTL ->
		max = 2;
		if
		:: min = 1
#ifdef EVENTS
		:: min = 2
#endif
		fi
	:: me != IOCTL ->
		/* ioevq_take() */
		h = head;
		do
		:: h != tail ->
			ev0 = slots[h % ENTRIES];
			read_early();
			d_step {
				if
				:: head == h -> reap(1); told[me] = 0; h = 0
				:: else -> h = head
				fi;
				ev0 = 0
			}
			if
			:: taken -> goto act
			:: else
			fi
		:: else -> break
		od;
		h = 0;
		if
		:: ring_flags -> no_wait = true; max = 1	/* ioevq_take_slow() */
		:: min = 1			/* there are none, or they were not seen */
		fi
	fi;

	/* ioevq_wait(), for ever if at all */
look_and_take:
#ifdef RECHECK
	ioevq_recheck();
	if
	:: rechecker[me] ->
		lock();
		end_recheck();
		unlock()
	:: else
	fi;
#endif
	/* look() */
	lock_and_flush();
	atomic {
		enough = (available() > 0 && available() >= needed());
		told[me] = 0;
		unlock()
	}
	if
	:: enough && max == 0 -> enough = false; goto out
	:: enough && max > 0 -> enough = false; take_events()
	:: else
	fi;
	if
	:: no_wait || taken >= min -> goto out
	:: else
	fi;
	end_claim(true);

	/* sleep_for(): stay_awake() */
	lock_and_flush();
	if
	:: atomic { available() >= needed() -> unlock() }
		goto awake
	:: else
	fi;
#if FATES
	signal_pending();
	if
	:: d_step { signal -> unlock(); no_wait = true }
		goto awake
	:: else
	fi;
#endif
#ifdef RECHECK
	if
	:: d_step { on_recheck && !mutex -> unlock() }
		goto awake
	:: else
	fi;
#endif
	/* prepare_sleep() */
	d_step {
		need[me] = needed();
		least = (nr_waiters && least < need[me] -> least : need[me]);
		waiters[nr_waiters] = me;
		nr_waiters++;
		runnable[me] = false;
		unlock()
	}
end_schedule:
	if
	:: runnable[me]
#if FATES
	:: atomic {
		fates > 0 ->
		fates--;
		runnable[me] = true;
		if
		:: expired = true
		:: signal = true
		:: killed[me] = true
		fi
	}
	fi;
	/* end_sleep() */
	d_step {
		!locked ->
		if
		:: woken[me]
		:: else ->
			i = 0;
			do
			:: waiters[i] != me -> i++
			:: else -> break
			od;
			list_del(i);
			i = 0;
			need[me] = 0;
			no_wait = expired
		fi;
		expired = false
	}
	if
	:: killed[me] -> goto out
	:: else
#endif
	fi;
awake:	goto look_and_take;

out:	last_end_claim((max > 0 || killed[me]));
	no_wait = false;
#if FATES
	signal = false;
	if
	:: killed[me] -> goto dead
	:: else
	fi;
#endif
	if
	:: max == 1 && taken == 0 ->
		/* There was none: wait for one. */
		max = 0;
		min = 1;
		goto look_and_take
	:: else
	fi;
act:
#ifdef WATCH
	act_on(0);
#if BITS > 1
	act_on(1);
#endif
#endif
#ifdef NO_MB_REAP
	nothing = 0;
#endif
	min = 0; max = 0; taken = 0;
	goto user;
#if FATES
dead:	skip
#endif
}

#ifdef EVENTS
active proctype poster()
{
	do
	:: posted < FILLED + POSTS ->
		lock();
		ioevq_ring_post(0);
		ioevq_hand_on();
		unlock()
	:: else -> break
	od
}
#endif

#ifdef EDGE
/* It becomes ready, and poll_wake() calls changed(). */
inline become_ready(b)
{
	if
	:: d_step { ready[b] = true; waking[b] = true }
		announce(b, waking[b])
#ifdef NO_MB_ANNOUNCE
	/* The head is read before what is in the file can be seen. */
	:: d_step { !locked && unreaped(b) -> locked = true; waking[b] = true }
		d_step { ready[b] = true; waking[b] = false; unlock() }
#endif
	fi
}

active proctype waker_in()
{
	become_ready(0);
	become_ready(0)
}

active proctype waker_out()
{
	become_ready(1)
}

/* Somebody else, who reads what is there and knows nothing of events. */
active proctype reader()
{
	ready[0] = false
}
#endif

#ifdef RECHECK
active proctype waker()
{
	byte n;
	bool busy;

	do
	:: n < 2 ->
		n++;
		d_step { ready[0] = true; waking[0] = true }
		/* changed(), ioevq_ask_recheck() */
		lock();
		if
		:: !on_recheck ->
#ifdef NO_MB_RECHECK
			if
			:: on_recheck = true; busy = mutex
			:: busy = mutex; on_recheck = true
			fi;
#else
			on_recheck = true;
			/* smp_mb() */
			busy = mutex;
#endif
			ioevq_wake_recheck(busy);
			busy = false
		:: else
		fi;
		d_step { waking[0] = false; unlock() }
	:: else -> break
	od
}

#if !FATES
active proctype submitter()
{
	bool asked;

	d_step { !mutex -> mutex = true }
	ioevq_unlock()
}
#endif
#endif

#define all(what)	(what(0) && what(1))
#define sum(what)	(what(0) + what(1))
#define asleep(who)	((nr_waiters > 0 && waiters[0] == who) || \
			 (nr_waiters > 1 && waiters[1] == who))
#define claim(who)	(woken[who] * need[who])
#define promise(who)	told[who]
#define rests(who)	(!asleep(who) || available() < claimed + sum(promise) + need[who])
#define is_done(who)	(killed[who] || (asleep(who) && available() < need[who]))
#define no_rechecker(who)	(!rechecker[who])
#define known(b) \
	(!ready[b] || waking[b] || pending[b] || on_recheck || polling || \
	 (acting[0] | acting[1]) & 1 << b)

active proctype proof()
{
end:	do
#if FATES
	:: fates > 0 -> fates = 0	/* nothing befalls anybody */
#endif
	:: !locked && !all(rests) -> assert(false)
	:: !locked && claimed != sum(claim) -> assert(false)
#ifdef WATCH
	:: !known(0) -> assert(false)
#if BITS > 1
	:: !known(1) -> assert(false)
#endif
#endif
#ifdef RECHECK
	:: !locked && on_recheck && nr_waiters > 0 && !q_rechecker && !mutex && !unlocking ->
		assert(false)
	:: !locked && q_rechecker && all(no_rechecker) -> assert(false)
#endif
	:: timeout ->
		assert(all(is_done));
		assert(!locked && !claimed && !sum(promise));
#ifdef WATCH
		assert(!ready[0] && !ready[BITS - 1]);
#endif
		break
	od
}
