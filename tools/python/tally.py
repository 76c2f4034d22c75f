#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests of the bindings, and those of CPython's that apply, on /dev/ioevq.

usage: tally.py [--quick] [own | suite | test_selectors | test_asyncio.test_...]...

Says "ok - NAME" or "not ok - NAME": of each test of our own, and of each module of CPython's,
with how many were run, how many of these were ok, and how many left out, and why. To be run
by tools/python/guest.
"""

import collections
import fnmatch
import os
import re
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
RUNNER = os.path.join(HERE, "../servers/cpython.py")
SECONDS = "300"
OWN = ["test_abi", "test_queue", "test_selector", "test_loop", "test_documentation"]
QUICK = ["own", "test_selectors", "test_asyncio.test_server", "test_asyncio.test_buffered_proto"]
# All of asyncio's but proactor_events, windows_events and windows_utils.
SUITE = ["own", "suite", "test_selectors", *(f"test_asyncio.test_{name}" for name in (
    "server", "buffered_proto", "streams", "sock_lowlevel", "sendfile", "events", "unix_events",
    "subprocess", "selector_events", "base_events", "runners", "taskgroups", "timeouts",
    "waitfor", "threads", "sslproto", "ssl", "context", "futures", "futures2", "locks", "pep492",
    "protocols", "queues", "tasks", "transports"))]
GOOD = ("ok", "expected")


class Run:
    """One run of tests by names."""

    def __init__(self, *names):
        with tempfile.NamedTemporaryFile("r") as results:
            done = subprocess.run([sys.executable, RUNNER, results.name, SECONDS, *names],
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  text=True, errors="replace", check=False)
            self.results = dict(line.split() for line in results)
        self.log, self.status = done.stdout, done.returncode
        self.reasons = dict(re.findall(r"^==== skip (\S+) (.*)$", self.log, re.M))
        # Of the queues that were seen.
        self.events = sum(map(int, re.findall(r"^events (\d+)$", self.log, re.M)))
        self.epolls = re.findall(r"^eventpoll (\S+)$", self.log, re.M)

    def tell(self, name):
        """What it said of a test that is not ok."""
        found = re.search(rf"^==== \w+ {re.escape(name)}\n(.*?)(?=^====|^ +[\d.]+ s,|\Z)",
                          self.log, re.M | re.S)
        for line in (found.group(1) if found else self.log).splitlines()[-40:]:
            print("# |", line)


def say(good, name):
    print("ok" if good else "not ok", "-", name, flush=True)
    return good


def own():
    for module in OWN:
        run = Run(module)
        for name, how in run.results.items():
            if not say(how in GOOD, name if how in GOOD else f"{name}: {how}"):
                run.tell(name)
        if run.status or not run.results:
            say(False, f"{module}: status {run.status}, {len(run.results)} results")
            run.tell("")


def differences():
    """What does not count: patterns of names, how, and why."""
    with open(os.path.join(HERE, "differences")) as file:
        lines = [line.rstrip("\n") for line in file]
    return [line.split(" ", 2) for line in lines if line and line[0] != "#"]


def same_on_epoll(name, how):
    """Some depend on time, or on the machine."""
    if name.startswith("suite."):
        return False
    return any(Run(name).results.get(name) == how for _ in range(3))


class Tally:
    """Of CPython's tests, one module after the other."""

    def __init__(self):
        self.total, self.reasons = collections.Counter(), collections.Counter()
        self.known = differences()

    def judge(self, run, name, how):
        """ok, not ok or left out, and why."""
        known = {kind: why for pattern, kind, why in self.known
                 if fnmatch.fnmatchcase(name, pattern)}
        if how == "skip":
            return (("left out", known["skip"]) if "skip" in known else
                    ("not ok", f"not in tools/python/differences: {run.reasons.get(name)}"))
        if how in GOOD:
            return ("not ok", "is in tools/python/differences") if known else ("ok", "")
        if "differ" in known:
            return "left out", known["differ"]
        if same_on_epoll(name, how):
            print(f"# {name}: {how} on epoll, too")
            run.tell(name)
            return "left out", f"{how} on epoll, too"
        return "not ok", ""

    def add(self, module):
        run = Run("replace", module)
        count = collections.Counter()
        for name, how in sorted(run.results.items()):
            kind, why = self.judge(run, name, how)
            count[kind] += 1
            if kind == "left out":
                self.reasons[why] += 1
            elif kind == "not ok":
                print(f"# {name}: {how} {why}")
                run.tell(name)
        self.total += count
        say(not count["not ok"] and run.status == 0 and count.total() > 0 and not run.epolls,
            f"{module}: {count.total()} tests, {count['ok']} ok, {count['left out']} left out, "
            f"{run.events} events" + "".join(f"; {name} has an epoll" for name in run.epolls))

    def tell(self):
        print(f"# CPython {sys.version.split()[0]}: {self.total.total()} tests, "
              f"{self.total['ok']} ok, {self.total['not ok']} not ok, "
              f"{self.total['left out']} left out:")
        for why, number in self.reasons.most_common():
            print(f"#   {number}: {why}")


def main():
    names = [name for name in sys.argv[1:] if name != "--quick"]
    names = names or (QUICK if "--quick" in sys.argv else SUITE)
    tally = Tally()
    for name in names:
        if name == "own":
            own()
        else:
            tally.add(name if name == "suite" else f"test.{name}")
    tally.tell()


main()
