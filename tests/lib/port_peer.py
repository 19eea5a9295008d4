#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Both ends of a published port.

`port_peer.py serve PORT READY [ADDRESS]` is what listens in the container, over TCP and UDP; it
does what the first line says: who, sum, send N, hold, end, reset. All else is a client:
`port_peer.py VERB HOST PORT [N]`.
"""
import hashlib
import pathlib
import resource
import select
import socket
import socketserver
import struct
import sys
import threading
import time

BLOCK = bytes(range(256)) * 256
AT_ONCE = struct.pack("ii", 1, 0)


def plain(address):
    return address.removeprefix("::ffff:")


def blocks(count):
    """`count` bytes, and what they add up to."""
    digest = hashlib.sha256()
    while count > 0:
        part = BLOCK[:count]
        digest.update(part)
        count -= len(part)
        yield part
    yield digest.hexdigest()


# --- the server ---

class Connection(socketserver.StreamRequestHandler):
    def handle(self):
        words = self.rfile.readline().decode().split()
        verb = words[0] if words else "hold"
        if verb == "who":
            self.wfile.write((plain(self.client_address[0]) + "\n").encode())
        elif verb == "sum":
            digest = hashlib.sha256()
            while part := self.rfile.read1(1 << 20):
                digest.update(part)
            self.wfile.write((digest.hexdigest() + "\n").encode())
        elif verb == "send":
            for part in blocks(int(words[1])):
                self.wfile.write(part if isinstance(part, bytes) else part.encode())
        elif verb == "hold":
            self.rfile.read()
        elif verb == "reset":
            self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            self.request.close()


class Server(socketserver.ThreadingTCPServer):
    address_family = socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 4096

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def handle_error(self, request, client_address):
        pass


def answer_datagrams(sock):
    while True:
        data, peer = sock.recvfrom(65536)
        sock.sendto(plain(peer[0]).encode() + b" " + data, peer)


def serve(port, ready, address="::"):
    threading.stack_size(64 << 10)
    server = Server((address, port), Connection)
    datagrams = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    datagrams.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    datagrams.bind((address, port))
    threading.Thread(target=answer_datagrams, args=(datagrams,), daemon=True).start()
    pathlib.Path(ready).touch()
    server.serve_forever()


# --- clients ---

def connect(host, port, line=None):
    sock = socket.create_connection((host, port), timeout=20)
    if line:
        sock.sendall(line.encode() + b"\n")
    return sock


def read_all(sock):
    parts = []
    while part := sock.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


def who(host, port):
    text = read_all(connect(host, port, "who"))
    if not text:
        raise ConnectionResetError
    print(text.decode().strip())


def datagram(host, port, text="hello"):
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
    sock.settimeout(2)
    sock.connect((host, port))
    sock.send(text.encode())
    print(sock.recv(65536).decode())


def datagrams(host, port, count):
    """From `count` clients at once, each of which gets its own answer."""
    socks = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(int(count))]
    good = 0
    for number, sock in enumerate(socks):
        sock.settimeout(2)
        sock.sendto(str(number).encode(), (host, port))
        good += sock.recv(100).split()[1] == str(number).encode()
    print(good)


def upload(host, port, count):
    sock = connect(host, port, "sum")
    for part in blocks(int(count)):
        if isinstance(part, bytes):
            sock.sendall(part)
    sock.shutdown(socket.SHUT_WR)
    print("same" if read_all(sock).decode().strip() == part else "different")


def download(host, port, count, pause=0.0):
    sock = connect(host, port, f"send {count}")
    time.sleep(pause)
    data = read_all(sock)
    digest = hashlib.sha256(data[:-64]).hexdigest()
    print("same" if len(data) == int(count) + 64 and digest.encode() == data[-64:] else "different")


def slow(host, port, count):
    """Reads nothing for a while, as others are served, then everything."""
    download(host, port, count, 2.0)


def many(host, port, count):
    """`count` connections that are all there before the first is used."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    socks = [connect(host, port) for _ in range(int(count))]
    for sock in socks:
        sock.sendall(b"who\n")
    print(sum(1 for sock in socks if read_all(sock)))


def hold(host, port, count):
    """Says how many connections it holds, then holds them until its input ends."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    socks = [connect(host, port, "hold") for _ in range(int(count))]
    print(len(socks), flush=True)
    sys.stdin.read()


def reset(host, port):
    """The server's reset arrives as one."""
    try:
        print("end" if not read_all(connect(host, port, "reset")) else "data")
    except ConnectionResetError:
        print("reset")


def closed(host, port):
    """How the server learns that a client which asked for nothing has gone: half a second later."""
    sock = connect(host, port, "hold")
    sock.shutdown(socket.SHUT_WR)
    ready, _, _ = select.select([sock], [], [], 5)
    print("end" if ready and not sock.recv(1) else "open")


def main():
    verb, host, port, rest = sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]
    if verb == "serve":
        serve(int(host), port, *rest)
    verbs = {f.__name__: f for f in (who, datagram, datagrams, upload, download, slow, many, hold,
                                     reset, closed)}
    try:
        verbs[verb](host, int(port), *rest)
    except OSError as error:
        print(type(error).__name__)
        sys.exit(1)


main()
