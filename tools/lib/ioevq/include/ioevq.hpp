/* SPDX-License-Identifier: MIT */
/*
 * ioevq.hpp - I/O event queues for coroutines of C++20, over libioevq
 *
 *	evq::task<> echo(evq::queue &q, int fd)
 *	{
 *		char buf[4096];
 *
 *		while (std::size_t n = co_await q.read(fd, buf, sizeof(buf)))
 *			co_await q.write(fd, buf, n);
 *	}
 *
 * The namespace is evq: the name ioevq belongs to a structure of the C library. What an
 * operation does, and which errors it has, is told in <linux/ioevq.h>.
 *
 * Threads: a queue, its tasks and all that waits for it belong to one thread, the one that
 * calls run() or step(). Any thread may call post(), stop() and std::stop_source::request_stop().
 * A program with several threads has a queue for each. After fork(2) the child must neither use
 * nor destroy it, which would cancel what the parent waits for: it ends by _exit(2), or exec.
 *
 * Errors: co_await throws std::system_error with the errno, be the request refused or failed;
 * operation::with(std::error_code &) has it told there instead. Where memory for a record of
 * the request is missing, std::bad_alloc is thrown and nothing was submitted. Records are used
 * again: what has been done once needs no memory.
 *
 * A coroutine may be destroyed while it waits, by others. Its request is cancelled then. A read
 * or a write uses memory that is probably about to be freed, so the destructor does not return
 * before the request has ended: at once, but for file I/O that has begun, which is waited for.
 * With operation::keep() it is not, and the memory lives until then. What such a request has
 * read is lost with who wanted it; a child is not reaped, and a message goes to the next who asks.
 * If a destructor cannot take events (the ring was overwritten, no memory) the program ends.
 *
 * Requests that are done when they are submitted (data that is there, a cached file) have no
 * event, and the coroutine goes on without being suspended; so that others get their turn, at
 * most 64 times for each step().
 */
#ifndef IOEVQ_HPP
#define IOEVQ_HPP

#include <ioevq.h>

#include <cerrno>
#include <chrono>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <stop_token>
#include <system_error>
#include <type_traits>
#include <utility>

namespace evq
{

class queue;

/* How a child has ended, as waitid(2) tells it. It is reaped. */
struct child_exit {
	siginfo_t info;
	struct rusage usage;
};

/* What is in here may change at any time. */
namespace detail
{

inline std::error_code error(std::int64_t res) noexcept
{
	return {res < 0 ? static_cast<int>(-res) : 0, std::generic_category()};
}

/* Lists are made of what is in them, so that to be on one needs no memory. */
struct link {
	link *prev = this;
	link *next = this;

	link() = default;
	link(const link &) = delete;
	link &operator=(const link &) = delete;

	bool empty() const noexcept { return next == this; }

	void unlink() noexcept
	{
		prev->next = next;
		next->prev = prev;
		prev = next = this;
	}

	/* Move @l before this; if this is the head of a list, to its end. */
	void insert(link &l) noexcept
	{
		l.unlink();
		l.prev = prev;
		l.next = this;
		prev->next = &l;
		prev = &l;
	}
};

class core;
struct record;

struct canceller {
	record *r;

	void operator()() const noexcept;
};

/*
 * What a request is known by: its user data is the address and 1. It is apart from the
 * coroutine's frame, which may be gone before the event comes.
 */
struct record : link {
	enum where { SPARE, KERNEL, RECEIVER, READY, INBOX };

	core *owner;			/* nullptr: destroyed */
	where at = SPARE;		/* which list of its owner */
	bool uses_memory = false;	/* of others */
	std::coroutine_handle<> waiter;	/* nullptr: destroyed */
	std::uint64_t number = 0;	/* of its event, in the order in which they were taken */
	ioevq_event event = {};
	std::shared_ptr<const void> memory;
	std::optional<std::stop_callback<canceller>> on_stop;

	explicit record(core *c) noexcept : owner(c) {}

