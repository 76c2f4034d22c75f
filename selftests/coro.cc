// SPDX-License-Identifier: GPL-2.0-only
/* ioevq.hpp: what each operation does, its errors, messages, tasks and their exceptions. */
#include "coro.hpp"

#include <csignal>
#include <memory>
#include <string>
#include <thread>

using namespace std::chrono_literals;

static task<std::string> read_all(queue &q, int fd)
{
	std::string all;
	char buf[16];

	while (std::size_t n = co_await q.read(fd, buf, sizeof(buf)))
		all.append(buf, n);
	co_return all;
}

static task<> write_all(queue &q, pipe_pair &p, std::string text)
{
	CHECK(co_await q.write(p.fd[1], text.data(), text.size()) == text.size());
	p.close_one(1);
}

TEST(pipe_both_wait_for_each_other)
{
	std::string text(300000, 'x');
	pipe_pair p;
	queue q;

	/* More than a pipe has room for. */
	q.spawn(write_all(q, p, text));
	CHECK(q.run(read_all(q, p.fd[0])) == text);
	q.run();
	CHECK(requests(q) == 0);
}

static task<> write_and_read(queue &q, pipe_pair &p)
{
	char c = 'a';

	CHECK(co_await q.write(p.fd[1], &c, 1) == 1);
	c = 0;
	CHECK(co_await q.read(p.fd[0], &c, 1) == 1);
	CHECK(c == 'a');
}

TEST(what_is_done_at_once_has_no_event)
{
	pipe_pair p;
	queue q;

	q.run(write_and_read(q, p));
	CHECK(info(q).events == 0);
}

static task<> use_file(queue &q, int fd)
{
	struct iovec iov[2];
	char buf[8] = {};
	ioevq_event ev;
	ioevq_req req;

	CHECK(co_await q.write(fd, "01234567", 8, 100) == 8);
	co_await q.fsync(fd).after();
	co_await q.fsync(fd, IOEVQ_FSYNC_DATASYNC);
	CHECK(co_await q.read(fd, buf, 4, 102) == 4);
	CHECK(!memcmp(buf, "2345", 4));
	CHECK(co_await q.read(fd, buf, 8, 108) == 0);
	/* At the position of the open file. */
	CHECK(lseek(fd, 106, SEEK_SET) == 106);
	CHECK(co_await q.read(fd, buf, 8) == 2);
	CHECK(lseek(fd, 0, SEEK_CUR) == 108);
	/* What has no function of its own. */
	iov[0] = {buf, 1};
	iov[1] = {buf + 4, 2};
	ioevq_prep_readv(&req, fd, iov, 2, 100, 0);
	ev = co_await q.request(req);
	CHECK(ev.res == 3 && ev.op == IOEVQ_OP_READ);
	CHECK(buf[0] == '0' && buf[4] == '1' && buf[5] == '2');
}

TEST(file)
{
	int fd = make_file();
	queue q;

	q.run(use_file(q, fd));
	CHECK(requests(q) == 0);
}

static task<> use_poll(queue &q, int fd)
{
	CHECK(co_await q.poll(fd, POLLOUT) == POLLOUT);
	CHECK(co_await q.poll(fd, POLLIN) == POLLIN);
	CHECK(co_await q.poll(fd, POLLIN | POLLOUT, IOEVQ_POLL_CONFIRM) == (POLLIN | POLLOUT));
}

TEST(poll)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	queue q;

	q.spawn(use_poll(q, fd));
	while (q.step(IOEVQ_NO_WAIT))
		;
	REQUIRE(!eventfd_write(fd, 1));
	q.run();
	CHECK(requests(q) == 0);
}

static pid_t spawn_child(int code)
{
	pid_t pid = fork();

	if (!pid && code >= 0)
		_exit(code);
	while (!pid)
		pause();
	return pid;
}

static task<> kill_later(queue &q, pid_t pid)
{
	co_await q.yield();
	CHECK(!kill(pid, SIGKILL));
}

