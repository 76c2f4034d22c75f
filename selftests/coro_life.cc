// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioevq.hpp: coroutines and queues that are destroyed while something is under way. Law 9 is
 * what makes it safe: when the destructor returns, the kernel uses nothing of them.
 */
#include "coro.hpp"

#include <atomic>
#include <csignal>
#include <fstream>
#include <linux/userfaultfd.h>
#include <memory>
#include <string>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <thread>

using namespace std::chrono_literals;

/* Memory that is counted, and can be refused. Inlined, g++ 12 takes the two for no pair. */
static std::atomic<unsigned long> allocated;
static std::atomic<bool> refuse;

[[gnu::noinline]] void *operator new(std::size_t size, const std::nothrow_t &) noexcept
{
	allocated++;
	return refuse ? nullptr : std::malloc(size);
}

[[gnu::noinline]] void *operator new(std::size_t size)
{
	void *p = operator new(size, std::nothrow);

	if (!p)
		throw std::bad_alloc();
	return p;
}

[[gnu::noinline]] void operator delete(void *p) noexcept
{
	std::free(p);
}

[[gnu::noinline]] void operator delete(void *p, std::size_t) noexcept
{
	std::free(p);
}

static task<> reads(queue &q, int fd, char *to, int &resumed)
{
	co_await q.read(fd, to, 1);
	resumed++;
}

static task<> writes(queue &q, int fd, const std::string &text, int &resumed)
{
	co_await q.write(fd, text.data(), text.size());
	resumed++;
}

static task<> polls(queue &q, int fd, int &resumed)
{
	co_await q.poll(fd, POLLIN);
	resumed++;
}

static task<> sleeps(queue &q, std::chrono::nanoseconds t, int &resumed)
{
	co_await q.timer(t);
	resumed++;
}

static task<> waits(queue &q, pid_t pid, int &resumed)
{
	co_await q.child(pid);
	resumed++;
}

static task<> yields(queue &q, int &resumed)
{
	co_await q.yield();
	resumed++;
}

static task<> asks(queue &q, int &resumed)
{
	co_await q.next_event();
	resumed++;
}

static task<> closes(queue &q, int fd, int &resumed)
{
	co_await q.close(fd);
	resumed++;
}

TEST(destroyed_whatever_it_waits_for)
{
	std::string text(1 << 20, 'x');
	pipe_pair in, out, closed;
	int resumed = 0;
	pid_t pid;
	queue q;
	char c;

	pid = fork();
	while (!pid)
		pause();
	{
		task<> all[] = {
			reads(q, in.fd[0], &c, resumed), writes(q, out.fd[1], text, resumed),
			polls(q, in.fd[0], resumed), sleeps(q, 1h, resumed), waits(q, pid, resumed),
			yields(q, resumed), asks(q, resumed), closes(q, closed.fd[0], resumed),
		};

		for (task<> &t : all) {
			t.start();
			CHECK(!t.done());
		}
		/* One that has not begun. */
		task<> idle = reads(q, in.fd[0], &c, resumed);
	}
	q.run();
	CHECK(resumed == 0);
	CHECK(requests(q) == 0);
	/* The child is not reaped, and what was asked to be closed is closed. */
	kill(pid, SIGKILL);
	CHECK(waitpid(pid, nullptr, 0) == pid);
	CHECK(fcntl(closed.fd[0], F_GETFD) < 0);
	closed.fd[0] = -1;
}

TEST(a_destroyed_reader_takes_nothing)
{
	task<> gone;
	int resumed = 0;
	char buf = '-';
	pipe_pair p;
	queue q;

	for (int i = 0; i < 200; i++) {
		gone = reads(q, p.fd[0], &buf, resumed);
		gone.start();
		gone = {};
		REQUIRE(p.put('x'));
		q.run();
		CHECK(buf == '-' && resumed == 0);
		REQUIRE(::read(p.fd[0], &buf, 1) == 1);
		buf = '-';
	}
	CHECK(requests(q) == 0);
}

