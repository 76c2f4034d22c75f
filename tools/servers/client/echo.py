#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drives an echo server that delays its answers, and checks them.

A request is a size and a delay in ms, 32 bits each, and so many bytes, which come
back, with this head, no earlier than that; without a delay in the order of the
requests.
"""

import random
import socket
import struct
import sys
import time

CONNECTIONS = 48
REQUESTS = 12
HEAD = struct.Struct("!II")


def main():
    port, rounds = int(sys.argv[1]), int(sys.argv[2])
    rnd = random.Random(1)
    conns = []
    for _ in range(CONNECTIONS):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.settimeout(120)
        conns.append((sock, sock.makefile("rb")))
    requests = mismatches = 0
    for turn in range(rounds):
        sent = []
        for i, (sock, _) in enumerate(conns):
            wanted = []
            for n in range(REQUESTS):
                size = rnd.choice((4, 10, 1000, 20000, 65000))
                delay = rnd.choice((0, 0, 0, 1, 20, 150))
                data = struct.pack("!I", n) + rnd.randbytes(size - 4)
                wanted.append([delay, data, time.monotonic()])
                sock.sendall(HEAD.pack(size, delay) + data)
            sent.append(wanted)
        # A client that goes before its answers come.
        gone = socket.create_connection(("127.0.0.1", port))
        gone.sendall(HEAD.pack(10, 100) + b"x" * 10 + HEAD.pack(1 << 15, 0) + b"y")
        gone.close()
        for i, (_, file) in enumerate(conns):
            seen = -1
            left = {n: want for n, want in enumerate(sent[i])}
            while left:
                head = file.read(HEAD.size)
                if len(head) != HEAD.size:
                    mismatches += len(left)
                    print("connection %d ends with %d answers to come" % (i, len(left)))
                    break
                size, delay = HEAD.unpack(head)
                data = file.read(size)
                n = struct.unpack("!I", data[:4])[0]
                requests += 1
                want = left.pop(n, None)
                good = want is not None and want[:2] == [delay, data]
                if good and delay == 0:
                    good, seen = n > seen, n
                elif good:
                    # A clock that counts in ms may be one behind.
                    good = time.monotonic() - want[2] >= (delay - 1) / 1000
                if not good:
                    mismatches += 1
                    print("connection %d, round %d, answer %d is wrong" % (i, turn, n))
        if turn % 3 == 2:
            conns[turn][0].shutdown(socket.SHUT_WR)
            if conns[turn][1].read() != b"":
                mismatches += 1
                print("something comes after the last answer")
            sock = socket.create_connection(("127.0.0.1", port))
            sock.settimeout(120)
            conns[turn] = (sock, sock.makefile("rb"))
    print("requests", requests)
    print("mismatches", mismatches)
    return 1 if mismatches else 0


sys.exit(main())