	std::uint64_t user_data() const noexcept
	{
		return reinterpret_cast<std::uintptr_t>(this) | 1;
	}
};

/* Is it the event of an operation? Messages, and requests of the C library, are not. */
inline bool is_own(const ioevq_event &ev) noexcept
{
	return ev.op != IOEVQ_OP_POST && ev.user_data & 1;
}

/* The queue and the lists of records. Nothing here resumes anybody. */
class core
{
public:
	static constexpr unsigned int batch = 64;
	/* When to try again what the kernel had no memory for */
	static constexpr std::int64_t retry_ns = 10000000;

	struct ::ioevq q = {};
	link kernel;			/* submitted, and the event not taken */
	link receivers;			/* wait for messages: none is there, then */
	link ready;			/* to be resumed */
	std::uint64_t numbers = 0;	/* so many events were taken */
	unsigned int at_once = batch;	/* so many may be done without being suspended */
	bool stopped = false;

	core(std::uint32_t entries, std::uint64_t ops)
	{
		int ret = ioevq_open(&q, entries, ops ? ops | 1ULL << IOEVQ_OP_CANCEL : 0);

		if (ret < 0)
			throw std::system_error(error(ret), "/dev/ioevq");
	}

	core(const core &) = delete;
	core &operator=(const core &) = delete;

	~core()
	{
		ioevq_req all;

		ioevq_prep_cancel(&all, 0, 0, -1, 0, 1);
		while (!orphans.empty())
			put(first(orphans), kernel, record::KERNEL);
		while (!kernel.empty() && !revoke(all))
			take(1, retry_ns);
		while (!kernel.empty())
			take(1, IOEVQ_FOREVER);
		/* These belong to coroutines that exist still. */
		for (link *list : {&ready, &receivers}) {
			while (!list->empty()) {
				first(*list)->owner = nullptr;
				list->next->unlink();
			}
		}
		for (link *list : {&inbox, &spare})
			while (!list->empty())
				delete unlinked(first(*list));
		ioevq_close(&q);
	}

	/* A spare one, but not the last: an event has to be taken. Throws std::bad_alloc. */
	record *get()
	{
		if (reserve() < 2)
			throw std::bad_alloc();
		spares--;
		return unlinked(first(spare));
	}

	/* Who waits for it has its event, or is gone. */
	void release(record *r) noexcept
	{
		/* Let go at the end: its deleter may be one that destroys other coroutines. */
		std::shared_ptr<const void> memory = std::move(r->memory);

		r->on_stop.reset();
		r->waiter = nullptr;
		put(r, spare, record::SPARE);
		spares++;
	}

	static void put(record *r, link &list, record::where at) noexcept
	{
		r->at = at;
		list.insert(*r);
	}

	/* The next one to be resumed whose event was taken before that number; or message */
	record *take_ready(std::uint64_t before) noexcept
	{
		if (ready.empty() || first(ready)->number >= before)
			return nullptr;
		return unlinked(first(ready));
	}
	record *take_inbox() noexcept { return inbox.empty() ? nullptr : unlinked(first(inbox)); }

	/* Wait until @min events are there, and hand out all that there are. */
	void take(unsigned int min, std::int64_t timeout_ns)
	{
		ioevq_event events[batch];
		int i, n;

		while (!orphans.empty() && revoke(first(orphans)))
			put(first(orphans), kernel, record::KERNEL);
		if (!orphans.empty() && (timeout_ns < 0 || timeout_ns > retry_ns))
			timeout_ns = retry_ns;
		n = ioevq_wait(&q, events, min, reserve(), timeout_ns);
		if (n < 0 && n != -EINTR)
			throw std::system_error(error(n));
		for (i = 0; i < n; i++)
			deliver(events[i]);
		while (!dropped.empty())
			release(first(dropped));
	}

	/* Any thread. False: refused, and it has to be tried again. */
	bool revoke(const record *r) const noexcept
	{
		ioevq_req req;

		ioevq_prep_cancel(&req, IOEVQ_CANCEL_USER_DATA, r->user_data(), -1, 0, 1);
		return revoke(req);
	}

	/* Who waits for @r is being destroyed. */
	static void abandon(record *r) noexcept
	{
		if (r->owner)
			r->owner->forget(r);
		else
			delete unlinked(r);
	}