TEST(a_destroyed_reader_leaves_others_theirs)
{
	int resumed = 0, others = 0;
	task<> gone;
	char buf = '-', other = '-';
	pipe_pair p;
	queue q;

	gone = reads(q, p.fd[0], &buf, resumed);
	gone.start();
	q.spawn(reads(q, p.fd[0], &other, others));
	/* Two events are there when the destructor looks for its own. */
	q.spawn(yields(q, others));
	gone = {};
	REQUIRE(p.put('y'));
	q.run();
	CHECK(resumed == 0 && buf == '-');
	CHECK(others == 2 && other == 'y');
}

static task<> destroys(queue &q, task<> &other, int &resumed)
{
	co_await q.yield();
	other = {};
	resumed++;
}

/* Both events are taken at once; who comes first destroys the other. */
TEST(destroyed_between_event_and_resumption)
{
	task<> gone;
	int resumed = 0, late = 0;
	queue q;

	for (int i = 0; i < 100; i++) {
		q.spawn(destroys(q, gone, resumed));
		gone = yields(q, late);
		gone.start();
		q.run();
		CHECK(!gone && resumed == i + 1 && late == 0);
	}
	CHECK(requests(q) == 0);
}

TEST(a_message_is_not_lost_with_its_receiver)
{
	task<> gone;
	int resumed = 0, late = 0, got = 0;
	queue q;

	/* Nobody else asks: kept. */
	gone = asks(q, late);
	gone.start();
	q.spawn(destroys(q, gone, resumed));
	q.post(1);
	q.run();
	CHECK(resumed == 1 && late == 0);
	q.run(asks(q, got));
	CHECK(got == 1);
	/* Somebody does, and has it. */
	gone = asks(q, late);
	q.spawn(destroys(q, gone, resumed));
	gone.start();
	q.spawn(asks(q, got));
	q.post(2);
	q.run();
	CHECK(resumed == 2 && late == 0 && got == 2);
}

static task<> notes(queue &q, std::vector<std::uint64_t> &got, int n)
{
	while (n--)
		got.push_back((co_await q.next_event()).user_data);
}

static task<> destroys_both(queue &q, task<> &one, task<> &other)
{
	co_await q.yield();
	one = {};
	other = {};
}

TEST(messages_stay_in_order_without_their_receivers)
{
	std::vector<std::uint64_t> got;
	task<> one, other;
	int late = 0;
	queue q;

	for (int i = 0; i < 2; i++) {
		got.clear();
		one = asks(q, late);
		other = asks(q, late);
		one.start();
		other.start();
		q.spawn(i ? destroys_both(q, other, one) : destroys_both(q, one, other));
		for (std::uint64_t n = 1; n < 4; n++)
			q.post(n);
		q.run();
		q.run(notes(q, got, 3));
		CHECK(got == (std::vector<std::uint64_t>{1, 2, 3}) && late == 0);
	}
}

static task<> destroys_readers(queue &q, int fd, const bool &end)
{
	int resumed = 0;
	task<> gone;
	char c;

	while (!end) {
		gone = reads(q, fd, &c, resumed);
		gone.start();
		gone = {};
		co_await q.yield();
	}
}

/* Each takes the event of the other, which is to be resumed then. */
TEST(a_step_ends_whatever_destructors_take)
{
	bool end = false;
	pipe_pair p;
	queue q;

	q.spawn(destroys_readers(q, p.fd[0], end));
	q.spawn(destroys_readers(q, p.fd[0], end));
	for (int i = 0; i < 50; i++)
		CHECK(q.step() <= 2);
	end = true;
	q.run();
	CHECK(requests(q) == 0);
}

static task<> waits_for(task<> &t, int &resumed)
{
	co_await std::move(t);
	resumed++;
}

static task<int> error_of_task(task<> &t)
{
	try {
		co_await std::move(t);
	} catch (const std::system_error &e) {
		co_return e.code().value();
	}
	co_return 0;
}

