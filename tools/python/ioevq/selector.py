# SPDX-License-Identifier: MIT
"""A selector on a queue, as the standard library's selectors."""

import select
import selectors
import time

from . import _abi
from .queue import Queue
from .request import poll, poll_mod

_MASKS = {
    selectors.EVENT_READ: select.POLLIN,
    selectors.EVENT_WRITE: select.POLLOUT,
    selectors.EVENT_READ | selectors.EVENT_WRITE: select.POLLIN | select.POLLOUT,
}


# What all selectors there have in common; it has no public name.
class Selector(selectors._BaseSelectorImpl):
    """By level-triggered watches, one for each file object.

    The queue may be used for other requests, too: their events go to on_event, from inside of
    select(). It is closed with the selector.
    """

    def __init__(self, queue=None, on_event=None):
        super().__init__()
        self.queue = Queue() if queue is None else queue
        self._on_event = on_event
        self._watches = {}      # by descriptor

    def fileno(self):
        return self.queue.fileno()

    def register(self, fileobj, events, data=None):
        key = super().register(fileobj, events, data)
        # Quiet: it is forgotten by unregister(), and nobody waits for its end.
        watch = poll(key.fd, _MASKS[events], _abi.POLL_QUIET, self)
        try:
            self.queue.submit(watch)
        except BaseException:
            super().unregister(fileobj)
            raise
        self._watches[key.fd] = watch
        return key

    def unregister(self, fileobj):
        key = super().unregister(fileobj)
        watch = self._watches.pop(key.fd)
        # False: the file is closed, and the watch has ended with it.
        self.queue.cancel(watch)
        self.queue._forget(watch)
        return key

    def modify(self, fileobj, events, data=None):
        key = self.get_key(fileobj)
        if events != key.events:
            if not events or events & ~(selectors.EVENT_READ | selectors.EVENT_WRITE):
                raise ValueError(f"Invalid events: {events!r}")
            mod = poll_mod(self._watches[key.fd], _MASKS[events], _abi.POLL_QUIET)
            mod.flags = _abi.REQ_SKIP_SUCCESS
            try:
                self.queue.submit(mod)
            except BaseException:
                self.unregister(fileobj)
                raise
        key = key._replace(events=events, data=data)
        self._fd_to_key[key.fd] = key
        return key

    def _events(self, timeout):
        # All at once: a second look would find the same files ready.
        events = self.queue.wait(1, max(len(self._watches) + 16, 64), timeout)
        looked_at = 0
        try:
            for looked_at, event in enumerate(events, 1):
                yield event
        finally:
            # on_event has raised, or a handler of a signal: the rest is for the next select().
            self.queue._left.extendleft(reversed(events[looked_at:]))

    def select(self, timeout=None):
        until = None if timeout is None or timeout <= 0 else time.monotonic() + timeout
        while True:
            ready = []
            others = False
            for event in self._events(timeout):
                request = event.request
                if request is None or request.data is not self:
                    # None with OP_POLL: of a watch that was unregistered meanwhile.
                    if event.op != _abi.OP_POLL or request is not None:
                        others = True
                        if self._on_event is not None:
                            self._on_event(event)
                    continue
                # Of a watch that was unregistered since it was taken, perhaps.
                if event.closed or self._watches.get(request.fd) is not request:
                    continue
                events = 0
                if event.result & ~select.POLLIN:
                    events |= selectors.EVENT_WRITE
                if event.result & ~select.POLLOUT:
                    events |= selectors.EVENT_READ
                key = self._key_from_fd(request.fd)
                if key is not None and events & key.events:
                    ready.append((key, events & key.events))
            if ready or others or timeout is not None and timeout <= 0:
                return ready
            if until is not None:
                timeout = until - time.monotonic()
                if timeout <= 0:
                    return ready

    def close(self):
        self.queue.close()
        self._watches.clear()
        super().close()
