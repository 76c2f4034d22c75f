# SPDX-License-Identifier: MIT
"""CPython's tests of subprocesses, with the watcher of children of ioevq. After replace.py."""

import asyncio
import unittest
from test.test_asyncio import test_events, test_subprocess, utils

import ioevq.asyncio


class ChildWatcherTests(test_subprocess.SubprocessWatcherMixin, utils.TestCase):
    Watcher = ioevq.asyncio.ChildWatcher


class ChildWatcherEventLoopTests(test_events.SubprocessTestsMixin, utils.TestCase):
    def setUp(self):
        super().setUp()
        self.loop = asyncio.SelectorEventLoop()
        self.set_event_loop(self.loop)
        asyncio.set_child_watcher(ioevq.asyncio.ChildWatcher())

    def tearDown(self):
        asyncio.set_child_watcher(None)
        super().tearDown()


def load_tests(loader, tests, pattern):
    """Not those of the modules imported here."""
    suite = unittest.TestSuite()
    for case in ChildWatcherTests, ChildWatcherEventLoopTests:
        suite.addTests(loader.loadTestsFromTestCase(case))
    return suite
