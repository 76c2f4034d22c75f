# SPDX-License-Identifier: MIT
"""An event loop for asyncio, on a queue.

    asyncio.set_event_loop_policy(ioevq.asyncio.EventLoopPolicy())

Descriptors are watched level-triggered, by a selector; call_soon_threadsafe() posts a
message; the next deadline is the timeout of the wait; children of asyncio.subprocess are
watched by CHILD, without a thread or a signal; and any other request can be awaited. Handlers
of signals are told by the socket pair that asyncio has for it: the interpreter writes there.
"""

import asyncio
import builtins
import errno
import os

from . import _abi, request as _request
from .selector import Selector

__all__ = ["ChildWatcher", "EventLoop", "EventLoopPolicy", "File", "open"]


class EventLoop(asyncio.SelectorEventLoop):
    """asyncio's own loop for Unix, with a queue in the place of epoll."""

    def __init__(self, selector=None):
        self._handlers = {}     # by user data: who is told of its events
        self._closed = True     # for __del__(), should there be no queue
        if selector is None:
            selector = Selector()
        elif not isinstance(selector, Selector):
            raise TypeError("the selector must be one of ioevq")
        selector._on_event = self._on_event
        super().__init__(selector)

    @property
    def queue(self):
        """What the loop waits on."""
        self._check_closed()
        return self._selector.queue

    def _write_to_self(self):
        selector = self._selector
        if selector is None:
            return
        try:
            selector.queue.post()
        except ValueError:
            # Closed by another thread meanwhile.
            pass
        except OSError:
            # No room for more messages.
            super()._write_to_self()

    def _on_event(self, event):
        # Whoever can post may name any user data.
        if event.request is not None and event.user_data in self._handlers:
            self.call_soon(self._call_handler, event)

    def _call_handler(self, event):
        # Not that of the request: it may have been submitted again meanwhile.
        handler = self._handlers.get(event.user_data)
        if handler is None:
            return
        if not event.more:
            del self._handlers[event.user_data]
        handler(event)

    def close(self):
        super().close()
        self._handlers.clear()

    def watch(self, request, handler):
        """Submit a request, and call handler(event) for each of its events."""
        self._check_closed()
        # Its events are taken by this thread, later.
        self._selector.queue.submit(request)
        # If not, REQ_SKIP_SUCCESS: it was its answer.
        if request.pending:
            self._handlers[request.user_data] = handler
        return request

    def unwatch(self, request):
        """Cancel it. The handler is not called any more; what the request uses is kept until
        it has ended. False: it has."""
        return self._unwatch(request, request._token)

    def _unwatch(self, request, token):
        self._handlers.pop(token, None)
        return self._cancel(request, token)

    def _cancel(self, request, token):
        if self._selector is None or token is None or request.user_data != token:
            return False
        try:
            return self._selector.queue.cancel(request)
        except OSError as error:
            # Refused for now. Who cancels a task must not hear of it.
            if error.errno not in (errno.EAGAIN, errno.ENOMEM, errno.EDQUOT):
                raise
            self.call_later(0.01, self._cancel, request, token)
            return True

    async def submit(self, request):
        """Submit a request, and wait for its final event, which is returned. If the task is
        cancelled so is the request."""
        future = self.create_future()

        def handler(event):
            if not event.more and not future.done():
                future.set_result(event)

        self.watch(request, handler)
        token = request.user_data
        if token is None:
            return _request.Event(request, request.result, request.op, 0, 0, 0)
        try:
            return await future
        finally:
            self._unwatch(request, token)


