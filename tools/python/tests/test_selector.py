# SPDX-License-Identifier: MIT
"""ioevq.Selector, where it is more than what CPython's tests of selectors look at."""

import os
import selectors
import socket
import unittest
from unittest import mock

import ioevq


class Selector(unittest.TestCase):
    def setUp(self):
        self.s = ioevq.Selector()
        self.addCleanup(self.s.close)
        self.a, self.b = socket.socketpair()
        self.addCleanup(self.a.close)
        self.addCleanup(self.b.close)

    def ready(self, timeout=30):
        return [(key.data, events) for key, events in self.s.select(timeout)]

    def test_level(self):
        self.s.register(self.a, selectors.EVENT_READ, "a")
        self.assertEqual(self.ready(0), [])
        self.b.send(b"xx")
        for _ in range(3):
            self.assertEqual(self.ready(), [("a", selectors.EVENT_READ)])
        self.a.recv(2)
        self.assertEqual(self.ready(0), [])

    def test_modify(self):
        self.s.register(self.a, selectors.EVENT_READ, "a")
        self.b.send(b"x")
        self.s.modify(self.a, selectors.EVENT_WRITE, "w")
        self.assertEqual(self.ready(), [("w", selectors.EVENT_WRITE)])
        self.s.modify(self.a, selectors.EVENT_WRITE | selectors.EVENT_READ, "rw")
        self.assertEqual(self.ready(), [("rw", selectors.EVENT_WRITE | selectors.EVENT_READ)])
        self.assertRaises(ValueError, self.s.modify, self.a, 4)

    def test_number_used_again(self):
        """Nothing of the old file is told of the new one."""
        self.s.register(self.a, selectors.EVENT_READ, "old")
        kept = os.dup(self.a.fileno())      # so that the watch goes on
        self.addCleanup(os.close, kept)
        self.b.send(b"x")
        fd = self.a.detach()
        c, d = socket.socketpair()
        with c, d:
            os.dup2(c.fileno(), fd)
            self.addCleanup(os.close, fd)
            self.s.unregister(fd)
            self.s.register(fd, selectors.EVENT_READ, "new")
            self.assertEqual(self.ready(0), [])
            d.send(b"x")
            self.assertEqual(self.ready(), [("new", selectors.EVENT_READ)])

    def test_close_is_close(self):
        """A watch does not keep the file."""
        self.s.register(self.a, selectors.EVENT_READ)
        os.close(self.a.detach())
        self.assertEqual(self.b.recv(1), b"")
        self.assertEqual(self.ready(0), [])
        self.assertEqual(self.s.queue.info().requests, 0)

    def test_nothing_is_left(self):
        """Many registrations, no memory."""
        for _ in range(500):
            self.s.register(self.a, selectors.EVENT_WRITE)
            self.assertEqual(len(self.ready()), 1)
            self.s.unregister(self.a)
        self.assertEqual(self.s.queue._requests, {})
        self.assertEqual(self.ready(0), [])
        self.assertEqual(self.s.queue.info().requests, 0)

    def test_other_requests(self):
        seen = []
        with ioevq.Selector(on_event=seen.append) as s:
            s.register(self.a, selectors.EVENT_READ, "a")
            s.queue.submit(ioevq.timer(0.01, data="timer"))
            self.assertEqual(s.select(30), [])
            s.queue.post("message")
            self.b.send(b"x")
            while len(seen) < 2 or not s.select(30):
                s.select(0)
            self.assertEqual([event.data for event in seen], ["timer", "message"])

    def test_on_event_raises(self):
        """What was taken with that event is told by the next select()."""
        seen = []

        def on_event(event):
            seen.append(event.data)
            if event.data == 1:
                raise KeyboardInterrupt

        with ioevq.Selector(on_event=on_event) as s:
            for number in range(4):
                s.queue.post(number)
            self.assertRaises(KeyboardInterrupt, s.select, 30)
            self.assertEqual(seen, [0, 1])
            s.select(30)
            self.assertEqual(seen, [0, 1, 2, 3])

    def test_number_used_again_after_an_exception(self):
        """Nor is anything of what was taken by then."""
        with ioevq.Selector(on_event=mock.Mock(side_effect=[KeyboardInterrupt])) as s:
            s.register(self.a, selectors.EVENT_READ, "old")
            s.queue.post()
            self.b.send(b"x")
            self.assertRaises(KeyboardInterrupt, s.select, 30)
            s.unregister(self.a)
            c, d = socket.socketpair()
            with c, d:
                os.dup2(c.fileno(), self.a.fileno())
                s.register(self.a, selectors.EVENT_READ, "new")
                self.assertEqual(s.select(0), [])


if __name__ == "__main__":
    unittest.main()
