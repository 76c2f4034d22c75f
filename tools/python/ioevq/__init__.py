# SPDX-License-Identifier: MIT
"""I/O event queues: sockets, files, children, timers and messages in one queue.

    with ioevq.Queue() as q:
        q.submit(ioevq.read(file, 4096, 0, data="header"), ioevq.timer(1.0, data="late"))
        for event in q.wait():
            print(event.data, event.check())

Needs libioevq.so.0 and the kernel module. See Documentation/python.rst; ioevq.asyncio is an
event loop on top of it.
"""

from . import _abi
from ._abi import Info
from .queue import Queue
from .request import (Event, Request, cancel, child, close, fsync, nop, poll, poll_mod, read,
                      timer, timer_mod, write)
from .selector import Selector

globals().update({name: getattr(_abi, name) for name in _abi.CONSTANTS})

__all__ = ["Event", "Info", "Queue", "Request", "Selector", "cancel", "child", "close", "fsync",
           "nop", "poll", "poll_mod", "read", "timer", "timer_mod", "write", *_abi.CONSTANTS]
