# SPDX-License-Identifier: MIT
"""A queue: requests go in, events come out."""

import contextlib
import ctypes
import errno
import itertools
import os
import sys
import threading
import time
import warnings
from collections import deque

from . import _abi
from ._abi import check, lib
from .request import Event, Request, new_token, nanoseconds

# What the kernel may still write to, of queues that could not wait for it.
_immortal = []


class _Handle:
    """The library's queue. Who is inside of a call of it has a reference, so that it is
    unmapped when the last of them has come back, whoever closes it meanwhile."""

    def __init__(self, fill, *args):
        self.q = _abi.CQueue(fd=-1)
        check(fill(self.q, *args), "/dev/ioevq" if fill is lib.ioevq_open else None)
        self._close, self._clear_alert = lib.ioevq_close, lib.ioevq_clear_alert
        self.alerted = False

    def __del__(self):
        if self.q.fd >= 0:
            # Those that it was for are back. Others who share the queue would hear it for ever.
            if self.alerted:
                self._clear_alert(self.q)
            self._close(self.q)


class _Array:
    """Memory for events. What is not one has ones in it."""

    def __init__(self, length):
        self.length = max(length, 64)
        self.memory = ctypes.create_string_buffer(b"\xff" * (self.length * _abi.EVENT.size),
                                                  self.length * _abi.EVENT.size)
        self.address = ctypes.addressof(self.memory)

    def first(self, n):
        return _abi.EVENT.iter_unpack(memoryview(self.memory)[:n * _abi.EVENT.size])

    def used(self):
        """How many were taken, if the call could not say."""
        return next((n for n, event in enumerate(self.first(self.length))
                     if event[2] == 2 ** 32 - 1), self.length)

    def clear(self, n):
        ctypes.memset(self.address, 0xff, n * _abi.EVENT.size)