	/* Is there nothing that will have an event, and nothing to be resumed? */
	bool idle() const noexcept
	{
		return kernel.empty() && orphans.empty() && receivers.empty() && ready.empty();
	}

private:
	link inbox;			/* messages that nobody has asked for */
	link dropped;			/* have an event that nobody waits for */
	link orphans;			/* nobody waits for; to be cancelled once more */
	link spare;
	unsigned int spares = 0;

	static record *first(link &list) noexcept { return static_cast<record *>(list.next); }
	static record *unlinked(record *r) noexcept { r->unlink(); return r; }

	/*
	 * Each event that is taken may be a message and needs a record, so there have to be
	 * some before. Returns how many events may be taken.
	 */
	unsigned int reserve()
	{
		while (spares < batch) {
			record *r = new (std::nothrow) record(this);

			if (!r)
				break;
			release(r);
		}
		if (!spares)
			throw std::bad_alloc();
		return spares < batch ? spares : batch;
	}

	void deliver(const ioevq_event &ev) noexcept
	{
		record *r;

		if (ev.flags & IOEVQ_EVENT_ALERT) {
			stopped = true;
			ioevq_clear_alert(&q);
		} else if (is_own(ev)) {
			r = reinterpret_cast<record *>(std::uintptr_t(ev.user_data - 1));
			/* Of a cancel that nobody waits for; not the last one */
			if (!r || ev.flags & IOEVQ_EVENT_MORE)
				return;
			announce(r, ev, r->waiter ? ready : dropped, record::READY);
		} else if (!receivers.empty()) {
			announce(first(receivers), ev, ready, record::READY);
		} else {
			announce(first(spare), ev, inbox, record::INBOX);
			spares--;
		}
	}

	void announce(record *r, const ioevq_event &ev, link &list, record::where at) noexcept
	{
		r->event = ev;
		r->number = numbers++;
		put(r, list, at);
	}

	void forget(record *r) noexcept
	{
		if (r->at == record::KERNEL) {
			bool revoked = revoke(r);

			if (!r->uses_memory || r->memory) {
				r->waiter = nullptr;
				if (!revoked)
					put(r, orphans, record::KERNEL);
				return;
			}
			while (r->at == record::KERNEL) {
				take(1, revoked ? IOEVQ_FOREVER : retry_ns);
				/* File I/O ends by itself, but a stream may never be ready. */
				if (r->at == record::KERNEL && !revoked)
					revoked = revoke(r);
			}
		} else if (r->at == record::READY && !is_own(r->event)) {
			pass_on(r);
			return;
		}
		release(r);
	}

	/* A message whose receiver is gone before it was resumed: to the next one */
	void pass_on(record *r) noexcept
	{
		link *next = inbox.next;

		if (!receivers.empty()) {
			first(receivers)->event = r->event;
			first(receivers)->number = r->number;
			put(first(receivers), ready, record::READY);
			release(r);
			return;
		}
		while (next != &inbox && static_cast<record *>(next)->number < r->number)
			next = next->next;
		r->waiter = nullptr;
		put(r, *next, record::INBOX);
	}

	bool revoke(ioevq_req req) const noexcept
	{
		int ret;

		/* The queue's limit of requests is none for those without an event. */
		req.flags |= IOEVQ_REQ_SKIP_SUCCESS;
		do {
			ret = ioevq_submit(&q, &req, 1);
		} while (ret == -EINTR);
		return ret >= 0 || ret == -ENOENT;
	}
};

inline void canceller::operator()() const noexcept
{
	if (r->owner)
		r->owner->revoke(r);
}

/* What a coroutine waits for, but tasks */
class waitable
{
public:
	waitable(const waitable &) = delete;
	waitable &operator=(const waitable &) = delete;

protected:
	/* In the frame of who waits, and goes with it. What it waits for may go before. */
	struct waiter {
		waitable *on;

		explicit waiter(waitable &w) noexcept : on(&w) {}
		waiter(const waiter &) = delete;
		waiter &operator=(const waiter &) = delete;
		~waiter()
		{
			if (on && on->waiter_ == this)
				on->abandon();
		}
	};

	explicit waitable(core &c) noexcept : core_(c) {}
	~waitable()
	{
		if (waiter_)
			waiter_->on = nullptr;
		abandon();
	}