class ChildWatcher(asyncio.AbstractChildWatcher):
    """Each child is watched by the queue of the loop that it was started by, in any thread.
    SIGCHLD is left alone, and no other child is reaped."""

    def __init__(self):
        self._children = {}     # by process ID: the loop, and the request

    def __enter__(self):
        return self

    def __exit__(self, *args):
        pass

    def is_active(self):
        return True

    def attach_loop(self, loop):
        pass

    def close(self):
        for pid in list(self._children):
            self.remove_child_handler(pid)

    def add_child_handler(self, pid, callback, *args):
        loop = asyncio.get_running_loop()
        if not isinstance(loop, EventLoop):
            raise RuntimeError(f"{loop!r} is no loop of ioevq")
        self.remove_child_handler(pid)

        def ended(event):
            if self._children.get(pid) == (loop, request):
                del self._children[pid]
            callback(pid, self._exit_code(pid, event), *args)

        request = _request.child(pid)
        self._children[pid] = loop, request
        try:
            loop.watch(request, ended)
        except ChildProcessError:
            # Reaped by somebody else already.
            del self._children[pid]
            loop.call_soon(callback, pid, self._unknown(pid), *args)
        except BaseException:
            del self._children[pid]
            raise

    def remove_child_handler(self, pid):
        loop, request = self._children.pop(pid, (None, None))
        return loop is not None and not loop.is_closed() and loop.unwatch(request)

    @classmethod
    def _exit_code(cls, pid, event):
        """Reap it. What the event says is what there is if the kernel has done that."""
        try:
            found, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:
            found = 0
        if not found:
            if not event.flags & _abi.EVENT_AUTOREAP:
                return cls._unknown(pid)
            status = event.status
        return os.waitstatus_to_exitcode(status)

    @staticmethod
    def _unknown(pid):
        asyncio.log.logger.warning("Unknown child process pid %d, will report returncode 255",
                                   pid)
        return 255


class EventLoopPolicy(asyncio.DefaultEventLoopPolicy):
    """Loops of this kind, and one watcher of children for all of them."""

    _loop_factory = EventLoop

    def get_child_watcher(self):
        if self._watcher is None:
            self._watcher = ChildWatcher()
        return self._watcher


class File:
    """A file that tasks can read and write without a thread: regular files and block devices
    by position, pipes and sockets as streams. Not for several tasks at once, but for pread()
    and pwrite()."""

    def __init__(self, file, *, loop=None):
        """An open file, whose closing is part of this; or a descriptor."""
        self._file = builtins.open(file, "rb", 0) if isinstance(file, int) else file
        self._loop = loop or asyncio.get_running_loop()
        if not isinstance(self._loop, EventLoop):
            raise RuntimeError(f"{self._loop!r} is no loop of ioevq")
        try:
            self._position = os.lseek(self._file.fileno(), 0, os.SEEK_CUR)
        except OSError:
            self._position = None

    def fileno(self):
        return self._file.fileno()

    async def _transfer(self, request):
        # What is in the page cache, or goes there, has no event.
        if request.off != _abi.POSITION:
            request.flags |= _abi.REQ_SKIP_SUCCESS
        return (await self._loop.submit(request)).check()

    async def pread_into(self, buffer, offset):
        """How many bytes were read; 0 at the end."""
        return await self._transfer(_request.read(self, buffer, offset))

    async def pread(self, size, offset):
        buffer = bytearray(size)
        n = await self.pread_into(buffer, offset)
        return bytes(memoryview(buffer)[:n])

    async def pwrite(self, data, offset):
        """All of it."""
        view = memoryview(data).cast("B")
        done = 0
        while done < len(view):
            at = None if offset is None else offset + done
            done += await self._transfer(_request.write(self, view[done:], at))
        return done

    async def read(self, size=-1):
        """As read() of an open file: size bytes, or (-1, None) all up to the end. Of a stream what
        there is, up to size bytes."""
        parts, left = [], -1 if size is None else size
        while left:
            part = await self.pread(left if 0 < left < 1 << 20 else 1 << 20, self._position)
            if not part:
                break
            parts.append(part)
            if self._position is not None:
                self._position += len(part)
            if left > 0:
                left -= len(part)
                if self._position is None:
                    break
        return b"".join(parts)

    async def write(self, data):
        n = await self.pwrite(data, self._position)
        if self._position is not None:
            self._position += n
        return n

    async def fsync(self, datasync=False):
        """Also of what was written and not waited for."""
        await self._transfer(_request.fsync(self, datasync=datasync, after=True))

    def seek(self, offset, whence=os.SEEK_SET):
        if whence == os.SEEK_CUR:
            offset, whence = self._position + offset, os.SEEK_SET
        self._position = os.lseek(self.fileno(), offset, whence)
        return self._position

    def tell(self):
        return self._position

    def close(self):
        self._file.close()

    async def __aenter__(self):
        return self

    async def __aexit__(self, *args):
        self.close()


def open(path, mode="rb"):
    """A File. To open one is a system call that has no other form: it is made here."""
    if "b" not in mode or "a" in mode:
        raise ValueError("the mode must be one for bytes, and not for appending")
    return File(builtins.open(path, mode, 0))