static task<> use_child(queue &q)
{
	pid_t pid = spawn_child(7);
	evq::child_exit e = co_await q.child(pid);

	CHECK(e.info.si_pid == pid && e.info.si_code == CLD_EXITED && e.info.si_status == 7);
	CHECK(e.usage.ru_maxrss > 0);
	/* It is reaped. */
	CHECK(waitpid(pid, nullptr, WNOHANG) < 0 && errno == ECHILD);
	pid = spawn_child(-1);
	kill(pid, SIGKILL);
	e = co_await q.child(pid);
	CHECK(e.info.si_pid == pid && e.info.si_code == CLD_KILLED && e.info.si_status == SIGKILL);
	/* The kernel reaps: it must not have done so before. */
	signal(SIGCHLD, SIG_IGN);
	pid = spawn_child(-1);
	q.spawn(kill_later(q, pid));
	e = co_await q.child(pid);
	CHECK(e.info.si_pid == pid && e.info.si_code == CLD_KILLED && e.info.si_status == SIGKILL);
	signal(SIGCHLD, SIG_DFL);
}

TEST(child)
{
	queue q;

	q.run(use_child(q));
	CHECK(requests(q) == 0);
}

static task<> reap(queue &q, pid_t pid)
{
	co_await q.yield();
	CHECK(waitpid(pid, nullptr, WNOHANG) == pid);
}

/* The event is there, and before who waits for it comes somebody who reaps. */
static task<int> reaped_by_another(queue &q)
{
	pid_t pid = spawn_child(0);
	std::error_code ec;

	REQUIRE(waitid(P_PID, pid, nullptr, WEXITED | WNOWAIT) == 0);
	q.spawn(reap(q, pid));
	co_await q.child(pid).with(ec);
	co_return ec.value();
}

TEST(child_that_is_nobodys)
{
	queue q;
	auto self = q.child(getpid()), all = q.child(0);

	CHECK(q.run(error_of(self)) == ECHILD);
	CHECK(q.run(error_of(all)) != 0);
	CHECK(q.run(reaped_by_another(q)) == ECHILD);
	CHECK(requests(q) == 0);
}

template <class T> static task<> sleep_for(queue &q, T t)
{
	co_await q.timer(t);
}

TEST(timer)
{
	auto steady = std::chrono::steady_clock::now();
	auto day = std::chrono::system_clock::now();
	queue q;

	q.run(sleep_for(q, 20ms));
	CHECK(std::chrono::steady_clock::now() >= steady + 20ms);
	q.run(sleep_for(q, steady + 50ms));
	CHECK(std::chrono::steady_clock::now() >= steady + 50ms);
	q.run(sleep_for(q, day + 80ms));
	CHECK(std::chrono::system_clock::now() >= day + 80ms);
	/* What has passed, be it before the clock was there. */
	q.run(sleep_for(q, steady));
	q.run(sleep_for(q, -1h));
	q.run(sleep_for(q, std::chrono::steady_clock::time_point(-1s)));
	q.run(sleep_for(q, std::chrono::time_point_cast<std::chrono::seconds>(day)));
	CHECK(requests(q) == 0);
}

static task<> take_messages(queue &q, std::vector<std::uint64_t> &got, int n)
{
	while (n--) {
		ioevq_event ev = co_await q.next_event();

		CHECK(ev.op == IOEVQ_OP_POST);
		CHECK(ev.res == -5 && ev.data == ev.user_data + 1);
		got.push_back(ev.user_data);
	}
}

TEST(messages_come_in_order_from_any_thread)
{
	std::vector<std::uint64_t> got;
	queue q(4);

	/* Odd user data, too: who posts knows nothing of records. More than the ring has. */
	q.post(0, -5, 1);
	std::thread thread([&q] {
		for (std::uint64_t i = 1; i < 200; i++)
			q.post(i, -5, i + 1);
	});
	q.run(take_messages(q, got, 200));
	thread.join();
	REQUIRE(got.size() == 200);
	for (std::uint64_t i = 0; i < 200; i++)
		CHECK(got[i] == i);
}