	/* One may wait for it at a time. */
	void claim() const
	{
		if (record_)
			throw std::system_error(error(-EBUSY));
	}

	void wait(waiter &w, std::coroutine_handle<> h, link &list, record::where at) noexcept
	{
		waiter_ = &w;
		record_->waiter = h;
		core_.put(record_, list, at);
	}

	ioevq_event taken() noexcept
	{
		ioevq_event ev = record_->event;

		waiter_ = nullptr;
		core_.release(std::exchange(record_, nullptr));
		return ev;
	}

	core &core_;
	record *record_ = nullptr;	/* while it is submitted */

private:
	waiter *waiter_ = nullptr;

	void abandon() noexcept
	{
		waiter_ = nullptr;
		if (record_)
			core::abandon(std::exchange(record_, nullptr));
	}
};

struct promise_base {
	std::coroutine_handle<> waiter = std::noop_coroutine();
	promise_base **awaited = nullptr;	/* where the waiter knows it by */
	std::exception_ptr thrown;
	bool begun = false;

	promise_base() = default;
	promise_base(const promise_base &) = delete;
	promise_base &operator=(const promise_base &) = delete;
	~promise_base()
	{
		if (awaited)
			*awaited = nullptr;
	}

	struct final_awaiter {
		bool await_ready() const noexcept { return false; }
		void await_resume() const noexcept {}
		template <class P>
		std::coroutine_handle<> await_suspend(std::coroutine_handle<P> h) const noexcept
		{
			return h.promise().waiter;
		}
	};

	std::suspend_always initial_suspend() const noexcept { return {}; }
	final_awaiter final_suspend() const noexcept { return {}; }
	void unhandled_exception() noexcept { thrown = std::current_exception(); }
	void check() const
	{
		if (thrown)
			std::rethrow_exception(thrown);
	}
};

template <class T> struct promise : promise_base {
	std::optional<T> value;

	template <class U = T> void return_value(U &&v) { value.emplace(std::forward<U>(v)); }
	T result() { check(); return std::move(*value); }
};

template <> struct promise<void> : promise_base {
	void return_void() const noexcept {}
	void result() const { check(); }
};

/* The coroutine that a spawned task runs in. It frees itself, unless an exception is left. */
struct detached {
	struct promise_type : link {
		link *failed = nullptr;
		std::exception_ptr thrown;

		struct final_awaiter {
			bool await_ready() const noexcept { return false; }
			void await_resume() const noexcept {}
			void await_suspend(std::coroutine_handle<promise_type> h) const noexcept
			{
				if (h.promise().thrown)
					h.promise().failed->insert(h.promise());
				else
					h.destroy();
			}
		};

		~promise_type() { unlink(); }
		detached get_return_object() noexcept { return {*this}; }
		std::suspend_always initial_suspend() const noexcept { return {}; }
		final_awaiter final_suspend() const noexcept { return {}; }
		void return_void() const noexcept {}
		void unhandled_exception() noexcept { thrown = std::current_exception(); }
	};

	promise_type &promise;

