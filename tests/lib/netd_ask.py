#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Asks a DNS server and prints what it says, for tests/cli/netd.bats.

usage: netd_ask.py [--server ADDRESS] [--tcp] [--edns] [--raw HEX] NAME [TYPE]
    One line: the response code, flags that are set (aa, tc), and "TYPE DATA" of each record of the
    answer, sorted. "nothing" when there is no answer within three seconds.
usage: netd_ask.py --flood FILE [--server ADDRESS] NAME
    As many questions as it can, with a number that counts in the place of COUNT, reading no answer, while FILE is there.
"""
import argparse
import os
import socket
import struct

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "HINFO": 13, "MX": 15, "TXT": 16, "AAAA": 28,
         "HTTPS": 65, "AXFR": 252, "ANY": 255}
NAMES = {number: name for name, number in TYPES.items()}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED"}


def wire(name):
    return b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part) + b"\0"


def question(name, kind, edns):
    packet = os.urandom(2) + struct.pack("!HHHHH", 0x0100, 1, 0, 0, int(edns))
    packet += wire(name) + struct.pack("!HH", TYPES.get(kind) or int(kind), 1)
    return packet + (b"\0" + struct.pack("!HHIH", 41, 1232, 0, 0) if edns else b"")


def read_name(packet, at):
    parts, behind = [], None
    while packet[at]:
        if packet[at] >= 0xc0:
            behind = behind or at + 2
            at = struct.unpack_from("!H", packet, at)[0] & 0x3fff
            continue
        parts.append(packet[at + 1:at + 1 + packet[at]].decode("latin-1"))
        at += packet[at] + 1
    return ".".join(parts), behind or at + 1


def data_of(packet, kind, at, size):
    if kind in (1, 28):
        return socket.inet_ntop(socket.AF_INET if kind == 1 else socket.AF_INET6, packet[at:at + size])
    if kind in (2, 5, 12):
        return read_name(packet, at)[0]
    return str(size)


def show(asked, packet):
    if packet[:2] != asked[:2]:
        return "another id"
    flags, _, answers, authority, additional = struct.unpack_from("!HHHHH", packet, 2)
    name, at = read_name(packet, 12) if len(packet) > 12 else ("", 12)
    if len(packet) > 12 and name != read_name(asked, 12)[0]:
        return f"another spelling: {name}"
    at += 4
    rows, reason = [], ""
    for number in range(answers + authority + additional):
        _, at = read_name(packet, at)
        kind, _, ttl, size = struct.unpack_from("!HHIH", packet, at)
        at += 10
        if number < answers:
            rows.append(f"{NAMES.get(kind, kind)} {data_of(packet, kind, at, size)}")
        if kind == 41 and size >= 6:
            reason = f" reason={struct.unpack_from('!H', packet, at + 4)[0]}"
        if os.environ.get("TTLS") and number < answers:
            rows[-1] += f" ttl={ttl}"
        at += size
    if at != len(packet) and len(packet) > 12:
        return "bytes behind its end"
    words = [RCODES.get(flags & 15, str(flags & 15))] + [word for bit, word in ((0x400, "aa"), (0x200, "tc")) if flags & bit]
    return " ".join(words) + reason + "".join(f", {row}" for row in sorted(rows))


def ask(words, packet):
    family = socket.AF_INET6 if ":" in words.server else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM if words.tcp else socket.SOCK_DGRAM) as client:
        client.settimeout(words.wait)
        try:
            client.connect((words.server, 53))
            if not words.tcp:
                client.send(packet)
                return show(packet, client.recv(65535))
            client.sendall(struct.pack("!H", len(packet)) + packet)
            size = client.recv(2, socket.MSG_WAITALL)
            return show(packet, client.recv(struct.unpack("!H", size)[0], socket.MSG_WAITALL)) if size else "closed"
        except TimeoutError:
            return "nothing"
        except OSError as error:
            return error.strerror


def flood(words):
    count = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((words.server, 53))
        while os.path.exists(words.flood):
            for _ in range(100):
                try:
                    client.send(question(words.name.replace("COUNT", str(count)), "A", False))
                except OSError:
                    pass
                count += 1
    return f"{count} questions"


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--server", default="10.77.0.1")
    parser.add_argument("--tcp", action="store_true")
    parser.add_argument("--edns", action="store_true")
    parser.add_argument("--raw")
    parser.add_argument("--wait", type=float, default=3)
    parser.add_argument("--flood")
    parser.add_argument("name")
    parser.add_argument("type", nargs="?", default="A")
    words = parser.parse_args()
    if words.flood:
        print(flood(words))
        return
    print(ask(words, bytes.fromhex(words.raw) if words.raw else question(words.name, words.type, words.edns)))


if __name__ == "__main__":
    main()
