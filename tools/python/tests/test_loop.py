# SPDX-License-Identifier: MIT
"""ioevq.asyncio: what is its own, beside what CPython's tests of asyncio look at."""

import asyncio
import errno
import gc
import os
import select
import signal
import socket
import sys
import tempfile
import threading
import unittest
from unittest import mock

import ioevq.asyncio


class Case(unittest.TestCase):
    def setUp(self):
        asyncio.set_event_loop_policy(ioevq.asyncio.EventLoopPolicy())
        self.addCleanup(asyncio.set_event_loop_policy, None)
        self.loop = asyncio.new_event_loop()
        self.addCleanup(self.loop.close)

    def run_(self, coroutine, timeout=60):
        return self.loop.run_until_complete(asyncio.wait_for(coroutine, timeout))


class Loop(Case):
    def test_by_the_policy(self):
        self.assertIsInstance(self.loop, ioevq.asyncio.EventLoop)
        self.assertIsInstance(asyncio.get_child_watcher(), ioevq.asyncio.ChildWatcher)

        async def main():
            return asyncio.get_running_loop()

        self.assertIsInstance(asyncio.run(main()), ioevq.asyncio.EventLoop)

    def test_no_queue(self):
        """It is told why, and that is all."""
        with mock.patch("sys.unraisablehook") as hook:
            self.assertRaises(TypeError, ioevq.asyncio.EventLoop, mock.Mock())
            gone = FileNotFoundError(errno.ENOENT, "no module")
            with mock.patch.object(ioevq._abi.lib, "ioevq_open", side_effect=gone):
                self.assertRaises(FileNotFoundError, ioevq.asyncio.EventLoop)
            gc.collect()
        hook.assert_not_called()

    def test_no_epoll(self):
        async def main():
            await asyncio.sleep(0.01)
            links = []
            for fd in os.listdir("/proc/self/fd"):
                try:
                    links.append(os.readlink(f"/proc/self/fd/{fd}"))
                except FileNotFoundError:
                    pass
            return links

        links = self.run_(main())
        self.assertIn("/dev/ioevq", links)
        self.assertNotIn("anon_inode:[eventpoll]", links)

    def test_echo(self):
        async def echo(reader, writer):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
            writer.close()

        async def client(port, number):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            data = bytes([number]) * 300000
            writer.write(data)
            writer.write_eof()
            self.assertEqual(await reader.read(), data)
            writer.close()
            await writer.wait_closed()

        async def main():
            server = await asyncio.start_server(echo, "127.0.0.1", 0)
            port = server.sockets[0].getsockname()[1]
            async with server:
                await asyncio.gather(*(client(port, number) for number in range(20)))

        self.run_(main())

    def test_threadsafe_by_post(self):
        async def main():
            before = self.loop.queue.info().events
            done = asyncio.Event()

            def wake():
                while not self.loop.queue.info().waiting:
                    pass
                self.loop.call_soon_threadsafe(done.set)

            thread = threading.Thread(target=wake)
            thread.start()
            with mock.patch.object(self.loop, "_csock", None):
                await done.wait()
            thread.join()
            self.assertGreater(self.loop.queue.info().events, before)

        self.run_(main())

    def test_threadsafe_without_room(self):
        """A queue that is full of messages is no reason to sleep on."""
        async def main():
            done = asyncio.Event()
            full = mock.Mock(side_effect=BlockingIOError(errno.EAGAIN, "full"))

            def wake():
                while not self.loop.queue.info().waiting:
                    pass
                with mock.patch.object(self.loop.queue, "post", full):
                    self.loop.call_soon_threadsafe(done.set)

            thread = threading.Thread(target=wake)
            thread.start()
            await done.wait()
            thread.join()
            full.assert_called_once()

        self.run_(main())

    def test_threadsafe_and_close(self):
        """Threads that call while the loop is closed are told so, and nothing else happens."""
        for _ in range(20):
            loop = ioevq.asyncio.EventLoop()
            wrong, go = [], threading.Event()

            def call():
                go.set()
                try:
                    while True:
                        loop.call_soon_threadsafe(int)
                except RuntimeError:
                    pass
                except BaseException as error:
                    wrong.append(error)

            thread = threading.Thread(target=call)
            thread.start()
            go.wait()
            loop.close()
            thread.join(30)
            self.assertFalse(thread.is_alive())
            self.assertEqual(wrong, [])

    def test_submit(self):
        async def main():
            start = self.loop.time()
            event = await self.loop.submit(ioevq.timer(0.05, data="timer"))
            self.assertGreaterEqual(self.loop.time() - start, 0.05)
            self.assertEqual((event.data, event.result, event.more), ("timer", 0, False))
            with self.assertRaises(OSError):
                await self.loop.submit(ioevq.read(-1, 1))
            self.assertEqual(self.loop._handlers, {})

        self.run_(main())

    def test_submit_cancelled(self):
        async def main():
            r, w = os.pipe()
            request = ioevq.read(r, 8)
            task = asyncio.create_task(self.loop.submit(request))
            await asyncio.sleep(0)
            self.assertRaises(BufferError, request.buffer.append, 0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            while request.pending:
                await asyncio.sleep(0)
            self.assertEqual(request.result, -errno.ECANCELED)
            request.buffer.append(0)
            os.write(w, b"data")
            self.assertEqual(os.read(r, 8), b"data")
            os.close(r)
            os.close(w)
            self.assertEqual(self.loop._handlers, {})

        self.run_(main())

    def test_submit_cancelled_later(self):
        """The kernel has no room for the cancel: it is tried again."""
        async def main():
            r, w = os.pipe()
            queue, request = self.loop.queue, ioevq.read(r, 8)
            task = asyncio.create_task(self.loop.submit(request))
            await asyncio.sleep(0)
            busy = BlockingIOError(errno.EAGAIN, "busy")
            task.cancel()
            with mock.patch.object(queue, "cancel", side_effect=[busy, busy, True]) as cancel:
                with self.assertRaises(asyncio.CancelledError):
                    await task
                while cancel.call_count < 3:
                    await asyncio.sleep(0.01)
            self.assertTrue(self.loop.unwatch(request))
            while request.pending:
                await asyncio.sleep(0.01)
            # It has ended, and nothing is tried.
            self.assertFalse(self.loop.unwatch(request))
            os.close(r)
            os.close(w)

        self.run_(main())

    def test_watch(self):
        async def main():
            seen = []
            a, b = socket.socketpair()
            with a, b:
                watch = self.loop.watch(ioevq.poll(a, select.POLLIN, ioevq.POLL_EDGE), seen.append)
                for number in range(3):
                    b.send(b"x")
                    while len(seen) == number:
                        await asyncio.sleep(0)
                    self.assertTrue(seen[-1].more)
                self.assertTrue(self.loop.unwatch(watch))
                b.send(b"x")
                while watch.pending:
                    await asyncio.sleep(0)
                self.assertEqual(len(seen), 3)

        self.run_(main())

    def test_watched_twice(self):
        """It is refused, and the first is told all the same."""
        async def main():
            r, w = os.pipe()
            request = ioevq.read(r, 8)
            task = asyncio.create_task(self.loop.submit(request))
            await asyncio.sleep(0)
            self.assertRaises(ValueError, self.loop.watch, request, self.fail)
            with self.assertRaises(ValueError):
                await self.loop.submit(request)
            os.write(w, b"data")
            await task
            self.assertEqual(request.bytes(), b"data")
            os.close(r)
            os.close(w)

        self.run_(main())

    def test_watched_again(self):
        """The event of a submission goes to its own handler, and to none after unwatch()."""
        async def main():
            request, seen = ioevq.nop(), [[], [], []]
            self.loop.watch(request, seen[0].append)
            # Its event is taken, and the handler is about to be called.
            self.loop._selector.select(30)
            self.assertFalse(self.loop.unwatch(request))
            self.loop.watch(request, seen[1].append)
            first = request.user_data
            self.loop._selector.select(30)
            self.loop.watch(request, seen[2].append)
            second = request.user_data
            while not seen[2]:
                await asyncio.sleep(0)
            self.assertEqual([[event.user_data for event in events] for events in seen],
                             [[], [first], [second]])
            self.assertEqual(self.loop._handlers, {})

        self.run_(main())

    def test_submitted_again(self):
        """Who has had its event does not end what the next one has submitted."""
        async def main():
            request = ioevq.timer(0)
            task = asyncio.create_task(self.loop.submit(request))
            await asyncio.sleep(0)
            while request.pending:
                self.loop._selector.select(30)
            request.off = 3600 * 10 ** 9
            self.loop.watch(request, print)
            await task
            self.assertTrue(request.pending)
            self.assertTrue(self.loop.unwatch(request))

        self.run_(main())

    def test_handler_raises(self):
        """As of every callback: the loop tells, and goes on."""
        async def main():
            told = self.loop.create_future()
            self.loop.set_exception_handler(lambda loop, context: told.set_result(context))
            self.loop.watch(ioevq.nop("data"), lambda event: event.nonsense)
            self.assertIsInstance((await told)["exception"], AttributeError)

        self.run_(main())

    def test_close_with_requests(self):
        r, w = os.pipe()
        request = ioevq.read(r, 8)
        self.loop.watch(request, print)
        self.loop.close()
        request.buffer.append(0)
        os.close(r)
        os.close(w)


class Children(Case):
    def test_many(self):
        async def main():
            threads = threading.active_count()
            procs = [await asyncio.create_subprocess_exec(
                "/bin/sh", "-c", f"read x; exit {n}", stdin=asyncio.subprocess.PIPE)
                for n in range(35)]
            for proc in reversed(procs):
                proc.stdin.write(b"x\n")
            codes = await asyncio.gather(*(proc.wait() for proc in procs))
            self.assertEqual(threading.active_count(), threads)
            return codes

        self.assertEqual(self.run_(main()), list(range(35)))
        self.assertEqual(asyncio.get_child_watcher()._children, {})

    def test_communicate(self):
        async def main():
            proc = await asyncio.create_subprocess_exec(
                sys.executable, "-c", "import sys; sys.stdout.write(sys.stdin.read() * 2)",
                stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
            return await proc.communicate(b"x" * 100000), proc.returncode

        (out, _), code = self.run_(main())
        self.assertEqual((len(out), code), (200000, 0))

    def test_sigchld_ignored(self):
        """The kernel reaps the child, and the event says how it ended."""
        old = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        self.addCleanup(signal.signal, signal.SIGCHLD, old)

        async def main():
            proc = await asyncio.create_subprocess_exec("/bin/sh", "-c", "exit 5")
            return await proc.wait()

        self.assertEqual(self.run_(main()), 5)

    def test_in_a_thread(self):
        def run():
            async def main():
                proc = await asyncio.create_subprocess_exec("/bin/sh", "-c", "exit 6")
                return await proc.wait()

            codes.append(asyncio.run(main()))

        codes = []
        thread = threading.Thread(target=run)
        thread.start()
        thread.join(60)
        self.assertEqual(codes, [6])

    def reaped(self, before):
        """By somebody else, before or after the child was watched."""
        async def main():
            told = self.loop.create_future()
            pid = os.fork()
            if not pid:
                os._exit(3)
            if before:
                os.waitpid(pid, 0)
            asyncio.get_child_watcher().add_child_handler(
                pid, lambda *args: told.set_result(args))
            if not before:
                os.waitpid(pid, 0)
            self.assertEqual(await told, (pid, 255))

        with self.assertLogs("asyncio", "WARNING"):
            self.run_(main())

    def test_reaped_after(self):
        self.reaped(False)

    def test_reaped_before(self):
        self.reaped(True)

    def test_removed(self):
        async def main():
            watcher = asyncio.get_child_watcher()
            pid = os.fork()
            if not pid:
                signal.pause()
            watcher.add_child_handler(pid, self.fail)
            self.assertTrue(watcher.remove_child_handler(pid))
            self.assertFalse(watcher.remove_child_handler(pid))
            os.kill(pid, signal.SIGKILL)
            event = await self.loop.submit(ioevq.child(pid))
            self.assertEqual(os.waitpid(pid, os.WNOHANG), (pid, event.status))

        self.run_(main())

    def test_other_loop(self):
        async def main():
            asyncio.get_child_watcher().add_child_handler(1, print)

        loop = asyncio.SelectorEventLoop()
        self.addCleanup(loop.close)
        self.assertRaises(RuntimeError, loop.run_until_complete, main())


class Files(Case):
    def setUp(self):
        super().setUp()
        dir_ = tempfile.TemporaryDirectory()
        self.addCleanup(dir_.cleanup)
        self.path = os.path.join(dir_.name, "file")

    def test_write_and_read(self):
        async def main():
            data = os.urandom(3 << 20)
            async with ioevq.asyncio.open(self.path, "w+b") as file:
                self.assertEqual(await file.write(data), len(data))
                self.assertEqual(await file.write(b"end"), 3)
                self.assertEqual(file.tell(), len(data) + 3)
                await file.fsync()
                self.assertEqual(await file.read(), b"")
                file.seek(0)
                self.assertEqual(await file.read(), data + b"end")
                file.seek(0)
                self.assertEqual(await file.read(None), data + b"end")
                self.assertEqual(file.seek(-3, os.SEEK_END), len(data))
                self.assertEqual(file.seek(1, os.SEEK_CUR), len(data) + 1)
                self.assertEqual(await file.read(1), b"n")
                self.assertEqual(await file.pread(4, 5), data[5:9])
                buffer = bytearray(8)
                self.assertEqual(await file.pread_into(memoryview(buffer)[2:], 0), 6)
                self.assertEqual(buffer, b"\0\0" + data[:6])
            with open(self.path, "rb") as file:
                self.assertEqual(file.read(), data + b"end")

        self.run_(main())

    def test_many_at_once(self):
        async def main():
            async with ioevq.asyncio.open(self.path, "w+b") as file:
                await asyncio.gather(*(file.pwrite(b"%04d" % n, 4 * n) for n in range(200)))
                parts = await asyncio.gather(*(file.pread(4, 4 * n) for n in range(200)))
                self.assertEqual(parts, [b"%04d" % n for n in range(200)])

        self.run_(main())

    def test_pipe(self):
        async def main():
            r, w = os.pipe()
            async with ioevq.asyncio.File(r) as reader:
                async with ioevq.asyncio.File(os.fdopen(w, "wb", 0)) as writer:
                    task = asyncio.create_task(writer.write(b"x" * 300000))
                    data = b""
                    while len(data) < 300000:
                        data += await reader.read(100000)
                    self.assertEqual(await task, 300000)
                    await writer.write(b"end")
                self.assertEqual(await reader.read(), b"end")

        self.run_(main())

    def test_errors(self):
        async def main():
            with self.assertRaises(FileNotFoundError):
                ioevq.asyncio.open(self.path)
            for mode in "r", "ab":
                with self.assertRaises(ValueError):
                    ioevq.asyncio.open(self.path, mode)
            async with ioevq.asyncio.open(self.path, "wb") as file:
                with self.assertRaises(OSError) as caught:
                    await file.read(1)
                self.assertEqual(caught.exception.errno, errno.EBADF)

        self.run_(main())


if __name__ == "__main__":
    unittest.main()