	static std::coroutine_handle<promise_type> first(link &list) noexcept
	{
		return std::coroutine_handle<promise_type>::from_promise(
			*static_cast<promise_type *>(list.next));
	}
};

} // namespace detail

/*
 * A coroutine that others wait for: co_await t, queue::run(t), or queue::spawn(t). It begins
 * then, or by start(), and not before. What it throws is thrown to who waits. Its destructor
 * destroys the coroutine, wherever it is; not from inside of it. Of one that is none, or was
 * moved from, nothing is allowed but to assign, to destroy and to test it.
 */
template <class T = void> class [[nodiscard]] task
{
public:
	struct promise_type : detail::promise<T> {
		task get_return_object() noexcept
		{
			return task(std::coroutine_handle<promise_type>::from_promise(*this));
		}
	};

	task() noexcept = default;	/* none: t = {} destroys what there was */
	task(task &&t) noexcept : coro_(std::exchange(t.coro_, nullptr)) {}
	task &operator=(task &&t) noexcept
	{
		task old(std::move(t));

		std::swap(coro_, old.coro_);
		return *this;
	}
	~task()
	{
		if (coro_)
			coro_.destroy();
	}

	/* Let it begin, without waiting for it: that can be done later. */
	void start()
	{
		if (!std::exchange(coro_.promise().begun, true))
			coro_.resume();
	}

	bool done() const noexcept { return coro_.done(); }
	explicit operator bool() const noexcept { return bool(coro_); }

	/* For one who waits, once. That one may be destroyed before the task, or after it. */
	auto operator co_await() && noexcept
	{
		struct awaiter {
			detail::promise_base *p;

			explicit awaiter(promise_type &promise) noexcept : p(&promise) {}
			awaiter(const awaiter &) = delete;
			awaiter &operator=(const awaiter &) = delete;
			~awaiter()
			{
				if (p && p->awaited == &p) {
					p->waiter = std::noop_coroutine();
					p->awaited = nullptr;
				}
			}

			promise_type &promise() const noexcept
			{
				return static_cast<promise_type &>(*p);
			}

			/* A loop of tasks that never suspend must not use up the stack. */
			bool await_ready() const
			{
				using handle = std::coroutine_handle<promise_type>;
				handle h = handle::from_promise(promise());

				if (!std::exchange(p->begun, true))
					h.resume();
				return h.done();
			}
			void await_suspend(std::coroutine_handle<> h)
			{
				if (p->awaited)
					throw std::system_error(detail::error(-EBUSY));
				p->awaited = &p;
				p->waiter = h;
			}
			T await_resume()
			{
				promise_type &ended = promise();

				p->awaited = nullptr;
				p = nullptr;
				return ended.result();
			}
		};
		return awaiter(coro_.promise());
	}

private:
	friend class queue;
	explicit task(std::coroutine_handle<promise_type> h) noexcept : coro_(h) {}

	std::coroutine_handle<promise_type> coro_ = nullptr;
};

/* What all operations have in common */
class operation_base : public detail::waitable
{
protected:
	operation_base(detail::core &c, const ioevq_req &req) noexcept : waitable(c), req_(req) {}

	/* False: there is no event to be waited for. */
	bool submit(waiter &w, std::coroutine_handle<> h)
	{
		std::int64_t result = IOEVQ_NO_RESULT;
		ioevq_req req = req_;
		int ret;

		claim();
		event_ = {};
		event_.op = req.op;
		event_.res = -ECANCELED;
		if (stop_.stop_requested())
			return false;
		record_ = core_.get();
		/* A message has no event here, and says itself what it is. */
		if (req.op != IOEVQ_OP_POST)
			req.user_data = record_->user_data();
		if (core_.at_once && (req.op == IOEVQ_OP_READ || req.op == IOEVQ_OP_WRITE ||
				      req.op == IOEVQ_OP_FSYNC))
			req.flags |= IOEVQ_REQ_SKIP_SUCCESS;
		do {
			ret = ioevq_submit_results(&core_.q, &req, 1, &result);
		} while (ret == -EINTR);
		if (ret < 0 || result != IOEVQ_NO_RESULT || req.op == IOEVQ_OP_POST) {
			core_.release(std::exchange(record_, nullptr));
			core_.at_once -= core_.at_once > 0;
			event_.res = ret < 0 ? ret : result == IOEVQ_NO_RESULT ? 0 : result;
			return false;
		}
		record_->memory = memory_;
		record_->uses_memory = req.op == IOEVQ_OP_READ || req.op == IOEVQ_OP_WRITE;
		wait(w, h, core_.kernel, detail::record::KERNEL);
		if (stop_.stop_possible())
			record_->on_stop.emplace(stop_, detail::canceller{record_});
		return true;
	}

	ioevq_event finish() noexcept { return record_ ? taken() : event_; }

	void check(const ioevq_event &ev) const
	{
		if (ec_)
			*ec_ = detail::error(ev.res);
		else if (ev.res < 0)
			throw std::system_error(detail::error(ev.res));
	}

