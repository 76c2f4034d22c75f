#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drives Redis by many connections, and checks each reply.

What is sent follows from the number of the connection, so that "verify" knows
what has to be there after a restart.
"""

import random
import socket
import sys
import time

from checker import Checker

CONNECTIONS = 64
COMMANDS = 20


def blob(rnd, size):
    """Bytes that would break a protocol of lines."""
    return b"\r\n\0$-1\r\n" + rnd.randbytes(size)


class Connection:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.settimeout(120)
        self.file = self.sock.makefile("rb")

    def send(self, *commands):
        out = []
        for command in commands:
            out.append(b"*%d\r\n" % len(command))
            for arg in command:
                arg = arg if isinstance(arg, bytes) else str(arg).encode()
                out.append(b"$%d\r\n%s\r\n" % (len(arg), arg))
        self.sock.sendall(b"".join(out))

    def reply(self):
        line = self.file.readline()
        kind, rest = line[:1], line[1:-2]
        if kind == b"+" or kind == b"-":
            return line[:-2]
        if kind == b":":
            return int(rest)
        if kind == b"$":
            if rest == b"-1":
                return None
            data = self.file.read(int(rest) + 2)
            return data[:-2]
        if kind == b"*":
            return None if rest == b"-1" else [self.reply() for _ in range(int(rest))]
        raise EOFError("not a reply: %r" % line)

    def ask(self, *command):
        self.send(command)
        return self.reply()


class Model:
    """What one connection asks for, and what it has to get."""

    def __init__(self, number):
        self.rnd = random.Random(number)
        self.prefix = b"c%d:" % number
        self.strings = {}
        self.count = 0
        self.list = []

    def command(self):
        rnd = self.rnd
        key = self.prefix + b"%d" % rnd.randrange(10)
        what = rnd.randrange(7)
        if what == 0:
            value = blob(rnd, rnd.choice((0, 1, 100, 3000, 40000)))
            self.strings[key] = value
            return (b"SET", key, value), b"+OK"
        if what == 1:
            return (b"GET", key), self.strings.get(key)
        if what == 2:
            self.count += 1
            return (b"INCR", self.prefix + b"n"), self.count
        if what == 3:
            value = blob(rnd, rnd.randrange(64))
            self.list.insert(0, value)
            return (b"LPUSH", self.prefix + b"l", value), len(self.list)
        if what == 4:
            return (b"LRANGE", self.prefix + b"l", 0, 9), self.list[:10]
        if what == 5:
            value = blob(rnd, 10)
            self.strings[key] = self.strings.get(key, b"") + value
            return (b"APPEND", key, value), len(self.strings[key])
        return (b"DEL", key), 1 if self.strings.pop(key, None) is not None else 0

    def keys(self):
        return len(self.strings) + (self.count > 0) + (len(self.list) > 0)


def load(port, rounds):
    checker = Checker()
    conns = [Connection(port) for _ in range(CONNECTIONS)]
    models = [Model(i) for i in range(CONNECTIONS)]
    other = Connection(port)
    listener = Connection(port)
    popper = Connection(port)
    checker.check(listener.ask("SUBSCRIBE", "news"), [b"subscribe", b"news", 1], "SUBSCRIBE")
    for turn in range(rounds):
        wanted = []
        for conn, model in zip(conns, models):
            batch = [model.command() for _ in range(COMMANDS)]
            conn.send(*[command for command, _ in batch])
            wanted.append([(command[:2], want) for command, want in batch])
        if turn == rounds // 2:
            checker.check(other.ask("BGREWRITEAOF")[:1], b"+", "BGREWRITEAOF")
        # Replies that are not read for a while: the server has to wait for the socket.
        for conn, batch in zip(conns, wanted):
            for what, want in batch:
                checker.check(conn.reply(), want, what)
        # A client that waits gets what another one has.
        news = blob(random.Random(turn), 30)
        popper.send((b"BLPOP", b"queue", 60))
        checker.check(other.ask("PUBLISH", "news", news), 1, "PUBLISH")
        checker.check(listener.reply(), [b"message", b"news", news], "message")
        checker.check(other.ask("RPUSH", "queue", news), 1, "RPUSH")
        checker.check(popper.reply(), [b"queue", news], "BLPOP")
        # One that comes and goes, in the middle of a request.
        gone = Connection(port)
        gone.sock.sendall(b"*3\r\n$3\r\nSET\r\n$4\r\ngone\r\n$9\r\nab")
        gone.sock.close()
    # By the server's timer.
    start = time.monotonic()
    checker.check(popper.ask("BLPOP", "queue", "0.3"), None, "BLPOP")
    checker.check(time.monotonic() - start >= 0.29, True, "time of BLPOP")
    end = time.monotonic() + 60
    while b"aof_rewrite_in_progress:0" not in other.ask("INFO", "persistence"):
        if time.monotonic() > end:
            checker.check(False, True, "rewriting of the file")
            break
        time.sleep(0.1)
    return checker


def verify(port, rounds):
    checker = Checker()
    conn = Connection(port)
    for number in range(CONNECTIONS):
        model = Model(number)
        for _ in range(rounds * COMMANDS):
            model.command()
        for key, value in sorted(model.strings.items()):
            checker.check(conn.ask("GET", key), value, key)
        if model.count:
            checker.check(conn.ask("GET", model.prefix + b"n"), b"%d" % model.count, "n")
        checker.check(conn.ask("LRANGE", model.prefix + b"l", 0, -1), model.list, "l")
        keys = conn.ask("KEYS", model.prefix + b"*")
        checker.check(len(keys), model.keys(), "KEYS")
    return checker


def main():
    port, rounds = int(sys.argv[2]), int(sys.argv[3])
    checker = (load if sys.argv[1] == "load" else verify)(port, rounds)
    print("requests", checker.requests)
    print("mismatches", checker.mismatches)
    return 1 if checker.mismatches else 0


sys.exit(main())
