# SPDX-License-Identifier: MIT
"""ioevq.Queue: what it promises beyond the kernel's interface."""

import collections
import errno
import gc
import mmap
import os
import select
import signal
import socket
import sys
import tempfile
import threading
import time
import unittest
import warnings
import weakref
from unittest import mock

import ioevq
from ioevq import _abi


class Thing:
    """What can be looked for after it is gone."""


class Case(unittest.TestCase):
    def setUp(self):
        self.q = ioevq.Queue()
        self.addCleanup(self.q.close)

    def pipe(self):
        fds = os.pipe()
        for fd in fds:
            self.addCleanup(self.close, fd)
        return fds

    @staticmethod
    def close(fd):
        try:
            os.close(fd)
        except OSError:
            pass

    def file(self, content=b""):
        file = tempfile.TemporaryFile(buffering=0)
        self.addCleanup(file.close)
        file.write(content)
        return file

    def one(self, timeout=30):
        events = self.q.wait(1, 1, timeout)
        self.assertEqual(len(events), 1)
        return events[0]

    def nothing(self):
        self.assertEqual(self.q.wait(0), [])


class Life(Case):
    def test_context_manager(self):
        with ioevq.Queue(entries=128) as q:
            self.assertEqual(os.readlink(f"/proc/self/fd/{q.fileno()}"), "/dev/ioevq")
            self.assertFalse(os.get_inheritable(q.fileno()))
            self.assertEqual(q.info().entries, 128)
            self.assertFalse(q.closed)
        self.assertTrue(q.closed)
        q.close()
        for use in q.fileno, q.info, q.wait, q.post, lambda: q.submit(ioevq.nop()):
            self.assertRaises(ValueError, use)

    def test_descriptor_is_closed(self):
        q = ioevq.Queue()
        fd = q.fileno()
        q.close()
        with self.assertRaises(OSError):
            os.fstat(fd)

    def test_forgotten(self):
        q = ioevq.Queue()
        fd = q.fileno()
        with self.assertWarns(ResourceWarning):
            del q
            gc.collect()
        with self.assertRaises(OSError):
            os.fstat(fd)

    def test_info(self):
        self.q.submit(ioevq.nop(), ioevq.nop(), ioevq.nop())
        info = self.q.info(ioevq.OP_POLL)
        self.assertEqual((info.abi_version, info.event_size), (1, 32))
        self.assertEqual((info.available, info.events), (3, 3))
        self.assertTrue(info.op_flags & ioevq.POLL_EDGE)
        self.assertEqual(info.concurrency, ioevq.UNLIMITED)

    def test_attach(self):
        with ioevq.Queue.attach(os.dup(self.q.fileno())) as other:
            other.post(result=7)
            self.assertEqual(self.one().result, 7)

    def test_close_wakes_threads(self):
        caught = []

        def consumer():
            try:
                self.q.wait()
            except ValueError as error:
                caught.append(error)

        threads = [threading.Thread(target=consumer) for _ in range(3)]
        for thread in threads:
            thread.start()
        while self.q.info().waiting < 3:
            time.sleep(0.01)
        fd = self.q.fileno()
        self.q.close()
        for thread in threads:
            thread.join(30)
            self.assertFalse(thread.is_alive())
        self.assertEqual(len(caught), 3)
        with self.assertRaises(OSError):
            os.fstat(fd)

    def test_close_leaves_no_alert(self):
        """Of a queue that another process has, too."""
        with ioevq.Queue.attach(os.dup(self.q.fileno())) as other:
            def consumer():
                with self.assertRaises(ValueError):
                    self.q.wait()

            thread = threading.Thread(target=consumer)
            thread.start()
            while not other.info().waiting:
                time.sleep(0.01)
            self.q.close()
            thread.join(30)
            self.assertFalse(thread.is_alive())
            self.assertEqual(other.wait(0), [])

    def test_close_during_a_call(self):
        """By another thread: the descriptor stays what it is until the call is over."""
        ioctl = _abi.lib.ioevq_info

        def late(handle, info):
            self.q.close()
            return ioctl(handle, info)

        fd = self.q.fileno()
        with mock.patch.object(_abi.lib, "ioevq_info", late):
            self.assertEqual(self.q.info().abi_version, 1)
        with self.assertRaises(OSError):
            os.fstat(fd)

    def test_concurrency(self):
        with ioevq.Queue(concurrency=1) as q:
            self.assertEqual(q.info().concurrency, 1)