TEST(messages_that_nobody_asks_for_are_kept)
{
	std::vector<std::uint64_t> got, first;
	std::error_code ec;
	queue q;

	for (std::uint64_t i = 0; i < 150; i++)
		q.post(i, -5, i + 1, ec);
	CHECK(!ec);
	while (info(q).available)
		CHECK(q.step() == 0);
	q.run(take_messages(q, got, 150));
	CHECK(got.size() == 150 && got.front() == 0 && got.back() == 149);
	/* Two who ask have them in turn. */
	got.clear();
	q.spawn(take_messages(q, first, 2));
	q.spawn(take_messages(q, got, 2));
	for (std::uint64_t i = 0; i < 4; i++)
		q.post(i, -5, i + 1);
	q.run();
	CHECK(first == (std::vector<std::uint64_t>{0, 2}));
	CHECK(got == (std::vector<std::uint64_t>{1, 3}));
}

static task<> take_edges(queue &q, int fd, int &told)
{
	for (;;) {
		ioevq_event ev = co_await q.next_event();

		CHECK(ev.op == IOEVQ_OP_POLL && ev.user_data == 42);
		if (!(ev.flags & IOEVQ_EVENT_MORE))
			break;
		CHECK(ev.res & POLLIN);
		if (++told < 3)
			CHECK(!eventfd_write(fd, 1));
		else
			CHECK(ioevq_cancel_fd(q.native(), fd, 44) == 0);
	}
	CHECK((co_await q.next_event()).user_data == 44);
}

TEST(requests_of_the_c_library_come_beside)
{
	int fd = eventfd(1, EFD_NONBLOCK | EFD_CLOEXEC), told = 0;
	ioevq_req req;
	queue q;

	ioevq_prep_poll(&req, fd, POLLIN, IOEVQ_POLL_EDGE, 42);
	REQUIRE(ioevq_submit(q.native(), &req, 1) == 1);
	q.run(take_edges(q, fd, told));
	CHECK(told == 3);
}

static task<> last_event(queue &q, int fd)
{
	std::error_code ec;
	ioevq_event ev;
	ioevq_req req;

	/* A watch that would end without a word */
	ioevq_prep_poll(&req, fd, POLLIN, IOEVQ_POLL_EDGE | IOEVQ_POLL_QUIET, 0);
	ev = co_await q.request(req).with(ec);
	CHECK(ec == std::errc::operation_canceled);
	CHECK(ev.op == IOEVQ_OP_POLL && ev.res == -ECANCELED && !(ev.flags & IOEVQ_EVENT_MORE));
}

static task<> end_watch(queue &q, int fd)
{
	for (int i = 0; i < 3; i++) {
		CHECK(!eventfd_write(fd, 1));
		co_await q.yield();
	}
	CHECK(co_await q.cancel(fd) == 1);
}

TEST(request_with_several_events_tells_the_last)
{
	int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	queue q;

	q.spawn(last_event(q, fd));
	q.run(end_watch(q, fd));
	q.run();
	CHECK(requests(q) == 0);
}

static task<> post_to(queue &q, const queue &other)
{
	ioevq_req req;

	ioevq_prep_post(&req, other.native()->fd, -5, 78, 77);
	CHECK((co_await q.request(req)).res == 0);
}

TEST(message_to_another_queue)
{
	std::vector<std::uint64_t> got;
	queue q, other;

	q.run(post_to(q, other));
	other.run(take_messages(other, got, 1));
	CHECK(got == std::vector<std::uint64_t>{77});
}

static task<> expect_cancelled(queue &q, int fd, int &cancelled)
{
	std::error_code ec;
	char c;

	co_await q.read(fd, &c, 1).with(ec);
	CHECK(ec == std::errc::operation_canceled);
	cancelled++;
}

static task<> cancel_some(queue &q, int fd, int &cancelled)
{
	CHECK(co_await q.cancel(fd) == 2);
	CHECK(cancelled == 2);
	CHECK(co_await q.cancel_all() == 1);
	CHECK(cancelled == 3);
	CHECK(co_await q.cancel_all() == 0);
}

TEST(cancel_resumes_who_waits_first)
{
	pipe_pair p, other;
	int cancelled = 0;
	queue q;

	q.spawn(expect_cancelled(q, p.fd[0], cancelled));
	q.spawn(expect_cancelled(q, other.fd[0], cancelled));
	q.spawn(expect_cancelled(q, p.fd[0], cancelled));
	q.run(cancel_some(q, p.fd[0], cancelled));
	CHECK(cancelled == 3 && requests(q) == 0);
}