TEST(a_task_and_who_waits_for_it_go_in_any_order)
{
	int ended = 0, resumed = 0;
	task<> t, waiter, moved;
	queue q;

	/* Who waits goes first, and another can wait then. */
	t = yields(q, ended);
	waiter = waits_for(t, resumed);
	waiter.start();
	CHECK(q.run(error_of_task(t)) == EBUSY);
	waiter = {};
	q.run();
	CHECK(ended == 1 && t.done() && resumed == 0);
	q.run(waits_for(t, resumed));
	CHECK(resumed == 1);
	t = yields(q, ended);
	waiter = waits_for(t, resumed);
	waiter.start();
	waiter = {};
	q.run(waits_for(t, resumed));
	CHECK(ended == 2 && resumed == 2);
	/* The task does, and nobody is resumed. */
	t = yields(q, ended);
	waiter = waits_for(t, resumed);
	waiter.start();
	t = {};
	q.run();
	CHECK(ended == 2 && resumed == 2 && !waiter.done());
	waiter = {};
	/* It goes to another place meanwhile. */
	t = yields(q, ended);
	waiter = waits_for(t, resumed);
	waiter.start();
	moved = std::move(t);
	q.run();
	CHECK(ended == 3 && resumed == 3 && waiter.done() && moved.done());
	/* What was there is destroyed at once, and not with what it is assigned from. */
	moved = yields(q, ended);
	moved.start();
	t = yields(q, ended);
	moved = std::move(t);
	CHECK(!t);
	q.run();
	CHECK(ended == 3 && requests(q) == 0);
}

/* An operation that was not made by who waits for it */
TEST(an_operation_and_who_waits_for_it_go_in_any_order)
{
	int resumed = 0;
	task<> waiter;
	pipe_pair p;
	queue q;
	char c = '-', other;
	auto read = q.read(p.fd[0], &c, 1);
	auto event = q.next_event();

	waiter = wait_for(read, resumed);
	waiter.start();
	CHECK(q.run(error_of(read)) == EBUSY);
	waiter = {};
	REQUIRE(p.put('x'));
	q.run();
	CHECK(resumed == 0 && c == '-');
	q.run(wait_for(read, resumed));
	CHECK(resumed == 1 && c == 'x');
	waiter = wait_for(event, resumed);
	waiter.start();
	CHECK(q.run(error_of(event)) == EBUSY);
	waiter = {};
	q.post(0);
	CHECK(q.step() == 0);
	q.run(wait_for(event, resumed));
	CHECK(resumed == 2);
	{
		auto gone = q.read(p.fd[0], &other, 1);
		auto late = q.next_event();
		task<> one = wait_for(gone, resumed), two = wait_for(late, resumed);

		one.start();
		two.start();
		waiter = std::move(one);
		q.spawn(std::move(two));
	}
	REQUIRE(p.put('y'));
	q.post(0);
	CHECK(q.step() == 0);
	CHECK(resumed == 2 && !waiter.done() && !p.empty());
	waiter = {};
	CHECK(requests(q) == 0);
}

/* A thread that sees the destructor of a task asleep, so many times, and lets it go on. */
class helper
{
public:
	template <class F> explicit helper(F then, unsigned long times = 1)
		: tid_(static_cast<pid_t>(syscall(SYS_gettid))), thread_([this, then, times] {
			while (!returned_ && !about_)
				std::this_thread::yield();
			unsigned long before = sleeps();
			while (!returned_ && !(asleep() && sleeps() + 1 >= before + times))
				std::this_thread::yield();
			early_ = returned_.load();
			released_ = true;
			then();
		}) {}

	/* Destroy @t: was it held until the other thread had let it go? */
	bool holds(task<> &t)
	{
		bool held;

		about_ = true;
		t = {};
		held = released_;
		returned_ = true;
		thread_.join();
		return held && !early_;
	}

private:
	bool asleep() const
	{
		std::ifstream file("/proc/self/task/" + std::to_string(tid_) + "/stat");
		std::string stat;

		std::getline(file, stat);
		return stat.find(") S ") != std::string::npos;
	}

	unsigned long sleeps() const
	{
		std::ifstream file("/proc/self/task/" + std::to_string(tid_) + "/status");
		const std::string name = "voluntary_ctxt_switches:";
		std::string line;

		while (std::getline(file, line))
			if (!line.compare(0, name.size(), name))
				return std::stoul(line.substr(name.size()));
		return 0;
	}

	pid_t tid_;
	std::atomic<bool> about_ = false, returned_ = false, released_ = false, early_ = false;
	std::thread thread_;
};