	ioevq_req req_;
	ioevq_event event_ = {};
	std::error_code *ec_ = nullptr;
	std::shared_ptr<const void> memory_;
	std::stop_token stop_;
};

/*
 * An operation that can be awaited, as the functions of queue return it. It is submitted by
 * co_await. The temporary that it is lives as long as needed; a named one can be awaited
 * again when it is done (EBUSY before), and if it is destroyed, who waits for it is not resumed.
 */
template <class R> class [[nodiscard]] operation : public operation_base
{
public:
	operation(detail::core &c, const ioevq_req &req) noexcept : operation_base(c, req) {}

	/* Tell an error by @ec and return a value that means nothing, instead of throwing. */
	operation &with(std::error_code &ec) noexcept
	{
		ec_ = &ec;
		return *this;
	}

	/*
	 * Cancel it when a stop is requested, by whatever thread: ECANCELED, unless it has
	 * ended by itself. That is not heard if the kernel has no memory for it, or if 64
	 * cancels of this queue wait for file I/O. Not while the queue is being destroyed.
	 */
	operation &with(std::stop_token token) noexcept
	{
		stop_ = std::move(token);
		return *this;
	}

	/* @memory is what it reads to or writes from: kept until the kernel needs it no more. */
	operation &keep(std::shared_ptr<const void> memory) noexcept
	{
		memory_ = std::move(memory);
		return *this;
	}

	/* IOEVQ_REQ_AFTER: start when those before it on the same file have ended. */
	operation &after() noexcept
	{
		req_.flags |= IOEVQ_REQ_AFTER;
		return *this;
	}

	/* It stays where it is, and what is awaited is small (g++ 12 copies that). */
	auto operator co_await() noexcept
	{
		struct awaiter : operation::waiter {
			using operation::waiter::waiter;

			operation *op() noexcept { return static_cast<operation *>(this->on); }

			bool await_ready() const noexcept { return false; }
			bool await_suspend(std::coroutine_handle<> h)
			{
				return op()->submit(*this, h);
			}
			R await_resume()
			{
				operation *ended = op();

				this->on = nullptr;
				return ended->result();
			}
		};
		return awaiter(*this);
	}

private:
	R result()
	{
		ioevq_event ev = finish();

		if constexpr (std::is_same_v<R, child_exit>) {
			child_exit e = {};
			int ret = ev.res < 0 ? 1 : ioevq_reap(&ev, &e.info, &e.usage);

			if (ret != 1)
				ev.res = ret < 0 ? ret : -ECHILD;
			check(ev);
			return e;
		} else {
			/* Of a watch, closed is neither ready nor an error. */
			if (std::is_same_v<R, std::uint32_t> && !ev.res &&
			    ev.flags & IOEVQ_EVENT_CLOSED)
				ev.res = -ECANCELED;
			check(ev);
			if constexpr (std::is_same_v<R, ioevq_event>)
				return ev;
			else if constexpr (!std::is_void_v<R>)
				return static_cast<R>(ev.res < 0 ? 0 : ev.res);
		}
	}
};

/* What queue::next_event() returns; as operations are */
class [[nodiscard]] receiver : public detail::waitable
{
public:
	explicit receiver(detail::core &c) noexcept : waitable(c) {}

	auto operator co_await() noexcept
	{
		struct awaiter : waiter {
			using waiter::waiter;

			receiver *from() const noexcept { return static_cast<receiver *>(on); }

			bool await_ready() { return from()->take(); }
			void await_suspend(std::coroutine_handle<> h) { from()->ask(*this, h); }
			ioevq_event await_resume() noexcept
			{
				receiver *ended = from();

				on = nullptr;
				return ended->taken();
			}
		};
		return awaiter(*this);
	}

private:
	bool take()
	{
		claim();
		record_ = core_.take_inbox();
		return record_ != nullptr;
	}

	void ask(waiter &w, std::coroutine_handle<> h)
	{
		record_ = core_.get();
		wait(w, h, core_.receivers, detail::record::RECEIVER);
	}
};

/* A queue, open from construction to destruction */
class queue
{
public:
	/*
	 * @entries, @ops: as of ioevq_open(); CANCEL is always among @ops. Throws
	 * std::system_error.
	 */
	explicit queue(std::uint32_t entries = 0, std::uint64_t ops = 0) : core_(entries, ops) {}
	queue(const queue &) = delete;
	queue &operator=(const queue &) = delete;

