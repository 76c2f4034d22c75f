#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""A queue whose timer ends for ever, for what looks at it from outside.

Says the number of its queue. Of two waits one is too short for an event.
"""

import ioevq

with ioevq.Queue() as q:
    with open(f"/proc/self/fdinfo/{q.fileno()}", encoding="ascii") as file:
        print(*(line.split()[1] for line in file if line.startswith("queue:")), flush=True)
    q.submit(ioevq.timer(0.005, 0.005))
    while True:
        q.wait(1, 1)
        q.wait(1, 1, timeout=0.001)