/* File I/O that takes as long as the test wants it to: see slow_io.h. */
struct slow_page {
	int file = make_file();
	int uffd = static_cast<int>(syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK));
	char *page = static_cast<char *>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE,
					      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));

	slow_page()
	{
		struct uffdio_api api = {};
		struct uffdio_register reg = {};

		api.api = UFFD_API;
		reg.mode = UFFDIO_REGISTER_MODE_MISSING;
		reg.range.start = reinterpret_cast<std::uintptr_t>(page);
		reg.range.len = 4096;
		if (ftruncate(file, 4096) || ioctl(uffd, UFFDIO_API, &api) ||
		    ioctl(uffd, UFFDIO_REGISTER, &reg))
			throw std::runtime_error("userfaultfd");
	}

	/* It has begun: a worker has met the fault. */
	bool started() const
	{
		struct pollfd p = {.fd = uffd, .events = POLLIN, .revents = 0};
		struct uffd_msg msg;

		return ::poll(&p, 1, -1) == 1 && ::read(uffd, &msg, sizeof(msg)) == sizeof(msg);
	}

	bool finish() const
	{
		struct uffdio_zeropage zero = {};

		zero.range.start = reinterpret_cast<std::uintptr_t>(page);
		zero.range.len = 4096;
		return !ioctl(uffd, UFFDIO_ZEROPAGE, &zero);
	}
};

static task<> reads_slowly(queue &q, slow_page &s, std::shared_ptr<int> owner, int &resumed)
{
	if (owner)
		co_await q.read(s.file, s.page, 4096, 0).keep(std::move(owner));
	else
		co_await q.read(s.file, s.page, 4096, 0);
	resumed++;
}

TEST(file_io_that_has_begun_is_waited_for)
{
	task<> gone;
	int resumed = 0;
	slow_page s;
	queue q;

	gone = reads_slowly(q, s, nullptr, resumed);
	gone.start();
	REQUIRE(s.started());
	helper other([&s] { CHECK(s.finish()); });
	CHECK(other.holds(gone));
	q.run();
	CHECK(resumed == 0 && requests(q) == 0);
}

TEST(memory_that_is_kept_is_not_waited_for)
{
	auto owner = std::make_shared<int>(0);
	std::weak_ptr<int> lives = owner;
	task<> gone;
	int resumed = 0;
	slow_page s;
	queue q;

	gone = reads_slowly(q, s, std::move(owner), resumed);
	gone.start();
	REQUIRE(s.started());
	gone = {};
	/* The device has it still. */
	CHECK(!lives.expired() && requests(q) > 0);
	CHECK(q.step(IOEVQ_NO_WAIT) == 0 && !lives.expired());
	CHECK(s.finish());
	q.run();
	CHECK(lives.expired());
	CHECK(resumed == 0 && requests(q) == 0);
}

/* What the request was submitted with counts. */
TEST(memory_that_is_kept_too_late_is_waited_for)
{
	int resumed = 0;
	task<> gone;
	slow_page s;
	queue q;
	auto read = q.read(s.file, s.page, 4096, 0);

	gone = wait_for(read, resumed);
	gone.start();
	REQUIRE(s.started());
	read.keep(std::make_shared<int>(0));
	helper other([&s] { CHECK(s.finish()); });
	CHECK(other.holds(gone));
	CHECK(resumed == 0 && requests(q) == 0);
}

TEST(a_cancel_that_is_refused_is_tried_again)
{
	int resumed = 0, late = 0;
	task<> gone;
	slow_page s;
	queue q;

	q.spawn(reads_slowly(q, s, nullptr, resumed));
	REQUIRE(s.started());
	for (int i = 0; i < 64; i++)
		REQUIRE(!ioevq_cancel_fd(q.native(), s.file, 0));
	REQUIRE(ioevq_cancel_fd(q.native(), s.file, 0) == -EAGAIN);
	gone = sleeps(q, 1h, late);
	gone.start();
	gone = {};
	CHECK(q.step() == 0 && requests(q) == 66);
	CHECK(s.finish());
	/* Not until the hour is over. */
	q.run();
	CHECK(resumed == 1 && late == 0 && requests(q) == 0);
	/* The same where the queue goes. */
	{
		auto other = std::make_unique<queue>();
		slow_page slow;

		gone = reads_slowly(*other, slow, std::make_shared<int>(0), late);
		gone.start();
		REQUIRE(slow.started());
		for (int i = 0; i < 64; i++)
			REQUIRE(!ioevq_cancel_fd(other->native(), slow.file, 0));
		gone = sleeps(*other, 1h, late);
		gone.start();
		gone = {};
		task<> end = [](std::unique_ptr<queue>) -> task<> {
			co_await std::suspend_always();
		}(std::move(other));
		end.start();
		helper then([&slow] { CHECK(slow.finish()); });
		CHECK(then.holds(end));
	}
	CHECK(late == 0);
}