	/*
	 * Destroys the tasks that were given to spawn(), cancels what others wait for, and
	 * waits for file I/O. Coroutines of others stay suspended for good; they may be
	 * destroyed later. Not from a coroutine of its own.
	 */
	~queue()
	{
		/* Destructors may spawn others. */
		while (!tasks_.empty() || !failed_.empty())
			detail::detached::first(tasks_.empty() ? failed_ : tasks_).destroy();
	}

	/*
	 * For functions of the C library, as ioevq_watch_signals(). Requests that are submitted
	 * so must have even user data; their events come to next_event(). CANCEL must not be
	 * taken from it by ioevq_restrict().
	 */
	const struct ::ioevq *native() const noexcept { return &core_.q; }

	/*
	 * Begin a task, and own it. An exception that it ends with is thrown by the step() or
	 * run() in which that happens, or by the next. Throws std::bad_alloc.
	 */
	void spawn(task<> t)
	{
		detail::detached::promise_type &p = drive(std::move(t)).promise;

		p.failed = &failed_;
		tasks_.insert(p);
		std::coroutine_handle<detail::detached::promise_type>::from_promise(p).resume();
	}

	/*
	 * Wait for events no longer than @timeout_ns, and resume who waits for them. Returns
	 * how many that were; 0 also after a signal, stop(), or where a cancel has to be tried
	 * again. Throws what spawned tasks throw, and std::system_error, std::bad_alloc if no
	 * event can be taken.
	 */
	std::size_t step(std::int64_t timeout_ns = IOEVQ_FOREVER)
	{
		std::uint64_t before;
		std::size_t n = 0;

		rethrow();
		core_.at_once = core_.batch;
		if (core_.ready.empty())
			core_.take(1, timeout_ns);
		/* Not what destructors take meanwhile: that could go on for ever. */
		before = core_.numbers;
		while (detail::record *r = core_.take_ready(before)) {
			n++;
			r->waiter.resume();
			rethrow();
		}
		return n;
	}

	/* Until nobody waits for anything, or stop() */
	void run()
	{
		while (!core_.stopped && !idle())
			step();
		core_.stopped = false;
	}

	/*
	 * Until @t has ended: returns its result. Others that are not done stay as they are. Throws
	 * ECANCELED after stop(), EDEADLK if nobody waits for this queue, so that @t cannot end.
	 */
	template <class T> T run(task<T> t)
	{
		t.start();
		while (!t.done()) {
			if (std::exchange(core_.stopped, false))
				throw std::system_error(detail::error(-ECANCELED));
			if (idle())
				throw std::system_error(detail::error(-EDEADLK));
			step();
		}
		return t.coro_.promise().result();
	}

	/* Let the present run(), or else the next, return. Any thread, async-signal-safe. */
	bool stop() const noexcept { return !ioevq_alert(&core_.q, 0); }

	/* Was that taken by step(), and no run() has returned for it? */
	bool stopped() const noexcept { return core_.stopped; }

	/* A message for next_event(). Any thread, and never waits. See ioevq_post(). */
	void post(std::uint64_t user_data, std::int64_t res = 0, std::uint64_t data = 0) const
	{
		int ret = ioevq_post(&core_.q, user_data, res, data);

		if (ret < 0)
			throw std::system_error(detail::error(ret));
	}

	/* The same, and async-signal-safe */
	void post(std::uint64_t user_data, std::int64_t res, std::uint64_t data,
		  std::error_code &ec) const noexcept
	{
		ec = detail::error(ioevq_post(&core_.q, user_data, res, data));
	}

	/*
	 * The next event that no operation below waits for: a message, or an event of a request
	 * that was submitted by the C library. Those who ask have them in turn; until then they
	 * are kept here.
	 */
	receiver next_event() noexcept { return receiver(core_); }

	/* Bytes read, 0 at the end. @off: of regular files and block devices */
	operation<std::size_t> read(int fd, void *buf, std::size_t len,
				    std::uint64_t off = IOEVQ_POSITION) noexcept
	{
		return make<std::size_t>(ioevq_prep_read, fd, buf, len, off);
	}

	/* Bytes written. Of streams that is all, but if an error, a cancel or a close came then. */
	operation<std::size_t> write(int fd, const void *buf, std::size_t len,
				     std::uint64_t off = IOEVQ_POSITION) noexcept
	{
		return make<std::size_t>(ioevq_prep_write, fd, buf, len, off);
	}

