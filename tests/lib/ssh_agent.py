#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ssh_agent.py SOCKET LOG: answers every message of an ssh agent's clients with "success", and one
that asks for keys with an empty list; the type of each message is a line of LOG."""
import socket
import sys
import threading

SUCCESS, LIST, LISTED = 6, 11, 12


def serve(client, log):
    with client:
        while True:
            head = client.recv(4, socket.MSG_WAITALL)
            if len(head) < 4:
                return
            body = client.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
            log.write(f"{body[0]}\n")
            log.flush()
            answer = bytes([LISTED, 0, 0, 0, 0]) if body[0] == LIST else bytes([SUCCESS])
            client.sendall(len(answer).to_bytes(4, "big") + answer)


def main():
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(sys.argv[1])
    listener.listen(8)
    with open(sys.argv[2], "w", encoding="utf-8") as log:
        while True:
            client = listener.accept()[0]
            threading.Thread(target=serve, args=(client, log), daemon=True).start()


main()