class Objects(Case):
    def test_data_is_kept_until_the_event(self):
        thing = Thing()
        alive = weakref.ref(thing)
        self.q.submit(ioevq.timer(0.05, data=thing))
        del thing
        gc.collect()
        self.assertIsNotNone(alive())
        event = self.one()
        self.assertIs(event.data, alive())
        self.assertFalse(event.request.pending)
        del event
        gc.collect()
        self.assertIsNone(alive())
        self.assertEqual(self.q._requests, {})

    def test_watch_keeps_until_the_last_event(self):
        thing = Thing()
        alive = weakref.ref(thing)
        a, b = socket.socketpair()
        with b:
            self.q.submit(ioevq.poll(a.fileno(), select.POLLIN, ioevq.POLL_EDGE, thing))
            del thing
            for _ in range(3):
                b.send(b"x")
                event = self.one()
                self.assertIs(event.data, alive())
                self.assertTrue(event.more)
                a.recv(1)
                del event
                gc.collect()
            self.assertIsNotNone(alive())
            a.close()
            event = self.one()
            self.assertTrue(event.closed and not event.more)
            del event
            gc.collect()
            self.assertIsNone(alive())

    def test_refused(self):
        thing = Thing()
        alive = weakref.ref(thing)
        requests = [ioevq.nop(1), ioevq.read(-5, 10, 0, thing), ioevq.nop(2)]
        with self.assertRaises(OSError) as caught:
            self.q.submit(*requests)
        self.assertEqual((caught.exception.errno, caught.exception.accepted), (errno.EBADF, 1))
        self.assertEqual([r.pending for r in requests], [True, False, False])
        # Its memory is free.
        requests[1].buffer.append(0)
        self.assertEqual(self.one().data, 1)
        self.nothing()
        self.assertEqual(self.q._requests, {})
        del requests, caught, thing
        gc.collect()
        self.assertIsNone(alive())

    def test_refused_before_the_call(self):
        bad = ioevq.read(0, b"cannot be written to", 0)
        first = ioevq.nop()
        with self.assertRaises(BufferError):
            self.q.submit(first, bad)
        self.assertFalse(first.pending or bad.pending)
        self.nothing()
        self.q.submit(first)
        self.assertIs(self.one().request, first)

    def test_not_twice(self):
        request = self.q.submit(ioevq.timer(3600))
        self.assertRaises(ValueError, self.q.submit, request)
        self.assertTrue(self.q.cancel(request))
        self.assertEqual(self.one().result, -errno.ECANCELED)
        self.assertFalse(self.q.cancel(request))
        self.q.submit(request)
        self.assertTrue(request.pending)

    def test_foreign_user_data(self):
        """Another process cannot end a request by its user data."""
        r, w = self.pipe()
        request = self.q.submit(ioevq.read(r, 4))
        pid = os.fork()
        if not pid:
            _abi.lib.ioevq_post(self.q._handle.q, request.user_data, 5, 6)
            os._exit(0)
        os.waitpid(pid, 0)
        event = self.one()
        self.assertEqual((event.request, event.data), (None, None))
        self.assertEqual((event.op, event.result, event.value, event.user_data),
                         (ioevq.OP_POST, 5, 6, request.user_data))
        self.assertTrue(request.pending)
        self.assertRaises(BufferError, request.buffer.append, 0)
        os.write(w, b"data")
        self.assertEqual(self.one().request.bytes(), b"data")


