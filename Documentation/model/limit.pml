/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The concurrency value (law 7): who is let go, and who is told when a slot becomes
 * free. The names are those of the code, which is conc.c, wake.c and wait.c.
 *
 * There are two events, and three consumers of a queue with the limit LIMIT, which take
 * one at a time, by ENTER. At the beginning two sleep and one comes. With FATES=0 somebody
 * blocks outside of its wait twice, and perhaps for ever, which also stands for its end;
 * with FATES=1 once, and once the time of a waiter is over, or it is killed. With ONLY_WAITS
 * one of them is told of events (max 0), and takes them from the mapped ring, if it does
 * not block first.
 *
 * What is proved:
 *   - When queue->lock is free there is no event that nobody comes for (claims; or was
 *     told of it, and has not blocked) while a consumer sleeps and a slot is free, unless
 *     somebody is about to look: the kick is pending or runs, or a slot is just being freed.
 *   - Nobody is let go, be it from sleep or because it comes, when all slots are taken.
 *   - When nobody is on the way between two states, as many slots are taken as there are
 *     consumers that run and do not wait. Blocked ones have none.
 *   - Every event is taken once. Every run ends (with FATES=0 and LIMIT=1 cycles are
 *     looked for), with no event left unless all consumers are gone.
 *
 * What is left out: how events are stored (see queue.pml), waits for several of them,
 * files to be looked at, a limit that changes, consumers that come from another queue. What
 * a consumer has claimed stays claimed when it blocks: between its wake-up and its taking
 * it does not do so for ever.
 *
 * As in queue.pml, a symbol undoes a barrier:
 *   NO_MB_HELD_BACK	smp_mb() of ioevq_conc_reserve(): somebody is held back, then the
 *			slots are looked at
 *   NO_MB_SLOT_FREE	atomic_dec_return() of slot_free(): the slot is free, then it is
 *			asked whether somebody is held back
 * And NOT_HELD_BACK leaves out what end_claim() does for who only waits.
 */

#define CONSUMERS 3
#define POSTS	2
#define BLOCKS	(2 - FATES)
#define me	_pid

/* queue->lock, and what it guards */
bool locked;
byte posted;				/* events */
byte waiters[CONSUMERS] = { 0, 1, 0 };	/* a stack: two sleep at the beginning */
byte nr_waiters = 2;
byte claimed;
bool woken[CONSUMERS];			/* and a slot was reserved */
byte avail;				/* the variable of ioevq_hand_on() */

byte head;				/* of the ring: moved by compare-and-swap */

/* struct ioevq_conc */
byte running;
bool held_back;				/* queue->lock to change */
bool kick;				/* the irq_work is pending */

/* The tasks */
bool runnable[CONSUMERS] = { false, false, true };
byte blocks = BLOCKS;			/* how often somebody may block yet */
byte fates = FATES;			/* what may still befall who waits */

/* What only the proof knows */
bool kicking;				/* the irq_work runs */
byte leaving;				/* within slot_free() */
bool told;				/* who only waits was, and has not taken yet */
mtype = { MOVES, RUNS, SLEEPS, BLOCKED };
mtype state[CONSUMERS] = { SLEEPS, SLEEPS, MOVES };

hidden byte i, w;

#define available()	(posted - head)
#define unlock()	locked = false
#ifdef ONLY_WAITS
#define only_waits(who)	((who) == 1)
#else
#define only_waits(who)	false
#endif

inline list_del(at)
{
	nr_waiters--;
	do
	:: at < nr_waiters -> waiters[at] = waiters[at + 1]; at++
	:: else -> waiters[at] = 0; break
	od
}

/* get_slot() has got one, for who slept last: wake_waiter() */
inline release()
{
	running++;
	assert(running <= LIMIT);
	claimed++;
	i = nr_waiters - 1;
	w = waiters[i];
	list_del(i);
	woken[w] = true;
	runnable[w] = true;
	i = 0; w = 0
}

#define wanted()	(nr_waiters > 0 && avail > claimed)

/*
 * With the lock, and avail as it was when the caller came here. A compare-and-swap that
 * fails has no effect: try_reserve() is one step.
 */
inline ioevq_hand_on()
{
	do
	:: !wanted() -> break
	:: d_step { wanted() && running < LIMIT -> release() }
	:: wanted() && running >= LIMIT ->
#ifdef NO_MB_HELD_BACK
		if
		:: held_back = true
		:: running >= LIMIT ->
			held_back = true;
			break
		fi;
#else
		held_back = true;
#endif
		/* smp_mb() */
		if
		:: d_step { running < LIMIT -> release() }
		:: running >= LIMIT -> break
		fi
	od
}

inline slot_free()
{
#ifdef NO_MB_SLOT_FREE
	if
	:: few = held_back;
		d_step { running--; kick = kick || few && running < LIMIT; few = false }
	:: d_step { running--; leaving++; few = running < LIMIT }
		d_step { kick = kick || few && held_back; leaving--; few = false }
	fi
#else
	d_step { running--; leaving++; few = running < LIMIT }
	d_step { kick = kick || few && held_back; leaving--; few = false }
#endif
}

/*
 * A page fault, a lock, or whatever blocks: sched_out(), and perhaps sched_in(). Who does
 * not come back may have ended.
 */
inline block()
{
	atomic {
		counted && blocks > 0 ->
		blocks--;
		counted = false;
		before = state[me];
		state[me] = MOVES
	}
	slot_free();
	state[me] = BLOCKED;
	if
	:: d_step { running++; counted = true; state[me] = before; before = 0 }
	:: before == RUNS -> goto gone
	fi
}

