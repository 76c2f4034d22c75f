# SPDX-License-Identifier: MIT
"""<linux/ioevq.h> and the calls of libioevq.so.0, by ctypes.

The names are those of the header without IOEVQ_; what they mean is told there.
"""

import ctypes
import os
import struct

# enum ioevq_op
OP_NOP = 0
OP_POST = 1
OP_POLL = 2
OP_READ = 3
OP_WRITE = 4
OP_FSYNC = 5
OP_CHILD = 6
OP_CANCEL = 7
OP_POLL_MOD = 8
OP_CLOSE = 9
OP_TIMER = 10
OP_TIMER_MOD = 11

# enum ioevq_req_flags
REQ_SKIP_SUCCESS = 1
REQ_AFTER = 2

# enum ioevq_poll_flags, enum ioevq_poll_mod_flags
POLL_LEVEL = 0
POLL_EDGE = 1
POLL_ONESHOT = 2
POLL_DISPATCH = 4
POLL_CONFIRM = 8
POLL_EXCLUSIVE = 16
POLL_LIFO = 32
POLL_UNIQUE = 64
POLL_QUIET = 128
POLL_MOD_MATCH = 256
POLL_MOD_USER_DATA = 512

# enum ioevq_rw_flags
RW_VECTOR = 1
RW_FIXED = 2
POSITION = 2 ** 64 - 1

# enum ioevq_fsync_flags
FSYNC_DATASYNC = 1
FSYNC_WAIT_BEFORE = 2
FSYNC_WRITE = 4
FSYNC_WAIT_AFTER = 8

# enum ioevq_child_flags
CHILD_STOPPED = 1
CHILD_CONTINUED = 2
CHILD_USAGE = 4
CHILD_PIDFD = 8

# enum ioevq_timer_flags
TIMER_ABSTIME = 2
TIMER_BOOTTIME = 4
TIMER_REALTIME = 8

# enum ioevq_cancel_flags
CANCEL_USER_DATA = 1
CANCEL_FD = 2
CANCEL_OP = 4
CANCEL_EXACT = 8

# enum ioevq_event_flags
EVENT_MORE = 1
EVENT_CLOSED = 2
EVENT_AUTOREAP = 4
EVENT_RESCAN = 8
EVENT_ALERT = 16
EVENT_FOREIGN = 32
EVENT_USAGE = 64

# enum ioevq_features
FEAT_CLOSE_HOOK = 1
FEAT_CONCURRENCY = 2
FEAT_BUFFERS = 4

ABI_VERSION = 1
MAX_BATCH = 65536
UNLIMITED = 2 ** 32 - 1
NO_RESULT = -2 ** 63

CONSTANTS = [name for name in dir() if name.isupper()]

# struct ioevq_req, struct ioevq_event
REQ = struct.Struct("=HHiQQQQIII12x")
EVENT = struct.Struct("=QqIIQ")


class CQueue(ctypes.Structure):
    """struct ioevq"""

    _fields_ = [
        ("fd", ctypes.c_int),
        ("mask", ctypes.c_uint32),
        ("ring", ctypes.c_void_p),
        ("slots", ctypes.c_void_p),
        ("ring_size", ctypes.c_size_t),
    ]


class Enter(ctypes.Structure):
    """struct ioevq_enter"""

    _fields_ = [
        ("size", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        ("reqs", ctypes.c_uint64),
        ("nr_reqs", ctypes.c_uint32),
        ("submitted", ctypes.c_uint32),
        ("events", ctypes.c_uint64),
        ("min", ctypes.c_uint32),
        ("max", ctypes.c_uint32),
        ("timeout_ns", ctypes.c_int64),
        ("sigmask", ctypes.c_uint64),
        ("batch_ns", ctypes.c_uint64),
        ("results", ctypes.c_uint64),
    ]


class Info(ctypes.Structure):
    """struct ioevq_info"""

    _fields_ = [(name, ctypes.c_uint32) for name in ("size", "op", "abi_version", "event_size")]
    _fields_ += [(name, ctypes.c_uint64) for name in ("features", "ops")]
    _fields_ += [(name, ctypes.c_uint32) for name in (
        "req_flags", "op_flags", "setup_flags", "enter_flags", "default_entries",
        "max_entries", "max_requests", "max_user_requests", "entries", "requests")]
    _fields_ += [(name, ctypes.c_uint64) for name in ("available", "backlog", "wakeups")]
    _fields_ += [(name, ctypes.c_uint32) for name in (
        "concurrency", "runnable", "waiting", "buffers")]
    _fields_ += [("events", ctypes.c_uint64)]

    def __repr__(self):
        values = ", ".join(f"{name}={getattr(self, name)}" for name, _ in self._fields_)
        return f"Info({values})"


class PyBuffer(ctypes.Structure):
    """Py_buffer, of the stable ABI of CPython since 3.11"""

    _fields_ = [
        ("buf", ctypes.c_void_p),
        ("obj", ctypes.c_void_p),
        ("len", ctypes.c_ssize_t),
        ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int),
        ("ndim", ctypes.c_int),
        ("format", ctypes.c_void_p),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("suboffsets", ctypes.c_void_p),
        ("internal", ctypes.c_void_p),
    ]


PyBUF_SIMPLE = 0
PyBUF_WRITABLE = 1
get_buffer = ctypes.pythonapi.PyObject_GetBuffer
get_buffer.argtypes = [ctypes.py_object, ctypes.POINTER(PyBuffer), ctypes.c_int]
get_buffer.restype = ctypes.c_int
release_buffer = ctypes.pythonapi.PyBuffer_Release
release_buffer.argtypes = [ctypes.POINTER(PyBuffer)]
release_buffer.restype = None

try:
    # Calls go on without the interpreter's lock, as far as they are not of pythonapi.
    lib = ctypes.CDLL("libioevq.so.0")
except OSError as error:
    raise ImportError(f"the C library of ioevq is not installed, or not where the dynamic "
                      f"linker looks (ldconfig, LD_LIBRARY_PATH): {error}") from error

_q = ctypes.POINTER(CQueue)
_u32, _u64, _s64 = ctypes.c_uint32, ctypes.c_uint64, ctypes.c_int64
for _name, _args in {
        "open": [_q, _u32, _u64],
        "attach": [_q, ctypes.c_int],
        "info": [_q, ctypes.POINTER(Info)],
        "restrict": [_q, _u64],
        "set_concurrency": [_q, _u32],
        "alert": [_q, _u64],
        "clear_alert": [_q],
        "enter": [_q, ctypes.POINTER(Enter)],
        "wait": [_q, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, _s64],
        "wait_until": [_q, ctypes.c_void_p, ctypes.c_uint, ctypes.c_uint, ctypes.c_int, _s64],
        "post": [_q, _u64, _s64, _u64],
}.items():
    _function = getattr(lib, "ioevq_" + _name)
    _function.argtypes = _args
    _function.restype = ctypes.c_int
lib.ioevq_close.argtypes = [_q]
lib.ioevq_close.restype = None


def check(ret, path=None):
    """The return value of a call, or an OSError: FileNotFoundError, PermissionError ..."""
    if ret < 0:
        raise OSError(-ret, os.strerror(-ret), path)
    return ret