TEST(a_queue_waits_for_file_io_too)
{
	task<> left;
	int resumed = 0;
	slow_page s;

	{
		auto q = std::make_unique<queue>();

		left = reads_slowly(*q, s, nullptr, resumed);
		left.start();
		REQUIRE(s.started());
		/* The same for the destructor of the queue. */
		task<> end = [](std::unique_ptr<queue>) -> task<> {
			co_await std::suspend_always();
		}(std::move(q));
		end.start();
		helper other([&s] { CHECK(s.finish()); });
		CHECK(other.holds(end));
	}
	left = {};
	CHECK(resumed == 0);
}

/* Nothing can be cancelled here, so that the end of the read has to be waited for. */
TEST(what_cannot_be_cancelled_is_waited_for)
{
	task<> gone;
	int resumed = 0;
	pipe_pair p;
	queue q;
	char c;

	gone = reads(q, p.fd[0], &c, resumed);
	gone.start();
	REQUIRE(!ioevq_restrict(q.native(), 1ULL << IOEVQ_OP_READ));
	helper other([&p] { p.close_one(1); }, 4);
	CHECK(other.holds(gone));
	CHECK(resumed == 0 && requests(q) == 0);
}

TEST(a_queue_that_is_destroyed_first)
{
	task<> reader, asker, ready;
	int resumed = 0;
	char buf = '-';
	pipe_pair p;

	{
		queue q;

		reader = reads(q, p.fd[0], &buf, resumed);
		asker = asks(q, resumed);
		ready = yields(q, resumed);
		for (task<> *t : {&reader, &asker, &ready})
			t->start();
		q.spawn(asks(q, resumed));
		q.post(1);
		q.post(2);
		/* Who was the first to ask has its message, and is not resumed. */
		reader = {};
		reader = reads(q, p.fd[0], &buf, resumed);
		reader.start();
	}
	REQUIRE(p.put('x'));
	reader = {};
	asker = {};
	ready = {};
	CHECK(resumed == 0 && buf == '-');
	CHECK(::read(p.fd[0], &buf, 1) == 1 && buf == 'x');
}

struct guard {
	int &count;

	explicit guard(int &n) : count(++n) {}
	~guard() { count--; }
};

static task<> guarded(queue &q, int depth, int &guards)
{
	guard g(guards);
	char c[16];
	pipe_pair p;

	if (depth)
		co_await guarded(q, depth - 1, guards);
	co_await q.read(p.fd[0], c, sizeof(c));
}

TEST(a_queue_destroys_its_tasks)
{
	int guards = 0;

	{
		queue q;

		for (int i = 0; i < 10; i++)
			q.spawn(guarded(q, i, guards));
		CHECK(guards == 55);
		q.step(IOEVQ_NO_WAIT);
	}
	CHECK(guards == 0);
}

struct spawner {
	queue &q;
	int &guards;

	~spawner() { q.spawn(guarded(q, 0, guards)); }
};

static task<> fails(std::unique_ptr<spawner>)
{
	throw std::out_of_range("it");
	co_return;
}

static task<> stays(queue &q, std::unique_ptr<spawner>)
{
	co_await q.next_event();
}

TEST(a_queue_destroys_what_its_tasks_begin_at_their_end)
{
	int guards = 0;

	{
		queue q;

		q.spawn(fails(std::unique_ptr<spawner>(new spawner{q, guards})));
		q.spawn(stays(q, std::unique_ptr<spawner>(new spawner{q, guards})));
		CHECK(guards == 0);
	}
	CHECK(guards == 0);
}