class Buffers(Case):
    def test_read(self):
        file = self.file(b"0123456789")
        self.q.submit(ioevq.read(file, 4, 3))
        event = self.one()
        self.assertEqual((event.check(), event.request.bytes()), (4, b"3456"))
        self.assertEqual(event.request.buffer, bytearray(b"3456"))

    def test_write(self):
        file = self.file()
        self.q.submit(ioevq.write(file, b"abc", 2), ioevq.write(file, memoryview(b"12345")[1:3], 0),
                      ioevq.fsync(file, after=True))
        self.assertEqual(sorted(e.check() for e in self.q.wait(3)), [0, 2, 3])
        self.assertEqual(os.pread(file.fileno(), 10, 0), b"23abc")

    def test_mmap(self):
        file = self.file(b"x" * 4096)
        with mmap.mmap(-1, 4096) as area:
            self.q.submit(ioevq.read(file, memoryview(area)[100:200], 0))
            self.assertEqual(self.one().result, 100)
            self.assertEqual(area[99:201], b"\0" + b"x" * 100 + b"\0")

    def test_pinned_while_under_way(self):
        r, w = self.pipe()
        buffer = bytearray(8)
        self.q.submit(ioevq.read(r, buffer))
        self.assertRaises(BufferError, buffer.append, 0)
        self.assertRaises(BufferError, buffer.clear)
        os.write(w, b"12345678")
        self.assertEqual(self.one().result, 8)
        self.assertEqual(buffer, b"12345678")
        buffer.clear()

    def test_kept_though_forgotten(self):
        """The memory of a request that nobody has a reference to is not used for others."""
        r, w = self.pipe()
        self.q.submit(ioevq.read(r, 65536))
        others = [bytearray(65536) for _ in range(32)]
        gc.collect()
        os.write(w, b"x" * 65536)
        event = self.one()
        self.assertEqual(event.request.bytes(), b"x" * 65536)
        self.assertFalse(any(any(other) for other in others))

    def test_close_gives_memory_back(self):
        r, w = self.pipe()
        buffer = bytearray(8)
        request = self.q.submit(ioevq.read(r, buffer))
        self.q.close()
        self.assertEqual((request.pending, request.result), (False, -errno.ECANCELED))
        buffer.append(0)
        os.write(w, b"too late")
        self.assertEqual(os.read(r, 8), b"too late")
        self.assertEqual(buffer, bytearray(9))

    def test_close_while_a_thread_takes(self):
        pipes = [self.pipe() for _ in range(20)]
        buffers = [bytearray(8) for _ in pipes]
        for (r, _), buffer in zip(pipes, buffers):
            self.q.submit(ioevq.read(r, buffer))

        def consumer():
            try:
                while True:
                    self.q.wait(1, 1)
            except ValueError:
                pass

        thread = threading.Thread(target=consumer)
        thread.start()
        self.q.close()
        thread.join(30)
        self.assertFalse(thread.is_alive())
        for buffer in buffers:
            buffer.append(0)

    def test_close_while_a_thread_submits(self):
        """What it submits is cancelled, or refused."""
        for _ in range(10):
            q = ioevq.Queue()
            r, _ = self.pipe()
            requests, go = [], threading.Event()

            def submitter():
                try:
                    while True:
                        requests.append(ioevq.read(r, 8))
                        q.submit(requests[-1])
                        go.set()
                except ValueError:
                    pass

            thread = threading.Thread(target=submitter)
            thread.start()
            go.wait()
            q.close()
            thread.join(30)
            self.assertFalse(thread.is_alive())
            self.assertFalse(any(request.pending for request in requests))
            for request in requests:
                request.buffer.append(0)

    def test_close_interrupted(self):
        """What the kernel may still write to stays."""
        r, _ = self.pipe()
        request = self.q.submit(ioevq.read(r, 8))
        with mock.patch.object(self.q, "_end_now", return_value=0), \
             mock.patch("time.sleep", side_effect=KeyboardInterrupt):
            self.assertRaises(KeyboardInterrupt, self.q.close)
        self.assertTrue(self.q.closed)
        self.assertIn(request, ioevq.queue._immortal)
        self.assertRaises(BufferError, request.buffer.append, 0)

    def test_close_takes_nothing(self):
        """Events of a queue that is shared are for those who go on."""
        end_now, calls = self.q._end_now, []

        def late(handle, token):
            calls.append(token)
            return 0 if len(calls) < 3 else end_now(handle, token)

        with ioevq.Queue.attach(os.dup(self.q.fileno())) as other:
            r, _ = self.pipe()
            request = self.q.submit(ioevq.read(r, 8))
            token = request.user_data
            for number in range(3):
                other.post(number)
            with mock.patch.object(self.q, "_end_now", late):
                self.q.close()
            request.buffer.append(0)
            self.assertEqual(calls, [token] * 3)
            # The last is that of the read.
            self.assertEqual([event.data for event in other.wait(0)], [0, 1, 2, None])

    def test_close_of_a_full_queue(self):
        """Events that nobody takes do not keep it from being closed."""
        path = "/sys/module/ioevq/parameters/max_requests"
        with open(path) as file:
            limit = file.read()
        r, _ = self.pipe()
        with ioevq.Queue(entries=2) as q:
            request = q.submit(ioevq.read(r, 8))
            with open(path, "w") as file:
                file.write("8")
            try:
                with self.assertRaises(BlockingIOError):
                    while True:
                        q.post()
                q.close()
            finally:
                with open(path, "w") as file:
                    file.write(limit)
        request.buffer.append(0)

    def test_close_and_a_thread_that_has_taken(self):
        """Nothing is cancelled for what has ended: user data 0 is that of others."""
        r, w = self.pipe()
        request = self.q.submit(ioevq.read(r, 8))
        os.write(w, b"x")
        # The thread is not done with it yet.
        self.one()
        self.q._requests[1] = request
        request._pin = mock.Mock()
        with mock.patch.object(self.q, "_end_now") as end_now:
            self.q.close()
        end_now.assert_not_called()

    def test_spare_memory_is_another_threads(self):
        class Taken(list):
            def __bool__(self):
                return True

        self.q._spare, self.q._left = Taken(), collections.deque()
        self.q.post("message")
        self.assertEqual(self.one().data, "message")

    def test_bad_concurrency(self):
        refused = PermissionError(errno.EPERM, "no")
        with mock.patch.object(_abi.lib, "ioevq_set_concurrency", side_effect=refused), \
             warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            self.assertRaises(PermissionError, ioevq.Queue, concurrency=1)
            gc.collect()
        self.assertEqual(said, [])

    def test_close_of_a_restricted_queue(self):
        """It cannot be cancelled: the memory stays for ever."""
        with ioevq.Queue(ops=1 << ioevq.OP_READ) as q:
            self.assertRaises(PermissionError, q.submit, ioevq.nop())
            r, _ = self.pipe()
            alive = weakref.ref(q.submit(ioevq.read(r, 8, data=Thing())).data)
        gc.collect()
        self.assertIsNotNone(alive())

    def test_result_at_once(self):
        r, w = self.pipe()
        os.write(w, b"abcd")
        request = ioevq.read(r, 4)
        request.flags |= ioevq.REQ_SKIP_SUCCESS
        self.q.submit(request)
        self.assertEqual((request.pending, request.bytes()), (False, b"abcd"))
        self.nothing()
        self.assertEqual(self.q._requests, {})

    def test_failure(self):
        r, w = self.pipe()
        os.close(r)
        self.q.submit(ioevq.write(w, b"x"))
        self.assertRaises(BrokenPipeError, self.one().check)