class Queue:
    """An open file of /dev/ioevq.

    May be used by any number of threads. An object that is handed over with a request, its
    data, its buffer, its file, is kept until the request's final event was taken.
    """

    def __init__(self, entries=0, *, ops=0, concurrency=None):
        self._handle = None
        self._start(lib.ioevq_open, entries, ops)
        if concurrency is not None:
            try:
                self.set_concurrency(concurrency)
            except BaseException:
                self.close()
                raise

    @classmethod
    def attach(cls, fd):
        """A queue that was received by SCM_RIGHTS; owns the descriptor from then on."""
        self = cls.__new__(cls)
        self._handle = None
        self._start(lib.ioevq_attach, fd)
        return self

    def _start(self, fill, *args):
        self._handle = _Handle(fill, *args)
        self._pid = self._lock_pid = os.getpid()
        self._lock = threading.RLock()
        self._requests = {}     # by user data: those under way
        self._spare = []        # arrays of events, filled with ones, which is no event
        self._left = deque()    # taken, and not delivered because of an exception

    def _open(self):
        handle = self._handle
        if handle is None:
            raise ValueError("the queue is closed")
        return handle

    def _call(self, function, *args):
        # A name for the handle: another thread may close the queue meanwhile.
        handle = self._open()
        check(function(handle.q, *args))

    def _locked(self):
        """Nobody submits meanwhile, so that none is missed by who closes the queue."""
        if self._lock_pid != os.getpid():
            # After fork(2), when another thread may have held it.
            self._lock, self._lock_pid = threading.RLock(), os.getpid()
        return self._lock

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.close()

    def __del__(self):
        if getattr(self, "_handle", None) is not None:
            warnings.warn(f"unclosed queue {self!r}", ResourceWarning, source=self)
            self.close()

    def __repr__(self):
        handle = self._handle
        return f"<ioevq.Queue {'closed' if handle is None else handle.q.fd}>"

    def fileno(self):
        """Of the queue itself, to be polled or passed on."""
        return self._open().q.fd

    @property
    def closed(self):
        return self._handle is None

    def info(self, op=_abi.OP_NOP):
        """Limits and state, as IOEVQ_IOC_INFO tells them."""
        info = _abi.Info(op=op)
        self._call(lib.ioevq_info, info)
        return info

    def restrict(self, ops):
        self._call(lib.ioevq_restrict, ops)

    def set_concurrency(self, number):
        """How many consumers may run at once: 0 as many as there are CPUs, UNLIMITED."""
        self._call(lib.ioevq_set_concurrency, number)

    def alert(self, user_data=0):
        """Every wait returns at once, with an event that has EVENT_ALERT, until clear_alert()."""
        self._call(lib.ioevq_alert, user_data)

    def clear_alert(self):
        self._call(lib.ioevq_clear_alert)

    def submit(self, *requests):
        """Submit requests in one system call. Returns the first.

        If one is refused that is an OSError, whose attribute accepted is the number of those
        before it, which stand. One with REQ_SKIP_SUCCESS may have its result on return, and
        no event then.
        """
        if requests:
            with self._locked():
                self._submit(self._open(), requests)
            return requests[0]
        return None

    def _submit(self, handle, requests):
        begun, packed = [], []
        results = (ctypes.c_int64 * len(requests))(*[_abi.NO_RESULT] * len(requests))
        enter = _abi.Enter()
        start = None
        try:
            for request in requests:
                packed.append(request.begin())
                begun.append(request)
                # It may be answered, to another thread, before the call returns.
                self._requests[request.user_data] = request
            packed = b"".join(packed)
            enter = _abi.Enter(reqs=ctypes.cast(packed, ctypes.c_void_p).value,
                               nr_reqs=len(begun), results=ctypes.addressof(results))
            start = enter.reqs
            while (ret := lib.ioevq_enter(handle.q, enter)) == -errno.EINTR:
                done = enter.submitted
                enter = _abi.Enter(reqs=enter.reqs + done * _abi.REQ.size,
                                   nr_reqs=enter.nr_reqs - done,
                                   results=enter.results + done * 8)
        finally:
            # Also when a signal handler has raised something: what stands is known.
            accepted = (enter.reqs - start) // _abi.REQ.size + enter.submitted if start else 0
            for request, result in zip(begun[:accepted], results):
                if result != _abi.NO_RESULT:
                    self._forget(request, result)
            for request in begun[accepted:]:
                self._forget(request)
        if ret < 0:
            error = OSError(-ret, os.strerror(-ret))
            error.accepted = accepted
            raise error

    def _forget(self, request, result=None):
        """There is no event to come, or none that matters."""
        self._requests.pop(request.user_data, None)
        request.end(result)

    def post(self, data=None, result=0, value=0):
        """Put a message into this queue. In a signal handler, too. Another process that shares
        the queue sees result and value, and not the object."""
        handle, token = self._open(), 0
        if data is not None:
            message = Request(_abi.OP_POST, data=data)
            token = message.user_data = new_token()
            self._requests[token] = message
        ret = lib.ioevq_post(handle.q, token, result, value)
        if ret < 0:
            self._requests.pop(token, None)
            check(ret)

    def cancel(self, request):
        """End a request: its final event comes as usual, with -ECANCELED. False: it has ended
        by itself. If what it does cannot be interrupted an event of OP_CANCEL follows."""
        token = request.user_data
        if token is None:
            return False
        match = Request(_abi.OP_CANCEL, addr=token, op_flags=_abi.CANCEL_USER_DATA)
        match.flags = _abi.REQ_SKIP_SUCCESS
        try:
            self.submit(match)
        except FileNotFoundError:
            return False
        return True

    def wait(self, min=1, max=64, timeout=None):
        """Wait for events, and take them: a list, of less than min if the time (in seconds) is
        over or the queue is alerted, or what a signal handler that raised has left is less. Signals
        do not end it, unless a handler raises."""
        # No name for the handle here: an exception would keep it with the frame.
        events = self._take(self._open(), min, max, timeout)
        if self._handle is None:
            raise ValueError("the queue was closed")
        return events

    def _take(self, handle, min, max, timeout):
        events = []
        try:
            # In one call: a handler of a signal may raise between two. Until there is none left.
            with contextlib.suppress(IndexError):
                events.extend(itertools.islice(iter(self._left.popleft, None), max))
            if events:
                self._finish(events)
                return events
        except BaseException:
            self._left.extendleft(reversed(events))
            raise
        try:
            array = self._spare.pop()
        except IndexError:
            array = None
        if array is None or array.length < max:
            array = _Array(max)
        events = None
        try:
            events = self._events(array, self._enter(handle, array, min, max, timeout))
            self._finish(events)
            array.clear(len(events))
            self._spare.append(array)
        except BaseException:
            # Of a signal handler, perhaps. What was taken is for who comes next.
            self._left.extend(self._events(array, array.used()) if events is None else events)
            raise
        return events

    def _enter(self, handle, array, min, max, timeout):
        """Into the array; returns how many."""
        until = -1
        if timeout is not None:
            if timeout <= 0:
                min = 0
            else:
                until = time.monotonic_ns() + nanoseconds(timeout)
                until = until if until < 2 ** 63 else -1
        while True:
            ret = lib.ioevq_wait_until(handle.q, array.address, min, max, time.CLOCK_MONOTONIC,
                                       until)
            # Handlers of Python run between two rounds.
            if ret != -errno.EINTR:
                return check(ret)

    def _events(self, array, n):
        events = []
        for token, result, op, flags, value in array.first(n):
            request = self._requests.get(token)
            # Whoever can post may name any user data.
            if request is not None and (request.op != op or flags & _abi.EVENT_ALERT):
                request = None
            events.append(Event(request, result, op, flags, value, token))
        return events

    def _finish(self, events):
        """Let go of requests that have ended. May be done twice."""
        for event in events:
            request = event.request
            if request is not None and not event.flags & _abi.EVENT_MORE and \
               request.user_data == event.user_data:
                request.end(event.result)
        for event in events:
            if event.request is not None and not event.flags & _abi.EVENT_MORE:
                self._requests.pop(event.user_data, None)

    def close(self):
        """Cancel what is under way, and close the queue, without further events.

        Waits for file I/O of this process that the kernel does not interrupt: its memory is
        the device's till then. Threads that wait have a ValueError, by an alert.
        """
        with self._locked():
            handle, self._handle = self._handle, None
        if handle is None:
            return
        try:
            self._drain(handle)
        except BaseException:
            # Of a signal handler: it is not known what is used still.
            _immortal.extend(r for r in list(self._requests.values()) if r._pin is not None)
            raise
        for request in list(self._requests.values()):
            self._forget(request)
        # In a child of fork(2) they are threads of the parent, which would hear it.
        if os.getpid() == self._pid and sys.getrefcount(handle) > 2:
            handle.alerted = True
            lib.ioevq_alert(handle.q, 0)

    def _drain(self, handle):
        """Until no memory is used any more. Takes no events: the queue may be shared."""
        pause = 0.001
        while True:
            # After fork(2) some are the parent's, and its memory is what they use.
            pinned = [r for r in list(self._requests.values())
                      if r._pin is not None and r.pid == os.getpid()]
            waiting = False
            for request in pinned:
                token = request.user_data
                # Another thread has taken its event just now.
                if token is None:
                    continue
                # What has its final event is not found, whether or not that was taken.
                ret = self._end_now(handle, token)
                if ret == -errno.ENOENT or ret == 1:
                    self._forget(request, -errno.ECANCELED)
                elif ret == 0 or -ret in (errno.EAGAIN, errno.EINTR, errno.ENOMEM, errno.EDQUOT):
                    waiting = True
                else:
                    # The queue is restricted, say.
                    _immortal.append(request)
                    self._requests.pop(token, None)
            if not waiting:
                return
            # Each look may leave an event of a cancel, for whoever takes it.
            time.sleep(pause)
            pause = min(2 * pause, 0.1)

    @staticmethod
    def _end_now(handle, token):
        """Cancel by user data. 1: nothing of it will follow; 0: not yet; or an errno."""
        packed = _abi.REQ.pack(_abi.OP_CANCEL, _abi.REQ_SKIP_SUCCESS, -1, 0, token, 0, 0,
                               _abi.CANCEL_USER_DATA, 0, 0)
        result = ctypes.c_int64(_abi.NO_RESULT)
        enter = _abi.Enter(reqs=ctypes.cast(packed, ctypes.c_void_p).value, nr_reqs=1,
                           results=ctypes.addressof(result))
        ret = lib.ioevq_enter(handle.q, enter)
        return ret if ret < 0 else int(result.value != _abi.NO_RESULT)
