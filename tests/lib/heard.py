#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What is heard and what is said, also in the name of others.

heard.py PORT FILE              adds a line "ADDRESS WORDS" for each datagram that comes to PORT
heard.py --frames IF FILE       the same for each frame of type 0x88b5 on an interface
heard.py --say FROM TO PORT WORDS
                                sends a datagram from FROM, whether that is our address or not
heard.py --arp IF MAC IP        tells everybody that IP is at MAC, from there
heard.py --frame IF MAC WORDS   sends a frame of type 0x88b5 to everybody
"""
import socket
import struct
import sys

IP_FREEBIND, IPV6_FREEBIND = 15, 78
EXPERIMENTAL = 0x88B5  # IEEE 802, for local experiments
EVERYBODY = b"\xff" * 6


def write_down(sock, path, line):
    with open(path, "w", encoding="utf-8") as out:
        while True:
            print(line(*sock.recvfrom(2048)), file=out, flush=True)


def hear(port, path):
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    s.bind(("::", int(port)))
    write_down(s, path, lambda words, peer: f"{peer[0].removeprefix('::ffff:')} {words.decode()}")


def hear_frames(interface, path):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(EXPERIMENTAL))
    s.bind((interface, EXPERIMENTAL))
    write_down(s, path, lambda frame, _: f"{frame[6:12].hex(':')} {frame[14:].decode()}")


def say(sender, to, port, words):
    six = ":" in to
    s = socket.socket(socket.AF_INET6 if six else socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IPV6 if six else socket.IPPROTO_IP,
                 IPV6_FREEBIND if six else IP_FREEBIND, 1)
    s.bind((sender, 0))
    s.sendto(words.encode(), (to, int(port)))


def send_frame(interface, mac, kind, content):
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((interface, 0))
    s.send(EVERYBODY + bytes.fromhex(mac.replace(":", "")) + struct.pack("!H", kind) + content)


def announce(interface, mac, address):
    hardware, ip = bytes.fromhex(mac.replace(":", "")), socket.inet_aton(address)
    arp = struct.pack("!HHBBH", 1, 0x0800, 6, 4, 2) + hardware + ip + EVERYBODY + ip
    send_frame(interface, mac, 0x0806, arp)


DOES = {"--frames": hear_frames, "--say": say, "--arp": announce,
        "--frame": lambda interface, mac, words: send_frame(interface, mac, EXPERIMENTAL, words.encode())}

if sys.argv[1] in DOES:
    DOES[sys.argv[1]](*sys.argv[2:])
else:
    hear(*sys.argv[1:3])