	/* @flags: IOEVQ_FSYNC_DATASYNC ... */
	operation<void> fsync(int fd, std::uint32_t flags = 0) noexcept
	{
		return make<void>(ioevq_prep_fsync, fd, flags);
	}

	/* What of @mask (POLLIN ...), POLLERR and POLLHUP is so: a hint. @flags: ..._CONFIRM ... */
	operation<std::uint32_t> poll(int fd, std::uint32_t mask, std::uint32_t flags = 0) noexcept
	{
		return make<std::uint32_t>(ioevq_prep_poll, fd, mask, flags | IOEVQ_POLL_ONESHOT);
	}

	/* Wait for a child, and reap it. ECHILD: it is not ours, or another has reaped it. */
	operation<child_exit> child(pid_t pid) noexcept
	{
		/* 0 would be all children: more than one answer */
		return make<child_exit>(ioevq_prep_child, pid ? pid : -1, 0U);
	}

	/* From now on, or at a time: of the steady_clock, or of the day, as that may be set */
	operation<void> timer(std::chrono::nanoseconds after) noexcept
	{
		return timer_at(0, after);
	}

	template <class D>
	operation<void> timer(std::chrono::time_point<std::chrono::steady_clock, D> t) noexcept
	{
		return timer_at(IOEVQ_TIMER_ABSTIME, t.time_since_epoch());
	}

	template <class D>
	operation<void> timer(std::chrono::time_point<std::chrono::system_clock, D> t) noexcept
	{
		return timer_at(IOEVQ_TIMER_ABSTIME | IOEVQ_TIMER_REALTIME, t.time_since_epoch());
	}

	/*
	 * Cancel all that is submitted for an open file, or everything. How many requests that
	 * were; who waited for them has been resumed before.
	 */
	operation<std::size_t> cancel(int fd) noexcept
	{
		return make<std::size_t>(ioevq_prep_cancel, std::uint32_t(IOEVQ_CANCEL_FD),
					 no_value, fd, 0U);
	}

	operation<std::size_t> cancel_all() noexcept
	{
		return make<std::size_t>(ioevq_prep_cancel, 0U, no_value, -1, 0U);
	}

	/* The same as cancel(), and close(2): closed at once, whatever becomes of the coroutine */
	operation<void> close(int fd) noexcept { return make<void>(ioevq_prep_close, fd); }

	/* Let others have a turn. */
	operation<void> yield() noexcept { return make<void>(ioevq_prep_nop); }

	/*
	 * Any request. Its user data is set here, but of a message. Where it has several events
	 * the last one is told: for all of them submit it to native().
	 */
	operation<ioevq_event> request(ioevq_req req) noexcept
	{
		/* There has to be a last one. */
		if (req.op == IOEVQ_OP_POLL)
			req.op_flags &= ~std::uint32_t(IOEVQ_POLL_QUIET);
		return {core_, req};
	}

private:
	static constexpr std::uint64_t no_value = 0;

	detail::core core_;
	detail::link tasks_;
	detail::link failed_;		/* have ended with an exception, to be thrown */

	static detail::detached drive(task<> t)
	{
		co_await std::move(t);
	}

	/* Is there nothing to be waited for, and nothing to be resumed? */
	bool idle() const noexcept { return core_.idle() && failed_.empty(); }

	void rethrow()
	{
		std::exception_ptr thrown;

		if (failed_.empty())
			return;
		thrown = detail::detached::first(failed_).promise().thrown;
		detail::detached::first(failed_).destroy();
		std::rethrow_exception(thrown);
	}

	template <class R, class F, class... A> operation<R> make(F prep, A... args) noexcept
	{
		ioevq_req req;

		prep(&req, args..., std::uint64_t(0));
		return {core_, req};
	}

	/* A time before the begin of the clock has passed, as 0 has. */
	operation<void> timer_at(std::uint32_t flags, std::chrono::nanoseconds t) noexcept
	{
		std::uint64_t ns = t.count() < 0 ? no_value : std::uint64_t(t.count());

		return make<void>(ioevq_prep_timer, flags, ns, no_value);
	}
};

} // namespace evq

#endif /* IOEVQ_HPP */
