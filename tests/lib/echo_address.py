#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Tells every client its own address: `echo_address.py PORT READY`, over TCP and UDP."""
import pathlib
import selectors
import socket
import sys


def main():
    port, ready = int(sys.argv[1]), sys.argv[2]
    chooser = selectors.DefaultSelector()
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        server = socket.socket(socket.AF_INET6, kind)
        server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("::", port))
        if kind == socket.SOCK_STREAM:
            server.listen(64)
        chooser.register(server, selectors.EVENT_READ, kind)
    pathlib.Path(ready).touch()
    while True:
        for key, _ in chooser.select():
            if key.data == socket.SOCK_STREAM:
                client, peer = key.fileobj.accept()
                try:
                    client.sendall((peer[0].removeprefix("::ffff:") + "\n").encode())
                except OSError:
                    pass
                client.close()
            else:
                _, peer = key.fileobj.recvfrom(2048)
                key.fileobj.sendto((peer[0].removeprefix("::ffff:") + "\n").encode(), peer)


main()
