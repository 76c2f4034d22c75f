#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What sets a process has, and how many events they posted, seen while it lives.

usage: sets.py FILE COMMAND...

Runs the command, and writes lines of a set's kind and its most events to the file.
"""

import os
import sys
import time


class Sets:
    def __init__(self):
        self.events = {}
        self.kinds = {"eventpoll": set(), "ioevq": set()}

    def look(self, pid, name):
        """Once more: name says where the sets of this process belong."""
        now = 0
        try:
            for fd in os.listdir(f"/proc/{pid}/fd"):
                link = os.readlink(f"/proc/{pid}/fd/{fd}")
                if link == "anon_inode:[eventpoll]":
                    self.kinds["eventpoll"].add(name)
                if link != "/dev/ioevq":
                    continue
                self.kinds["ioevq"].add(name)
                with open(f"/proc/{pid}/fdinfo/{fd}") as info:
                    for line in info:
                        if line.startswith("events:"):
                            now += int(line.split()[1])
        except OSError:
            pass
        self.events[pid] = max(now, self.events.get(pid, 0))

    def write(self, file):
        for kind, names in self.kinds.items():
            for name in sorted(names):
                print(kind, name, file=file)
        print("events", sum(self.events.values()), file=file)


def main():
    sets = Sets()
    pid = os.fork()
    if not pid:
        os.execvp(sys.argv[2], sys.argv[2:])
    status = None
    while status is None:
        sets.look(pid, sys.argv[2])
        time.sleep(0.05)
        done, status = os.waitpid(pid, os.WNOHANG)
        if not done:
            status = None
    with open(sys.argv[1], "w") as file:
        sets.write(file)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main())