class Operations(Case):
    def test_post(self):
        thing = Thing()
        self.q.post(thing, -3, 2 ** 64 - 1)
        event = self.one()
        self.assertIs(event.data, thing)
        self.assertEqual((event.op, event.result, event.value), (ioevq.OP_POST, -3, 2 ** 64 - 1))

    def test_post_wakes(self):
        def poster():
            while not self.q.info().waiting:
                time.sleep(0.01)
            self.q.post("woken")

        thread = threading.Thread(target=poster)
        thread.start()
        self.assertEqual(self.one().data, "woken")
        thread.join()

    def test_timers(self):
        start = time.monotonic()
        timer = self.q.submit(ioevq.timer(0.1, 0.1))
        for _ in range(2):
            self.assertTrue(self.one().more)
        self.assertGreaterEqual(time.monotonic() - start, 0.2)
        self.q.submit(ioevq.timer_mod(timer, 3600, data="mod"))
        while (event := self.one()).data != "mod":
            pass
        self.assertEqual(event.result, 1)
        self.assertEqual(self.q.wait(timeout=0.25), [])
        end = time.clock_gettime(time.CLOCK_BOOTTIME) + 0.1
        self.q.submit(ioevq.timer(end, flags=ioevq.TIMER_ABSTIME | ioevq.TIMER_BOOTTIME))
        self.assertFalse(self.one().more)
        self.assertGreaterEqual(time.clock_gettime(time.CLOCK_BOOTTIME), end)

    def test_timeout(self):
        start = time.monotonic()
        self.assertEqual(self.q.wait(timeout=0.2), [])
        self.assertGreaterEqual(time.monotonic() - start, 0.2)
        self.assertEqual(self.q.wait(timeout=-1), [])
        self.assertEqual(self.q.wait(timeout=0), [])
        self.q.post()
        self.assertEqual(len(self.q.wait(timeout=1e30)), 1)
        self.assertRaises(OSError, self.q.wait, 2, 1)

    def test_poll_mod(self):
        a, b = socket.socketpair()
        with a, b:
            watch = self.q.submit(ioevq.poll(a, select.POLLIN, ioevq.POLL_DISPATCH, "watch"))
            b.send(b"xx")
            self.assertEqual(self.one().result, select.POLLIN)
            self.nothing()
            self.q.submit(ioevq.poll_mod(watch, select.POLLOUT, ioevq.POLL_DISPATCH, "mod"))
            self.assertEqual([(e.data, e.result) for e in self.q.wait(2)],
                             [("mod", 1), ("watch", select.POLLOUT)])

    def test_cancel_is_a_fence(self):
        r, _ = self.pipe()
        for number in range(10):
            self.q.submit(ioevq.read(r, 8, data=number))
        self.q.submit(ioevq.cancel(file=r, op=ioevq.OP_READ, data="cancel"))
        events = self.q.wait(11)
        self.assertEqual({e.data for e in events[:-1]}, set(range(10)))
        self.assertEqual((events[-1].data, events[-1].result), ("cancel", 10))
        for event in events[:-1]:
            self.assertRaises(OSError, event.check)
            event.request.buffer.append(0)

    def test_close_operation(self):
        a, b = socket.socketpair()
        with b:
            self.q.submit(ioevq.poll(a, select.POLLIN, data="watch"))
            self.q.submit(ioevq.close(a.detach(), "close"))
            self.assertEqual([e.data for e in self.q.wait(2)], ["watch", "close"])
            self.assertEqual(b.recv(1), b"")

    def test_child(self):
        pid = os.fork()
        if not pid:
            os._exit(7)
        self.q.submit(ioevq.child(pid, "child"))
        event = self.one()
        self.assertEqual((event.result, event.data), (pid, "child"))
        self.assertEqual(os.waitstatus_to_exitcode(event.status), 7)
        self.assertGreater(event.cpu_us, 0)
        self.assertEqual(os.waitpid(pid, os.WNOHANG)[0], pid)
        self.assertRaises(ChildProcessError, self.q.submit, ioevq.child(pid))

    def test_pidfd(self):
        pid = os.fork()
        if not pid:
            signal.pause()
        fd = os.pidfd_open(pid)
        self.q.submit(ioevq.child(pidfd=fd))
        os.close(fd)
        self.nothing()
        os.kill(pid, signal.SIGKILL)
        self.assertEqual(os.waitstatus_to_exitcode(self.one().status), -signal.SIGKILL)
        os.waitpid(pid, 0)

    def test_alert(self):
        self.q.submit(ioevq.nop("later"))
        self.q.alert(2 ** 40)
        event = self.one()
        self.assertTrue(event.flags & ioevq.EVENT_ALERT)
        self.assertEqual((event.user_data, event.request), (2 ** 40, None))
        self.q.clear_alert()
        self.assertEqual(self.one().data, "later")

    def test_threads_share(self):
        """Each event goes to one of them."""
        taken = [[] for _ in range(4)]

        def consumer(mine):
            while (event := self.q.wait(1, 1)[0]).data is not None:
                mine.append(event.data)

        threads = [threading.Thread(target=consumer, args=(mine,)) for mine in taken]
        for thread in threads:
            thread.start()
        for number in range(2000):
            self.q.post(number)
        for _ in threads:
            self.q.post()
        for thread in threads:
            thread.join(60)
        self.assertEqual(sorted(sum(taken, [])), list(range(2000)))
        self.assertEqual(self.q._requests, {})