/* With the lock, which is dropped if the caller may take an event. */
inline ioevq_conc_keep(keep_locked)
{
	if
	:: atomic { counted && running <= LIMIT -> assert(running <= LIMIT); unlock() }
	:: else ->
		atomic {
			running = (counted -> running - 1 : running);
			counted = false
		}
		if
		:: atomic {
			running < LIMIT ->
			running++;
			assert(running <= LIMIT);
			counted = true;
			unlock()
		}
		:: atomic { running >= LIMIT -> locked = keep_locked }
		fi
	fi
}

inline end_claim()
{
	if
	:: !claim
	:: atomic { claim && !locked -> locked = true; claimed--; avail = available() }
		ioevq_hand_on();
		atomic { claim = false; avail = 0; unlock() }
	fi
}

active [CONSUMERS] proctype consumer()
{
	bool counted, claim, few, taken;
#if FATES
	bool no_wait, killed;
#endif
	mtype before;

	if
	:: me == 2 -> goto look
	:: else -> goto schedule
	fi;

look:	if
	:: block();
		goto look
	:: atomic { !locked && available() == 0 -> state[me] = MOVES }
	:: atomic { !locked && available() > 0 -> locked = true; state[me] = MOVES }
		ioevq_conc_keep(false);
		if
		:: counted -> goto take_events
		:: else
		fi
	fi;
looked:	if
	:: taken -> goto out
#if FATES
	:: !taken && no_wait -> goto out
#endif
	:: else
	fi;
	end_claim();

	/* sleep_for() */
	if
	:: atomic { !locked && available() == 0 -> locked = true }
	:: atomic { !locked && available() > 0 -> locked = true }
		ioevq_conc_keep(true);
		if
		:: counted -> goto look
		:: else
		fi
	fi;
	/* prepare_sleep() */
	atomic {
		waiters[nr_waiters] = me;
		nr_waiters++;
		runnable[me] = false;
		running = (counted -> running - 1 : running);
		counted = false;
		avail = available()
	}
	ioevq_hand_on();
	atomic { avail = 0; state[me] = SLEEPS; unlock() }

schedule:
end_schedule:
	if
	:: runnable[me]
#if FATES
	:: atomic {
		me == 0 && fates > 0 ->
		fates--;
		runnable[me] = true;
		if
		:: true			/* the time is over */
		:: killed = true
		fi
	}
#endif
	fi;
	/* end_sleep() */
	atomic {
		!locked ->
		state[me] = MOVES;
		if
		:: woken[me] -> counted = true; claim = true; woken[me] = false
#if FATES
		:: else ->
			no_wait = true;
			i = 0;
			do
			:: waiters[i] != me -> i++
			:: else -> break
			od;
			list_del(i);
			i = 0
#endif
		fi
	}
#if FATES
	if
	:: killed -> goto out
	:: else
	fi;
#endif
	goto look;

take_events:
#ifdef ONLY_WAITS
	if
	:: only_waits(me) -> goto tell
	:: else
	fi;
#endif
	if
	:: block();
		goto take_events
	:: atomic { head < posted -> head++; taken = true }
	:: head == posted
	fi;
	goto looked;

out:	end_claim();
	/* ioevq_conc_returns() */
	atomic {
		running = (counted -> running : running + 1);
		counted = true;
		state[me] = RUNS;
#if FATES
		no_wait = false;
#endif
		taken = false
	}
#if FATES
	if
	:: killed -> counted = false; state[me] = MOVES
	:: else -> goto look
	fi;
	slot_free();
	state[me] = BLOCKED;
#else
	goto look;
#endif

#ifdef ONLY_WAITS
tell:	/* end_claim(), without handing on */
	if
	:: atomic { !claim -> told = true }
	:: atomic {
		claim && !locked ->
		claimed--;
		claim = false;
		told = true;
#ifndef NOT_HELD_BACK
		/* The event waits, if we block before we take it. */
		held_back = true
#endif
	}
	fi;
	/* ioevq_conc_returns() */
	state[me] = RUNS;

	/* ioevq_take() */
ring:	if
	:: block();
		goto ring
	:: atomic { head < posted -> head++; told = false }
	:: atomic { head == posted -> told = false }
	fi;
	goto look;
#endif

gone:
end_gone:
	false
}

active proctype poster()
{
	do
	:: atomic { posted < POSTS && !locked -> locked = true; posted++; avail = available() }
		ioevq_hand_on();
		atomic { avail = 0; unlock() }
	:: posted == POSTS -> break
	od
}

active proctype kick_held_back()
{
end:	do
	:: d_step { kick -> kick = false; kicking = true }
		atomic { !locked -> locked = true; avail = available(); held_back = false }
		ioevq_hand_on();
		atomic { avail = 0; kicking = false; unlock() }
	od
}

#define sum(what)	(what(0) + what(1) + what(2))
#define runs(who)	(state[who] == RUNS)
#define moves(who)	(state[who] == MOVES || woken[who])
#define comes()		(told && state[1] != BLOCKED -> 1 : 0)

active proctype proof()
{
end:	do
#if FATES
	:: fates > 0 -> fates = 0	/* nothing befalls anybody */
#endif
	:: !locked && nr_waiters > 0 && available() > claimed + comes() && running < LIMIT &&
	   !kick && !kicking && !leaving -> assert(false)
	:: !locked && !sum(moves) && running != sum(runs) -> assert(false)
	:: timeout ->
		assert(!locked && !claimed && !running && !kick);
		assert(nr_waiters == 0 || !available());
		break
	od
}
