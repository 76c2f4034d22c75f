# SPDX-License-Identifier: MIT
"""Requests, what they keep alive, and the events that answer them."""

import itertools
import os
import typing

from . import _abi


def _seed():
    """User data that no other process uses, though it may share the queue."""
    global _tokens
    _tokens = itertools.count(int.from_bytes(os.urandom(8), "little") >> 2 | 1)


_seed()
os.register_at_fork(after_in_child=_seed)


def new_token():
    return next(_tokens)


class Pin:
    """The memory of an object, where it is until release(): the object is exported, which
    keeps a bytearray or an mmap from being resized or closed, and is kept alive."""

    def __init__(self, obj, writable):
        self._view = _abi.PyBuffer()
        # Raises what the object has to say: BufferError, TypeError.
        _abi.get_buffer(obj, self._view, _abi.PyBUF_WRITABLE if writable else _abi.PyBUF_SIMPLE)
        self.address, self.length = self._view.buf or 0, self._view.len

    def release(self):
        view, self._view = self._view, None
        if view is not None:
            _abi.release_buffer(view)

    def __del__(self):
        if getattr(self, "_view", None) is not None:
            self.release()


class Request:
    """struct ioevq_req, and the objects that belong to it.

    A queue keeps it, its data, buffer and file, from its submission to its final event. The
    fields may be changed before it is submitted; it can be submitted again when it has ended.
    """

    __slots__ = ("op", "flags", "fd", "addr", "off", "len", "op_flags", "op_arg", "buf_index",
                 "data", "buffer", "file", "result", "user_data", "_token", "_pin", "_writable",
                 "_target", "pid")

    def __init__(self, op, file=-1, data=None, *, addr=0, off=0, length=0, op_flags=0, op_arg=0):
        self.op, self.flags, self.file, self.data = op, 0, file, data
        self.fd = file if isinstance(file, int) else file.fileno()
        self.addr, self.off, self.len = addr, off, length
        self.op_flags, self.op_arg, self.buf_index = op_flags, op_arg, 0
        self.buffer = self.result = self.user_data = self._pin = self._target = None
        self._writable = False
        self._token = None      # the user data of its last submission, also when it has ended
        self.pid = None         # of who submitted it

    @property
    def pending(self):
        """Its final event has not been taken."""
        return self.user_data is not None

    def begin(self):
        """It is about to be submitted. Returns it as bytes."""
        if self.pending:
            raise ValueError("the request is under way already")
        addr, length = self.addr, self.len
        self.pid = os.getpid()
        if self.buffer is not None:
            self._pin = Pin(self.buffer, self._writable)
            addr, length = self._pin.address, self._pin.length
        elif self._target is not None:
            if not self._target.pending:
                raise ValueError("the request that it is about has ended")
            addr = self._target.user_data
        try:
            token = new_token()
            packed = _abi.REQ.pack(self.op, self.flags, self.fd, token, addr, self.off, length,
                                   self.op_flags, self.op_arg, self.buf_index)
        except BaseException:
            self.end(None)
            raise
        self.result, self.user_data, self._token = None, token, token
        return packed

    def end(self, result):
        """There is nothing more to come: the memory is the program's again."""
        pin, self._pin = self._pin, None
        if pin is not None:
            pin.release()
        self.result, self.user_data = result, None

    def bytes(self):
        """What a READ that has ended has read."""
        if self.pending or self.result is None:
            raise ValueError("the request has not ended")
        return bytes(memoryview(self.buffer).cast("B")[:_abi.check(self.result)])

    def __repr__(self):
        state = "pending" if self.pending else f"result {self.result}"
        return f"<ioevq.Request op {self.op} fd {self.fd} data {self.data!r} {state}>"


class Event(typing.NamedTuple):
    """struct ioevq_event. The request is None where it was another process that submitted it,
    and for alerts."""

    request: typing.Optional[Request]
    result: int
    op: int
    flags: int
    value: int  # the field data of the structure
    user_data: int

    @property
    def data(self):
        """The object that was given with the request."""
        return self.request.data if self.request is not None else None

    @property
    def more(self):
        return bool(self.flags & _abi.EVENT_MORE)

    @property
    def closed(self):
        return bool(self.flags & _abi.EVENT_CLOSED)

    @property
    def status(self):
        """Of a child: as wait(2) says it."""
        return self.value & 0xffff

    @property
    def cpu_us(self):
        """Of a child: its CPU time in microseconds."""
        return self.value >> 16

    def check(self):
        """The result, or if it is an errno an OSError."""
        return _abi.check(self.result)


