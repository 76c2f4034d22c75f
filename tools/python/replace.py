# SPDX-License-Identifier: MIT
"""Puts ioevq in the place of epoll, for CPython's own tests of selectors and asyncio.

To be imported before them, as tools/servers/cpython.py does with the first of its names. What
is there for a program to choose is replaced: the default selector, the one by epoll, the
default policy and the loop.
"""

import asyncio
import selectors

import ioevq.asyncio

selectors.DefaultSelector = selectors.EpollSelector = ioevq.Selector
asyncio.SelectorEventLoop = ioevq.asyncio.EventLoop
asyncio.DefaultEventLoopPolicy = ioevq.asyncio.EventLoopPolicy
