#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drives memcached by both protocols and many connections, and checks each reply."""

import random
import socket
import struct
import sys

from checker import Checker

CONNECTIONS = 48
COMMANDS = 16
HEAD = struct.Struct("!BBHBBHIIQ")
OPS = {"get": 0, "set": 1, "delete": 4, "incr": 5, "noop": 10, "append": 14}
OK, MISSING, NOT_STORED = 0, 1, 5


class Text:
    """The protocol of lines: requests are bytes, and so are answers."""

    def __init__(self, sock):
        self.file = sock.makefile("rb")

    def request(self, op, key, value):
        if op in ("set", "append"):
            return b"%s %s 7 0 %d\r\n%s\r\n" % (op.encode(), key, len(value), value)
        if op == "incr":
            return b"incr %s 3\r\n" % key
        if op == "noop":
            return b"mn\r\n"
        return b"%s %s\r\n" % (op.encode(), key)

    def reply(self, op):
        line = self.file.readline()
        if op == "get" and line.startswith(b"VALUE "):
            size = int(line.split()[3])
            data = self.file.read(size + 2)
            end = self.file.readline()
            return (OK, data[:-2]) if data[-2:] + end == b"\r\nEND\r\n" else (None, data + end)
        if op == "incr" and line[:-2].isdigit():
            return OK, int(line)
        return {
            b"STORED\r\n": (OK, b""),
            b"NOT_STORED\r\n": (NOT_STORED, b""),
            b"DELETED\r\n": (OK, b""),
            b"NOT_FOUND\r\n": (MISSING, b""),
            b"END\r\n": (MISSING, b""),
            b"MN\r\n": (OK, b""),
        }.get(line, (None, line))


class Binary:
    def __init__(self, sock):
        self.file = sock.makefile("rb")
        self.opaque = 0
        self.seen = 0

    def request(self, op, key, value):
        extra = b""
        if op == "set":
            extra = struct.pack("!II", 7, 0)
        elif op == "incr":
            # Not created if it is not there.
            extra, value = struct.pack("!QQI", 3, 0, 0xFFFFFFFF), b""
        elif op == "noop":
            key = b""
        if op not in ("set", "append"):
            value = b""
        self.opaque += 1
        body = extra + key + value
        return HEAD.pack(0x80, OPS[op], len(key), len(extra), 0, 0, len(body),
                         self.opaque, 0) + body

    def reply(self, op):
        head = self.file.read(HEAD.size)
        if len(head) != HEAD.size:
            return None, head
        magic, code, key, extra, _, status, size, opaque, _ = HEAD.unpack(head)
        body = self.file.read(size)
        self.seen += 1
        if (magic, code, opaque) != (0x81, OPS[op], self.seen):
            return None, head + body
        if status:
            return status, b""
        body = body[extra + key:]
        return OK, struct.unpack("!Q", body)[0] if op == "incr" else body


class Client:
    def __init__(self, port, number):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.settimeout(120)
        self.proto = Binary(self.sock) if number % 2 else Text(self.sock)
        self.rnd = random.Random(number)
        self.prefix = b"c%d:" % number
        self.there = {}
        self.batch = []

    def command(self):
        """The next request and the answer that it has to have."""
        rnd, there = self.rnd, self.there
        op = rnd.choice(tuple(OPS))
        key = self.prefix + b"%d" % rnd.randrange(6)
        value = b""
        if op == "set":
            value = b"\r\nEND\r\n\0" + rnd.randbytes(rnd.choice((0, 1, 200, 5000, 60000)))
            there[key] = value
            want = OK, b""
        elif op == "append":
            value = rnd.randbytes(rnd.randrange(100)) + b"\0\r\n"
            want = (OK if key in there else NOT_STORED), b""
            if key in there:
                there[key] += value
        elif op == "get":
            want = (OK, there[key]) if key in there else (MISSING, b"")
        elif op == "delete":
            want = (OK if there.pop(key, None) is not None else MISSING), b""
        elif op == "incr":
            key = self.prefix + b"n"
            if key not in there:
                op, value = "set", b"0"
                there[key] = value
                want = OK, b""
            else:
                there[key] = b"%d" % (int(there[key]) + 3)
                want = OK, int(there[key])
        else:
            want = OK, b""
        return op, key, value, want

    def send(self):
        self.batch = [self.command() for _ in range(COMMANDS)]
        data = b"".join(self.proto.request(*command[:3]) for command in self.batch)
        # In two pieces, the first of which ends anywhere.
        cut = self.rnd.randrange(len(data))
        self.sock.sendall(data[:cut])
        self.sock.sendall(data[cut:])

    def receive(self, checker):
        for op, key, _, want in self.batch:
            checker.check(self.proto.reply(op), want, (type(self.proto).__name__, op, key))


def main():
    port, rounds = int(sys.argv[1]), int(sys.argv[2])
    checker = Checker()
    clients = [Client(port, i) for i in range(CONNECTIONS)]
    for turn in range(rounds):
        for client in clients:
            client.send()
        for client in clients:
            client.receive(checker)
        # Some go, and others come in their place.
        old = clients[turn % CONNECTIONS]
        old.sock.close()
        clients[turn % CONNECTIONS] = Client(port, CONNECTIONS + turn)
    print("requests", checker.requests)
    print("mismatches", checker.mismatches)
    return 1 if checker.mismatches else 0


sys.exit(main())