static task<> close_it(queue &q, int fd, int &cancelled)
{
	co_await q.close(fd);
	CHECK(cancelled == 1);
	CHECK(fcntl(fd, F_GETFD) < 0 && errno == EBADF);
}

TEST(close)
{
	int cancelled = 0;
	pipe_pair p, other;
	queue q;

	q.spawn(expect_cancelled(q, p.fd[0], cancelled));
	q.run(close_it(q, p.fd[0], cancelled));
	p.fd[0] = -1;
	/* By close(2) */
	auto poll = q.poll(other.fd[0], POLLIN);
	task<int> error = error_of(poll);

	q.spawn(expect_cancelled(q, other.fd[0], cancelled));
	error.start();
	other.close_one(0);
	CHECK(q.run(std::move(error)) == ECANCELED);
	q.run();
	CHECK(cancelled == 2 && requests(q) == 0);
}

static task<> read_on(queue &q, int fd, int n)
{
	char c;

	while (n--)
		CHECK(co_await q.read(fd, &c, 1) == 1);
}

static task<> count_turns(queue &q, const bool &done, int &turns)
{
	while (!done) {
		co_await q.yield();
		turns++;
	}
}

static task<> until_done(task<> t, bool &done)
{
	co_await std::move(t);
	done = true;
}

/* What is there is never waited for, and others get their turn. */
TEST(who_never_waits_leaves_others_their_turn)
{
	bool done = false;
	int turns = 0;
	pipe_pair p;
	queue q;

	for (int i = 0; i < 64 * 20; i++)
		REQUIRE(p.put('x'));
	q.spawn(count_turns(q, done, turns));
	q.spawn(until_done(read_on(q, p.fd[0], 64 * 20), done));
	q.run();
	CHECK(turns >= 19);
}

static task<> tell_by_code(queue &q)
{
	std::error_code ec;
	pipe_pair p;
	char c;

	CHECK(co_await q.read(-1, &c, 1).with(ec) == 0);
	CHECK(ec == std::errc::bad_file_descriptor);
	CHECK(p.put('x'));
	CHECK(co_await q.read(p.fd[0], &c, 1).with(ec) == 1);
	CHECK(!ec);
	/* An error that an event tells of. */
	p.close_one(0);
	signal(SIGPIPE, SIG_IGN);
	co_await q.write(p.fd[1], &c, 1).with(ec);
	CHECK(ec == std::errc::broken_pipe);
	co_await q.fsync(p.fd[1]).with(ec);
	CHECK(!!ec);
}

TEST(errors_are_thrown_or_told)
{
	int dir = ::open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	char c;
	queue q;
	auto read = q.read(dir, &c, 1);
	auto poll = q.poll(-1, POLLIN);
	auto close = q.close(-1);
	auto wrong = q.fsync(dir, 0xff);

	q.run(tell_by_code(q));
	CHECK(q.run(error_of(read)) == EISDIR);
	CHECK(q.run(error_of(poll)) == EBADF);
	CHECK(q.run(error_of(close)) == EBADF);
	CHECK(q.run(error_of(wrong)) == EOPNOTSUPP);
	/* The same one, again. */
	CHECK(q.run(error_of(read)) == EISDIR);
	CHECK(requests(q) == 0);
}

TEST(errors_of_opening)
{
	int err = 0;

	try {
		queue q(1U << 31);
	} catch (const std::system_error &e) {
		err = e.code().value();
	}
	CHECK(err == EINVAL);
}

TEST(a_restricted_queue_can_cancel)
{
	queue q(0, 1ULL << IOEVQ_OP_READ);
	int resumed = 0;
	pipe_pair p;
	char c;
	auto read = q.read(p.fd[0], &c, 1);
	auto nop = q.yield();

	CHECK(q.run(error_of(nop)) == EPERM);
	q.spawn(wait_for(read, resumed));
	q.spawn([](queue &on) -> task<> { CHECK(co_await on.cancel_all() == 1); }(q));
	try {
		q.run();
		CHECK(false);
	} catch (const std::system_error &e) {
		CHECK(e.code() == std::errc::operation_canceled);
	}
	CHECK(resumed == 0);
}

static task<> for_ever(queue &q)
{
	co_await q.next_event();
}