static task<> until_stop(queue &q, int fd, std::stop_token token, int &ended, int &cancelled)
{
	std::error_code ec;
	char c;

	co_await q.read(fd, &c, 1).with(token).with(ec);
	CHECK(!ec || ec == std::errc::operation_canceled);
	cancelled += !!ec;
	ended++;
}

TEST(stop_token)
{
	std::stop_source stop, before;
	int ended = 0, cancelled = 0;
	pipe_pair p, other;
	queue q;

	before.request_stop();
	q.run(until_stop(q, p.fd[0], before.get_token(), ended, cancelled));
	CHECK(ended == 1 && cancelled == 1 && info(q).events == 0);
	/* It has ended by itself. */
	q.spawn(until_stop(q, other.fd[0], stop.get_token(), ended, cancelled));
	REQUIRE(other.put('x'));
	q.run();
	CHECK(ended == 2 && cancelled == 1);
	for (int i = 0; i < 10; i++)
		q.spawn(until_stop(q, p.fd[0], stop.get_token(), ended, cancelled));
	CHECK(q.step(IOEVQ_NO_WAIT) == 0);
	stop.request_stop();
	q.run();
	CHECK(ended == 12 && cancelled == 11);
	CHECK(requests(q) == 0);
}

/* Its record is another's now. */
TEST(stop_token_of_what_is_over)
{
	int ended = 0, cancelled = 0, resumed = 0;
	std::stop_source stop;
	pipe_pair p;
	task<> gone;
	queue q;
	char c;

	gone = until_stop(q, p.fd[0], stop.get_token(), ended, cancelled);
	gone.start();
	gone = {};
	q.spawn(until_stop(q, p.fd[0], stop.get_token(), ended, cancelled));
	REQUIRE(p.put('x'));
	q.run();
	CHECK(ended == 1 && cancelled == 0);
	/* More than there are records, so that each is used */
	for (int i = 0; i < 70; i++)
		q.spawn(reads(q, p.fd[0], &c, resumed));
	stop.request_stop();
	CHECK(q.step(IOEVQ_NO_WAIT) == 0);
	p.close_one(1);
	q.run();
	CHECK(resumed == 70 && requests(q) == 0);
}

TEST(stop_token_of_a_queue_that_is_gone)
{
	task<> left;
	int ended = 0, cancelled = 0;
	std::stop_source stop;
	pipe_pair p;

	{
		queue q;

		left = until_stop(q, p.fd[0], stop.get_token(), ended, cancelled);
		left.start();
	}
	stop.request_stop();
	left = {};
	CHECK(ended == 0);
}

/* Stop, completion and destruction, whichever is first. */
TEST(stop_by_a_thread_against_completion)
{
	int ended = 0, cancelled = 0, gone = 0;
	std::atomic<std::stop_source *> shared = nullptr;
	std::atomic<bool> end = false;
	pipe_pair p;
	queue q;
	char c;

	std::thread thread([&] {
		while (!end) {
			std::stop_source *s = shared.exchange(nullptr);

			if (!s) {
				std::this_thread::yield();
				continue;
			}
			s->request_stop();
			delete s;
		}
	});
	for (int i = 0; i < 2000; i++) {
		auto *s = new std::stop_source;
		task<> t(until_stop(q, p.fd[0], s->get_token(), ended, cancelled));

		t.start();
		shared = s;
		if (i % 3)
			REQUIRE(p.put('x'));
		if (i % 5 == 4) {
			gone += !t.done();
			t = {};
		}
		q.run();
		while (shared)
			std::this_thread::yield();
		while (!p.empty())
			REQUIRE(::read(p.fd[0], &c, 1) == 1);
	}
	end = true;
	thread.join();
	CHECK(ended == 2000 - gone);
	CHECK(requests(q) == 0);
}

static task<> echo(queue &q, int from, int to, int rounds, int &done)
{
	int n;

	while (rounds--) {
		REQUIRE(co_await q.read(from, &n, sizeof(n)) == sizeof(n));
		n++;
		REQUIRE(co_await q.write(to, &n, sizeof(n)) == sizeof(n));
	}
	done++;
}

