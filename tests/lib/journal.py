#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands in for the journal: takes its datagrams and writes each as a line of JSON.

usage: journal.py SOCKET OUTPUT

A value that came with its length is told as such ("binary"), a message that came as a file with its
seals. Ends by a signal.
"""
import array
import base64
import fcntl
import json
import os
import socket
import struct
import sys

F_GET_SEALS = 1034


def take_apart(data):
    fields, at = {}, 0
    while at < len(data):
        end = data.index(b"\n", at)
        line = data[at:end]
        at = end + 1
        if b"=" in line:
            name, value = line.split(b"=", 1)
            how = "text"
        else:
            name, how = line, "binary"
            (size,) = struct.unpack_from("<Q", data, at)
            value = data[at + 8:at + 8 + size]
            assert data[at + 8 + size:at + 9 + size] == b"\n", data
            at += 9 + size
        fields.setdefault(name.decode(), []).append(
            {"how": how, "value": value.decode("utf-8", "surrogateescape"),
             "raw": base64.b64encode(value).decode()})
    return fields


def main():
    server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    server.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    server.bind(sys.argv[1])
    with open(sys.argv[2], "a", encoding="utf-8") as out:
        while True:
            data, ancillary, _, _ = server.recvmsg(1 << 20, 4096)
            seals, uid = None, None
            for _, kind, body in ancillary:
                if kind == socket.SCM_RIGHTS:
                    (fd,) = array.array("i", body[:4])
                    seals = fcntl.fcntl(fd, F_GET_SEALS)
                    data = os.pread(fd, 1 << 20, 0)
                    os.close(fd)
                elif kind == socket.SCM_CREDENTIALS:
                    uid = struct.unpack("3i", body)[1]
            print(json.dumps({"fields": take_apart(data), "seals": seals, "uid": uid}), file=out, flush=True)


main()