class Interrupt(Exception):
    pass


class Signals(Case):
    def handle(self, handler):
        old = signal.signal(signal.SIGUSR1, handler)
        self.addCleanup(signal.signal, signal.SIGUSR1, old)

    def when_waiting(self, *actions):
        def run():
            for action in actions:
                while not self.q.info().waiting:
                    time.sleep(0.01)
                action()

        thread = threading.Thread(target=run)
        thread.start()
        self.addCleanup(thread.join)

    @staticmethod
    def kill():
        signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)

    def test_wait_goes_on(self):
        seen = threading.Event()
        self.handle(lambda *args: seen.set())
        self.when_waiting(self.kill, seen.wait, lambda: self.q.post("message"))
        self.assertEqual(self.one().data, "message")
        self.assertTrue(seen.is_set())

    def test_post_in_a_handler(self):
        self.handle(lambda *args: self.q.post("handler"))
        self.when_waiting(self.kill)
        self.assertEqual(self.one().data, "handler")

    def test_handler_raises(self):
        def handler(*args):
            raise Interrupt

        self.handle(handler)
        self.when_waiting(self.kill)
        self.assertRaises(Interrupt, self.one)
        self.q.post("afterwards")
        self.assertEqual(self.one().data, "afterwards")

    def interrupted(self, name, after):
        """A handler raises when this method has done its work, the first time."""
        def handler(*args):
            raise Interrupt

        def method(*args):
            ret = real(*args)
            if raised:
                raised.pop()
                os.kill(os.getpid(), signal.SIGUSR1)
            return ret

        self.handle(handler)
        raised = ["not yet"]
        real = getattr(after, name)
        setattr(after, name, method)
        self.addCleanup(setattr, after, name, real)
        return lambda: setattr(after, name, real)

    def test_what_was_taken_is_not_lost(self):
        for name, after in (("_enter", self.q), ("_events", self.q), ("_finish", self.q),
                            ("clear", ioevq.queue._Array)):
            with self.subTest(name):
                request = self.q.submit(ioevq.nop("first"))
                self.q.post("second")
                restore = self.interrupted(name, after)
                self.assertRaises(Interrupt, self.q.wait)
                restore()
                self.q.post("third")
                self.assertEqual([e.data for e in self.q.wait(2, timeout=30)],
                                 ["first", "second"])
                self.assertFalse(request.pending)
                self.assertEqual(self.one().data, "third")
                self.assertEqual(self.q._requests, {})

    def test_what_was_left_is_not_lost(self):
        """Where a handler of a signal could run: after a call of what is not Python's."""
        def profile(frame, what, function):
            if what in ("c_return", "c_exception") and function.__name__ in ("popleft", "extend"):
                raise Interrupt

        for number in range(3):
            self.q.post(number)
        self.q._left.extend(self.q.wait(3))
        for _ in range(2):
            sys.setprofile(profile)
            try:
                self.assertRaises(Interrupt, self.q.wait)
            finally:
                sys.setprofile(None)
        self.assertEqual([e.data for e in self.q.wait(1, 2)], [0, 1])
        self.assertEqual([e.data for e in self.q.wait()], [2])
        self.assertRaises(ValueError, self.q.wait, 1, -1)

    def test_what_was_submitted_is_known(self):
        restore = self.interrupted("ioevq_enter", _abi.lib)
        requests = [ioevq.nop(n) for n in range(3)]
        self.assertRaises(Interrupt, self.q.submit, *requests)
        restore()
        self.assertEqual([e.data for e in self.q.wait(3)], [0, 1, 2])


