# SPDX-License-Identifier: MIT
"""Tests beside CPython's own: many descriptors of processes in one set."""

import asyncio
import os
import select
import signal
import unittest


class Pidfds(unittest.TestCase):
    COUNT = 35

    def setUp(self):
        self.set = select.epoll()
        self.addCleanup(self.set.close)
        self.pids = {}
        reader, self.writer = os.pipe()
        for number in range(self.COUNT):
            pid = os.fork()
            if not pid:
                # Until it is killed, or the last writer has gone.
                os.close(self.writer)
                os.read(reader, 1)
                os._exit(number)
            fd = os.pidfd_open(pid)
            self.pids[fd] = pid
            self.set.register(fd, select.EPOLLIN)
        os.close(reader)

    def tearDown(self):
        for fd, pid in self.pids.items():
            os.close(fd)
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)

    def end(self, fd):
        os.waitpid(self.pids.pop(fd), 0)
        self.set.unregister(fd)
        os.close(fd)

    def test_one_by_one(self):
        self.assertEqual(self.set.poll(0), [])
        for fd, pid in list(self.pids.items()):
            os.kill(pid, signal.SIGKILL)
            self.assertEqual(self.set.poll(30), [(fd, select.EPOLLIN)])
            # As long as it is so.
            self.assertEqual(self.set.poll(30), [(fd, select.EPOLLIN)])
            self.end(fd)
        self.assertEqual(self.set.poll(0), [])
        os.close(self.writer)

    def test_all_at_once(self):
        os.close(self.writer)
        while self.pids:
            for fd, events in self.set.poll(30, 7):
                self.assertEqual(events, select.EPOLLIN)
                self.end(fd)
        self.assertEqual(self.set.poll(0), [])


class Children(unittest.TestCase):
    def test_asyncio(self):
        async def main():
            watcher = asyncio.PidfdChildWatcher()
            watcher.attach_loop(asyncio.get_running_loop())
            asyncio.set_child_watcher(watcher)
            procs = [await asyncio.create_subprocess_exec("/bin/sh", "-c", f"read x; exit {n}",
                                                          stdin=asyncio.subprocess.PIPE)
                     for n in range(35)]
            for proc in reversed(procs):
                proc.stdin.write(b"x\n")
            return await asyncio.gather(*(proc.wait() for proc in procs))

        self.addCleanup(asyncio.set_event_loop_policy, None)
        self.assertEqual(asyncio.run(asyncio.wait_for(main(), 60)), list(range(35)))


if __name__ == "__main__":
    unittest.main()
