#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs tests of CPython's own, and says for each how it ended.

usage: cpython.py RESULTS SECONDS NAME...

The tests of a class run in a process of their own, which is killed if one takes
longer than SECONDS. Its sets are looked at meanwhile. Results are lines of a
test's name and ok, fail, error, skip or hang.
"""

import os
import re
import select
import signal
import sys
import time
import traceback
import unittest

from sets import Sets
from test import support

# The same tests by other calls.
OTHERS = re.compile("(Devpoll|Kqueue|Poll|Select)(SelectorTestCase|EventLoopTests)")


class Result(unittest.TestResult):
    """Tells the parent what begins and what ended."""

    def __init__(self, fd):
        super().__init__()
        self.fd = fd
        self.how = "ok"

    def tell(self, *words):
        os.write(self.fd, (" ".join(words) + "\n").encode())

    def startTest(self, test):
        self.how = "ok"
        self.tell("start", test.id())

    def stopTest(self, test):
        self.tell("stop", test.id(), self.how)

    def ended(self, test, how, err=None):
        if err:
            print("====", how, test.id(), flush=True)
            traceback.print_exception(*err, file=sys.stdout)
            sys.stdout.flush()
        self.how = how
        # The fixtures of a class have no start and stop.
        if not isinstance(test, unittest.TestCase):
            self.tell("stop", test.id().replace(" ", "_"), how)

    def addError(self, test, err):
        self.ended(test, "error", err)

    def addFailure(self, test, err):
        self.ended(test, "fail", err)

    def addSubTest(self, test, subtest, err):
        if err:
            self.ended(test, "fail", err)

    def addSkip(self, test, reason):
        print("==== skip", test.id(), reason, flush=True)
        self.ended(test, "skip")

    def addExpectedFailure(self, test, err):
        self.how = "expected"

    def addUnexpectedSuccess(self, test):
        self.how = "unexpected"


def flatten(suite):
    for test in suite:
        if isinstance(test, unittest.TestSuite):
            yield from flatten(test)
        else:
            yield test


def child(tests, fd):
    os.setpgid(0, 0)
    # Tests look at the numbers of descriptors.
    high = 1000
    os.dup2(fd, high, inheritable=False)
    os.close(fd)
    unittest.TestSuite(tests).run(Result(high))
    sys.stdout.flush()
    os._exit(0)


def run(tests, name, seconds, results, sets):
    """The tests of one class; returns those that are left when it was killed."""
    reader, writer = os.pipe()
    sys.stdout.flush()
    pid = os.fork()
    if not pid:
        try:
            child(tests, writer)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(1)
    os.close(writer)
    poll = select.poll()
    poll.register(reader, select.POLLIN)
    text, current, done = b"", None, set()
    last = time.monotonic()
    while time.monotonic() - last < seconds:
        sets.look(pid, name)
        if not poll.poll(50):
            continue
        data = os.read(reader, 65536)
        if not data:
            break
        last = time.monotonic()
        *lines, text = (text + data).split(b"\n")
        for line in lines:
            what, test, *how = line.decode().split(" ")
            current = test if what == "start" else None
            if how:
                results[test] = how[0]
                done.add(test)
    hung = time.monotonic() - last >= seconds
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    status = os.waitpid(pid, 0)[1]
    os.close(reader)
    if current:
        results[current] = "hang" if hung else "crash"
        done.add(current)
        print("====", results[current], current, "status", status, flush=True)
    left = [test for test in tests if test.id() not in done]
    # One that ends without a word would run for ever.
    return left if current else []


def main():
    out, seconds, names = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
    support.use_resources = []
    support.verbose = False
    # What a test's own server waits for its client. In emulation that may load a machine's
    # certificates in between, which takes more than the five seconds there are.
    support.LOOPBACK_TIMEOUT = seconds / 4
    suite = unittest.defaultTestLoader.loadTestsFromNames(names)
    classes = {}
    for test in flatten(suite):
        if OTHERS.match(type(test).__name__):
            continue
        classes.setdefault(type(test), []).append(test)
    results, sets = {}, Sets()
    for kind, tests in classes.items():
        start = time.monotonic()
        count, name = len(tests), f"{kind.__module__}.{kind.__name__}"
        while tests:
            tests = run(tests, name, seconds, results, sets)
        took = time.monotonic() - start
        print("%6.1f s, %3d tests: %s" % (took, count, name), flush=True)
    with open(out, "w") as file:
        for name, how in sorted(results.items()):
            file.write(f"{name} {how}\n")
    sets.write(sys.stdout)
    return 0


sys.exit(main())