class Forks(Case):
    def in_child(self, function):
        pid = os.fork()
        if not pid:
            try:
                function()
                os._exit(0)
            finally:
                os._exit(1)
        self.assertEqual(os.waitpid(pid, 0)[1], 0)

    def test_child_leaves_requests_alone(self):
        r, w = self.pipe()
        request = self.q.submit(ioevq.read(r, 4))
        self.in_child(self.q.close)
        os.write(w, b"data")
        self.assertIs(self.one().request, request)
        self.assertEqual(request.bytes(), b"data")

    def test_child_ends_its_own(self):
        """Nothing is read into the memory of a child that has closed the queue."""
        (r, w), (go_r, go_w) = self.pipe(), self.pipe()
        results = []

        def take():
            results.extend(event.result for event in self.q.wait(1, 1, 60))
            os.write(go_w, b"x")

        def submit_and_close():
            self.q.submit(ioevq.read(r, bytearray(4)))
            self.q.close()
            os.write(w, b"data")
            os.read(go_r, 1)

        thread = threading.Thread(target=take)
        thread.start()
        while not self.q.info().waiting:
            time.sleep(0.01)
        self.in_child(submit_and_close)
        thread.join(60)
        self.assertEqual(results, [-errno.ECANCELED])
        self.assertEqual(os.read(r, 4), b"data")

    def test_child_does_not_wake_threads(self):
        """A thread that waited when the process was forked is none of the child's."""
        events = []
        thread = threading.Thread(target=lambda: events.extend(self.q.wait(1, 1, 60)))
        thread.start()
        while not self.q.info().waiting:
            time.sleep(0.01)
        self.in_child(self.q.close)
        self.q.post("message")
        thread.join(60)
        self.assertEqual([event.data for event in events], ["message"])

    def test_user_data_of_its_own(self):
        fds = self.pipe()
        self.in_child(lambda: os.write(fds[1], str(
            self.q.submit(ioevq.timer(0)).user_data).encode()))
        theirs = int(os.read(fds[0], 100))
        mine = self.q.submit(ioevq.timer(3600))
        self.assertGreater(abs(theirs - mine.user_data), 1000)
        self.assertIsNone(self.one().request)
        self.assertTrue(mine.pending)


if __name__ == "__main__":
    warnings.simplefilter("error")
    unittest.main()