/* A token goes round a ring of pipes. */
TEST(many_coroutines)
{
	const int nr = 1000, rounds = 3;
	std::vector<pipe_pair> pipes(nr);
	int done = 0, token = 0;
	queue q;

	for (int i = 0; i < nr; i++)
		q.spawn(echo(q, pipes[i].fd[0], pipes[(i + 1) % nr].fd[1], rounds, done));
	CHECK(info(q).requests == nr);
	REQUIRE(::write(pipes[0].fd[1], &token, sizeof(token)) == sizeof(token));
	q.run();
	CHECK(done == nr && requests(q) == 0);
	CHECK(::read(pipes[0].fd[0], &token, sizeof(token)) == sizeof(token));
	CHECK(token == nr * rounds);
}

TEST(many_are_destroyed)
{
	int resumed = 0, fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	std::vector<task<>> tasks(6000);
	pipe_pair p;
	queue q;
	char c;

	for (std::size_t i = 0; i < tasks.size(); i++) {
		if (i % 3 == 0)
			tasks[i] = polls(q, fd, resumed);
		else if (i % 3 == 1)
			tasks[i] = sleeps(q, 1ms, resumed);
		else
			tasks[i] = reads(q, p.fd[0], &c, resumed);
		tasks[i].start();
	}
	/* Two of each four; by then some timers have an event, and some events are taken. */
	for (std::size_t i = 0; i < tasks.size(); i++)
		if (i & 2)
			tasks[i] = {};
	REQUIRE(!eventfd_write(fd, 1));
	p.close_one(1);
	q.run();
	CHECK(resumed == 3000);
	for (auto &t : tasks)
		CHECK(!t || t.done());
	CHECK(requests(q) == 0);
}

static task<> in_use(queue &q, pipe_pair &p, int fd, int n)
{
	char c = 'x';

	while (n--) {
		co_await q.yield();
		co_await q.write(p.fd[1], &c, 1);
		co_await q.read(p.fd[0], &c, 1);
		co_await q.poll(p.fd[1], POLLOUT);
		co_await q.timer(1ns);
		co_await q.fsync(fd);
		q.post(1);
		co_await q.next_event();
	}
}

TEST(what_was_done_once_needs_no_memory)
{
	int fd = make_file();
	unsigned long before;
	pipe_pair p;
	queue q;

	q.spawn(in_use(q, p, fd, 300));
	for (int i = 0; i < 10; i++)
		q.step();
	before = allocated;
	q.run();
	CHECK(allocated == before);
}

TEST(without_memory_nothing_is_submitted)
{
	bool caught = false;
	int resumed = 0;
	pipe_pair p;
	queue q;
	char c;

	task<> t(reads(q, p.fd[0], &c, resumed));
	refuse = true;
	t.start();
	refuse = false;
	CHECK(t.done() && info(q).requests == 0);
	try {
		q.run(std::move(t));
	} catch (const std::bad_alloc &) {
		caught = true;
	}
	CHECK(caught && resumed == 0);
	/* Another time there is. */
	REQUIRE(p.put('x'));
	q.run(reads(q, p.fd[0], &c, resumed));
	CHECK(resumed == 1 && c == 'x');
}

/* What there is can be used, but for one record: to destroy takes an event. */
TEST(with_little_memory)
{
	unsigned int waiting = 0;
	int resumed = 0;
	pipe_pair p;
	queue q;
	char c;
	std::vector<task<>> tasks;

	for (int i = 0; i < 100; i++)
		tasks.push_back(reads(q, p.fd[0], &c, resumed));
	tasks[0].start();
	refuse = true;
	for (task<> &t : tasks) {
		t.start();
		waiting += !t.done();
	}
	CHECK(waiting > 50 && waiting < 100 && info(q).requests == waiting);
	REQUIRE(p.put('x'));
	CHECK(q.step() == 1);
	CHECK(tasks[0].done() && resumed == 1);
	for (task<> &t : tasks)
		t = {};
	CHECK(requests(q) == 0);
	refuse = false;
}

int main()
{
	return tap::run_all();
}