def nanoseconds(seconds):
    """Not less than that."""
    ns = int(seconds * 1_000_000_000)
    if ns < 0:
        raise ValueError("a time must not be negative")
    return ns + (ns < seconds * 1_000_000_000)


def nop(data=None):
    """Nothing; completes at once."""
    return Request(_abi.OP_NOP, data=data)


def poll(file, mask, mode=_abi.POLL_LEVEL, data=None):
    """Watch a file: select.POLLIN ..., POLL_LEVEL, POLL_EDGE ..."""
    return Request(_abi.OP_POLL, file, data, op_arg=mask, op_flags=mode)


def poll_mod(request, mask, mode=_abi.POLL_LEVEL, data=None):
    """Change such a request, or arm it anew."""
    mod = Request(_abi.OP_POLL_MOD, data=data, op_arg=mask, op_flags=mode | _abi.POLL_MOD_MATCH)
    mod._target = request
    return mod


def _transfer(op, file, buffer, offset, data, flags, after):
    request = Request(op, file, data, off=_abi.POSITION if offset is None else offset,
                      op_arg=flags)
    request.buffer, request._writable = buffer, op == _abi.OP_READ
    request.flags = _abi.REQ_AFTER if after else 0
    return request


def read(file, buffer, offset=None, data=None, *, flags=0, after=False):
    """Read into a buffer, or so many bytes into a bytearray that is made for them
    (request.buffer, request.bytes()). Without an offset: a stream, or where the file stands.
    flags are os.RWF_...; after: when all has ended that was submitted before on this file."""
    if isinstance(buffer, int):
        buffer = bytearray(buffer)
    return _transfer(_abi.OP_READ, file, buffer, offset, data, flags, after)


def write(file, buffer, offset=None, data=None, *, flags=0, after=False):
    """Write a bytes-like object; the rest as of read()."""
    return _transfer(_abi.OP_WRITE, file, buffer, offset, data, flags, after)


def fsync(file, data=None, *, datasync=False, after=False):
    """fsync(2), or fdatasync(2)."""
    request = Request(_abi.OP_FSYNC, file, data,
                      op_flags=_abi.FSYNC_DATASYNC if datasync else 0)
    request.flags = _abi.REQ_AFTER if after else 0
    return request


def child(pid=0, data=None, *, pidfd=None, flags=0, reserve=0):
    """Tell when a child has ended; pid 0: of all; with a pidfd: of that process."""
    if pidfd is not None:
        return Request(_abi.OP_CHILD, pidfd, data, op_flags=flags | _abi.CHILD_PIDFD)
    return Request(_abi.OP_CHILD, data=data, length=pid, op_flags=flags, op_arg=reserve)


def timer(seconds, period=0, data=None, *, flags=0, slack_ns=0):
    """Tell when so much time has passed, or (TIMER_ABSTIME) when it is that time, and every
    period after it."""
    return Request(_abi.OP_TIMER, data=data, off=nanoseconds(seconds),
                   length=nanoseconds(period), op_flags=flags, op_arg=slack_ns)


def timer_mod(request, seconds, period=0, data=None, *, flags=0, slack_ns=0):
    """Set such a request anew."""
    mod = Request(_abi.OP_TIMER_MOD, data=data, off=nanoseconds(seconds),
                  length=nanoseconds(period), op_flags=flags, op_arg=slack_ns)
    mod._target = request
    return mod


def cancel(request=None, data=None, *, file=None, op=None):
    """End the requests that match all that is given. None of their events follows that of
    this one."""
    match = Request(_abi.OP_CANCEL, -1 if file is None else file, data, length=op or 0)
    match._target = request
    match.op_flags = ((_abi.CANCEL_USER_DATA if request is not None else 0) |
                      (_abi.CANCEL_FD if file is not None else 0) |
                      (_abi.CANCEL_OP if op is not None else 0))
    return match


def close(fd, data=None):
    """End all requests on an open file, and close this descriptor of it. Of a file object
    give what detach() returns: it would close the number once more."""
    return Request(_abi.OP_CLOSE, fd, data)
