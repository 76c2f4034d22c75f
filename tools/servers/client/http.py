#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Asks a web server for files by many connections, and compares what it gets.

usage: http.py PORT DIRECTORY ROUNDS [PREFIX...]
"""

import os
import random
import socket
import struct
import sys

CONNECTIONS = 48


class Connection:
    def __init__(self, port):
        self.sock = socket.create_connection(("127.0.0.1", port))
        self.sock.settimeout(120)
        self.file = self.sock.makefile("rb")
        self.wanted = []

    def send(self, targets, close):
        self.wanted = targets
        requests = [b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % t.encode() for t in targets]
        if close:
            requests[-1] = requests[-1][:-2] + b"Connection: close\r\n\r\n"
        data = b"".join(requests)
        # In two pieces: the server has to wait for the rest of a head.
        self.sock.sendall(data[:-10])
        self.sock.sendall(data[-10:])

    def reply(self):
        """Status and body of a response."""
        line = self.file.readline()
        size = None
        while True:
            field = self.file.readline()
            if field in (b"\r\n", b""):
                break
            name, _, value = field.partition(b":")
            if name.lower() == b"content-length":
                size = int(value)
        if size is None:
            return line, None
        return line.split()[1], self.file.read(size)


def main():
    port, directory, rounds = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    prefixes = sys.argv[4:] or ["/"]
    files = {}
    for name in sorted(os.listdir(directory)):
        with open(os.path.join(directory, name), "rb") as file:
            files[name] = file.read()
    small = [name for name in files if len(files[name]) <= 1 << 16]
    large = [name for name in files if len(files[name]) > 1 << 16]
    rnd = random.Random(1)
    requests = mismatches = 0
    conns = [Connection(port) for _ in range(CONNECTIONS)]
    for turn in range(rounds):
        for i, conn in enumerate(conns):
            names = [rnd.choice(small) for _ in range(6)]
            # Some read nothing for a while: the server has to wait for them.
            if i % 8 == turn % 8:
                names.append(rnd.choice(large))
            if i % 5 == turn % 5:
                names.append("none")
            targets = [rnd.choice(prefixes) + name for name in names]
            conn.send(targets, i % 3 == 0)
        # One that goes without a word, with a response on its way; and with a reset.
        for reset in (0, 1):
            gone = Connection(port)
            if reset:
                gone.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                     struct.pack("ii", 1, 0))
            gone.send([prefixes[0] + large[0]], False)
            gone.sock.recv(1000)
            gone.sock.close()
        for i, conn in enumerate(conns):
            for target in conn.wanted:
                status, body = conn.reply()
                name = target.rpartition("/")[2]
                requests += 1
                if name in files:
                    good = status == b"200" and body == files[name]
                else:
                    good = status == b"404"
                if not good:
                    mismatches += 1
                    size = None if body is None else len(body)
                    print("%s: status %r, %s bytes" % (target, status, size))
            if i % 3 == 0:
                if conn.file.read() != b"":
                    mismatches += 1
                    print("more than there should be after the last response")
                conns[i] = Connection(port)
    print("requests", requests)
    print("mismatches", mismatches)
    return 1 if mismatches else 0


sys.exit(main())