TEST(stop_by_a_thread)
{
	queue q;

	q.spawn(for_ever(q));
	for (int i = 0; i < 100; i++) {
		std::thread thread([&q] { CHECK(q.stop()); });

		q.run();
		thread.join();
	}
	/* It is not forgotten by who is not there yet. */
	CHECK(q.stop());
	q.run();
	CHECK(!q.stopped());
	CHECK(q.stop());
	CHECK(q.step() == 0 && q.stopped());
	q.run();
	CHECK(!q.stopped());
}

static const queue *signalled;

TEST(stop_by_a_signal_handler)
{
	queue q;
	pid_t pid;

	signalled = &q;
	signal(SIGUSR1, [](int) { signalled->stop(); });
	signal(SIGUSR2, [](int) {});
	q.spawn(for_ever(q));
	pid = fork();
	if (!pid) {
		kill(getppid(), SIGUSR2);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	q.run();
	CHECK(waitpid(pid, nullptr, 0) == pid);
}

TEST(run_of_a_task_that_cannot_end)
{
	int err = 0;
	queue q;

	try {
		q.run([]() -> task<> { co_await std::suspend_always(); }());
	} catch (const std::system_error &e) {
		err = e.code().value();
	}
	CHECK(err == EDEADLK);
	CHECK(q.stop());
	try {
		q.run(for_ever(q));
	} catch (const std::system_error &e) {
		err = e.code().value();
	}
	CHECK(err == ECANCELED);
	/* And that is over. */
	q.run(sleep_for(q, 1ns));
}

static task<int> number(queue &q, int n)
{
	if (n & 1)
		co_await q.yield();
	if (n < 0)
		throw std::out_of_range("negative");
	co_return n;
}

static task<std::unique_ptr<int>> sum(queue &q, int n)
{
	auto total = std::make_unique<int>(0);

	for (int i = 0; i < n; i++)
		*total += co_await number(q, i);
	co_return total;
}

TEST(tasks_have_results)
{
	queue q;

	CHECK(*q.run(sum(q, 100)) == 4950);
}

static task<> both(queue &q, int &sum_of_both)
{
	task<int> one = number(q, 1), other = number(q, 3), done = number(q, 4);

	one.start();
	other.start();
	done.start();
	CHECK(!one.done() && !other.done() && done.done());
	sum_of_both = co_await std::move(other) + co_await std::move(one) +
		      co_await std::move(done);
}

TEST(tasks_can_be_under_way_at_once)
{
	int sum_of_both = 0;
	queue q;

	q.run(both(q, sum_of_both));
	CHECK(sum_of_both == 8);
}

static task<> without_a_stop(int n)
{
	while (n--)
		co_await []() -> task<> { co_return; }();
}

TEST(tasks_that_never_wait_use_no_stack)
{
	queue q;

	q.run(without_a_stop(100000));
}

static task<> catch_it(queue &q, int n, int &caught)
{
	try {
		co_await number(q, n);
	} catch (const std::out_of_range &) {
		caught++;
	}
	/* To wait is possible after it. */
	co_await q.yield();
}

TEST(exceptions_come_to_who_waits)
{
	int caught = 0;
	queue q;

	q.run(catch_it(q, -1, caught));
	q.run(catch_it(q, -2, caught));
	CHECK(caught == 2);
	for (int n : {-1, -2}) {
		try {
			q.run(number(q, n));
		} catch (const std::out_of_range &) {
			caught++;
		}
	}
	CHECK(caught == 4);
}

static task<> throw_it(queue &q, int n)
{
	co_await number(q, n);
}

TEST(exceptions_of_spawned_tasks_come_from_run)
{
	int caught = 0, resumed = 0;
	queue q;
	auto one = q.yield(), other = q.yield();

	q.spawn(wait_for(one, resumed));
	for (int i = 0; i < 5; i++)
		q.spawn(throw_it(q, -1));
	/* That one has ended by now. */
	q.spawn(throw_it(q, -2));
	q.spawn(wait_for(other, resumed));
	for (;;) {
		try {
			q.run();
			break;
		} catch (const std::out_of_range &) {
			caught++;
		}
	}
	CHECK(caught == 6 && resumed == 2);
	/* Nobody hears of this one. */
	q.spawn(throw_it(q, -2));
}

int main()
{
	return tap::run_all();
}
