#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A DNS server that lies where its names say so, for tests/cli/netd.bats.

usage: netd_upstream.py LOG ADDRESS...     serves port 53 of each address; every question is a line of LOG

The first label of a name says what is answered: see answer(). It speaks the wire format by hand, since
what has to be sent is mostly what no library would.
"""
import socket
import socketserver
import struct
import sys
import threading
import time

A, CNAME, SOA, TXT, AAAA = 1, 5, 6, 16, 28
QR, TC, RA = 0x8000, 0x0200, 0x0080
turn = {}
lock = threading.Lock()


def wire(name):
    parts = [part for part in name.split(".") if part]
    return b"".join(bytes([len(part)]) + part.encode() for part in parts) + b"\0"


def record(owner, kind, data, ttl=300):
    return wire(owner) + struct.pack("!HHIH", kind, 1, ttl, len(data)) + data


def address(owner, text, ttl=300):
    if ":" in text:
        return record(owner, AAAA, socket.inet_pton(socket.AF_INET6, text), ttl)
    return record(owner, A, socket.inet_aton(text), ttl)


def soa(zone="example.com", minimum=30):
    return record(zone, SOA, wire("ns." + zone) + wire("root." + zone) + struct.pack("!IIIII", 1, 2, 3, 4, minimum))


def read_question(packet):
    labels, at = [], 12
    while packet[at]:
        labels.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
        at += packet[at] + 1
    kind = struct.unpack_from("!H", packet, at + 1)[0]
    return ".".join(labels), kind, packet[12:at + 5]


def message(packet, answers=(), authority=(), rcode=0, flags=0, ident=None, question=None):
    ident = ident if ident is not None else struct.unpack_from("!H", packet)[0]
    question = question or read_question(packet)[2]
    return struct.pack("!HHHHHH", ident, QR | RA | flags | rcode, 1, len(answers), len(authority), 0) \
        + question + b"".join(answers) + b"".join(authority)


def step(name):
    with lock:
        turn[name] = turn.get(name, 0) + 1
        return turn[name]


def answer(packet, tcp):
    """What is sent for one packet, in this order."""
    name, kind, _ = read_question(packet)
    what = name.split(".")[0].lower()
    six, four = kind == AAAA, kind == A
    plain = message(packet, [address(name, "203.0.113.10")] if four else [], [] if four else [soa()])
    if what == "dual":
        return [message(packet, [address(name, "2001:db8::10" if six else "203.0.113.10")])]
    if what == "changing":
        return [message(packet, [address(name, f"203.0.113.{19 + step(name)}", 1)] if four else [])]
    if what == "chain":
        rows = [address("two.other.net", "203.0.113.11"), record("one.other.net", CNAME, wire("two.other.net")),
                record(name, CNAME, wire("one.other.net"))]
        return [message(packet, rows if four else rows[1:])]
    if what == "stuffed":
        return [message(packet, [address(name, "203.0.113.10"), address("bank.example.com", "203.0.113.66")])]
    if what == "private":
        return [message(packet, [address(name, text) for text in
                                 ("10.0.0.5", "169.254.169.254", "127.0.0.1", "203.0.113.12")])]
    if what == "inside":
        return [message(packet, [address(name, "fd00::5" if six else "10.0.0.5")])]
    if what == "nx":
        return [message(packet, [], [soa()], rcode=3)]
    if what == "empty":
        return [message(packet, [], [soa()])]
    if what == "big":
        rows = [address(name, f"203.0.113.{i}") for i in range(1, 31)] if four else \
            [record(name, TXT, b"\xc8" + b"x" * 200)] * 20
        return [message(packet, rows)] if tcp else [message(packet, [], flags=TC)]
    if what == "wrongid":
        ident = struct.unpack_from("!H", packet)[0] ^ 0x5555
        return [message(packet, [address(name, "203.0.113.66")], ident=ident), plain]
    if what == "wrongquestion":
        other = wire("bank.example.com") + struct.pack("!HH", A, 1)
        return [message(packet, [address("bank.example.com", "203.0.113.66")], question=other), plain]
    if what == "loop":
        bad = b"\xc0" + bytes([12 + len(read_question(packet)[2])]) + struct.pack("!HHIH", A, 1, 300, 4) + b"\xcb\0\x71\x42"
        return [message(packet, [bad])]
    if what == "cut":
        return [plain[:-3]]
    if what == "silent":
        return []
    if what == "slow":
        time.sleep(1)
    if what == "servfail":
        return [message(packet, rcode=2)]
    if what == "first" and step(name) == 1:
        return []
    if what in ("short", "long"):
        return [message(packet, [address(name, "203.0.113.13", 2 if what == "short" else 300)] if four else [])]
    return [plain]


class Udp(socketserver.BaseRequestHandler):
    def handle(self):
        packet, server = self.request
        note(packet, "udp")
        if read_question(packet)[0].startswith("spoofed."):
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
                forged = message(packet, [address(read_question(packet)[0], "203.0.113.66")])
                other.sendto(forged, self.client_address)
            time.sleep(0.05)
        for reply in answer(packet, False):
            server.sendto(reply, self.client_address)


class Tcp(socketserver.BaseRequestHandler):
    def handle(self):
        size = struct.unpack("!H", self.request.recv(2, socket.MSG_WAITALL))[0]
        packet = self.request.recv(size, socket.MSG_WAITALL)
        note(packet, "tcp")
        for reply in answer(packet, True):
            self.request.sendall(struct.pack("!H", len(reply)) + reply)


class Log:
    file = None


def note(packet, how):
    with lock:
        Log.file.write(f"{how} {read_question(packet)[0]} {read_question(packet)[1]}\n")
        Log.file.flush()


class UdpServer(socketserver.ThreadingUDPServer):
    daemon_threads = True
    allow_reuse_address = True
    max_packet_size = 4096


class TcpServer(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


def main():
    with open(sys.argv[1], "a", encoding="utf-8") as Log.file:
        for place in sys.argv[2:]:
            for server in (UdpServer((place, 53), Udp), TcpServer((place, 53), Tcp)):
                threading.Thread(target=server.serve_forever, daemon=True).start()
        threading.Event().wait()


if __name__ == "__main__":
    main()
