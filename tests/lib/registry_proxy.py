#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands before a registry: asks for tokens, and does what registries on bad days do.

usage: registry_proxy.py LISTEN UPSTREAM RULES LOG [--tls CERT KEY --ca FILE] [--token USER:PASSWORD]

Each line of the file RULES is "NUMBER METHOD PATH COUNT ACTION [WORD...]": NUMBER is no other line's,
METHOD and PATH are regular expressions, COUNT says how often (0: always). The first that matches a request is carried out:

  status CODE [HEADER=VALUE...]   answers that, without asking the registry
  cut BYTES                       closes the connection after so many bytes of the body
  greedy                          takes some of what is sent, then answers at length and closes
  endless                         the body goes on for ever
  file TYPE FILE [HEADER=VALUE...]  answers with the file, without asking the registry
  type TYPE                       another Content-Type
  body FILE                       another body
  nomount                         a mount is not heard of
  whole                           ranges are not heard of
  header NAME VALUE               one more of them
  flip                            one byte of the body is another
  redirect ADDRESS                307 to ADDRESS and the path
  stall SECONDS                   says nothing for so long
  slow BYTES                      so many bytes of the body in a second

With --token, every request needs a token of /token; anonymous ones may pull from public/. Each
request is a line of LOG: METHOD PATH STATUS AUTHORIZATION RANGE, and who its certificate says it is.
"""
import base64
import http.client
import http.server
import json
import re
import socketserver
import ssl
import sys
import threading
import time
import urllib.parse

OPTIONS = {}
COUNTS = {}
TOKENS = {}
LOCK = threading.Lock()
CHUNK = 65536


def rule_for(method, path):
    with open(OPTIONS["rules"], encoding="utf-8") as rules:
        lines = [line.split() for line in rules if line.strip()]
    with LOCK:
        for words in lines:
            key = words.pop(0)
            if not (re.fullmatch(words[0], method) and re.search(words[1], path)):
                continue
            used = COUNTS.get(key, 0)
            if int(words[2]) and used >= int(words[2]):
                continue
            COUNTS[key] = used + 1
            return words[3], words[4:]
    return None, []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def note(self, status):
        kind = self.headers.get("Authorization", "-").split()[0]
        with LOCK, open(OPTIONS["log"], "a", encoding="utf-8") as log:
            log.write(f"{self.command} {self.path} {status} {kind} {self.headers.get('Range', '-')} {self.who()}\n")

    def who(self):
        """By its certificate."""
        certificate = self.connection.getpeercert() if OPTIONS.get("tls") else None
        return dict(pair[0] for pair in certificate["subject"])["commonName"] if certificate else "-"

    def answer(self, status, headers=(), body=b""):
        self.note(status)
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    # --- what is sent ---

    def sent(self):
        """The pieces of the request's body."""
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                data = self.rfile.read(size)
                self.rfile.readline()
                if size == 0:
                    return
                yield data
        left = int(self.headers.get("Content-Length", 0) or 0)
        while left > 0:
            data = self.rfile.read(min(left, CHUNK))
            if not data:
                return
            left -= len(data)
            yield data

    # --- tokens ---

    def give_token(self):
        form = {}
        if self.command == "POST":
            form = urllib.parse.parse_qs(b"".join(self.sent()).decode())
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
        scopes = " ".join(form.get("scope", query.get("scope", [])))
        user = None
        words = self.headers.get("Authorization", "").split()
        if words and words[0] == "Basic":
            user = base64.b64decode(words[1]).decode()
            if user != OPTIONS["token"]:
                return self.answer(401, body=b'{"errors":[{"code":"UNAUTHORIZED","message":"no such user"}]}')
        if form.get("refresh_token") == ["identity-" + OPTIONS["token"].split(":")[0]]:
            user = OPTIONS["token"]
        token = f"token{len(TOKENS)}"
        TOKENS[token] = (user, scopes)
        body = json.dumps({"token": token, "expires_in": int(OPTIONS.get("life", 300))}).encode()
        return self.answer(200, [("Content-Type", "application/json")], body)

    def may(self):
        words = self.headers.get("Authorization", "").split()
        match = re.match(r"/v2/(.+?)/(manifests|blobs|tags|referrers)/", self.path)
        repository = match.group(1) if match else ""
        action = "pull" if self.command in ("GET", "HEAD") else "push"
        if len(words) == 2 and words[0] == "Bearer" and words[1] in TOKENS:
            user, scopes = TOKENS[words[1]]
            allowed = {}
            for scope in scopes.split():
                kind, name, actions = scope.split(":", 2)
                allowed.setdefault(f"{kind}:{name}", set()).update(actions.split(","))
            if user and not repository:
                return True
            if (user or (repository.startswith("public/") and action == "pull")) and \
                    action in allowed.get(f"repository:{repository}", ()):
                return True
        host = self.headers.get("Host")
        scheme = "https" if OPTIONS.get("tls") else "http"
        challenge = f'Bearer realm="{scheme}://{host}/token",service="the registry"'
        if repository:
            challenge += f',scope="repository:{repository}:{"pull" if action == "pull" else "pull,push"}"'
        for _ in self.sent():
            pass
        self.answer(401, [("WWW-Authenticate", challenge)],
                    b'{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}')
        return False

    # --- passing on ---

    def pass_on(self, action, words):
        upstream = http.client.HTTPConnection(OPTIONS["upstream"], timeout=60)
        headers = {name: value for name, value in self.headers.items()
                   if name.lower() not in ("host", "authorization", "transfer-encoding", "content-length",
                                           "connection")}
        for name in ("Accept",):
            if self.headers.get_all(name):
                headers[name] = ", ".join(self.headers.get_all(name))
        if action == "whole":
            headers.pop("Range", None)
        headers["Host"] = self.headers.get("Host", "")
        if OPTIONS.get("tls"):
            headers["X-Forwarded-Proto"] = "https"
        body = b"".join(self.sent())
        path = self.path.split("?")[0] if action == "nomount" else self.path
        upstream.request(self.command, path, body, headers)
        reply = upstream.getresponse()
        self.note(reply.status)
        self.send_response(reply.status)
        length = int(reply.headers.get("Content-Length") or 0)
        other = open(words[0], "rb").read() if action == "body" else None
        for name, value in reply.headers.items():
            if name.lower() in ("content-length", "transfer-encoding", "connection"):
                continue
            if action == "type" and name.lower() == "content-type":
                value = words[0]
            if action == "body" and name.lower() == "docker-content-digest":
                continue
            self.send_header(name, value)
        if action == "header":
            self.send_header(*words)
        if action == "endless":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Content-Length", str(len(other) if other is not None else length))
        self.end_headers()
        if self.command == "HEAD":
            return
        if other is not None:
            self.wfile.write(other)
        elif action == "endless":
            while True:
                self.wfile.write(b"10000\r\n" + bytes(CHUNK) + b"\r\n")
        else:
            self.copy(reply, action, words)
        upstream.close()

    def copy(self, reply, action, words):
        left = int(words[0]) if action == "cut" else -1
        first = True
        while True:
            data = reply.read(int(words[0]) // 10 if action == "slow" else CHUNK)
            if not data:
                return
            if action == "flip" and first:
                data = bytes([data[0] ^ 1]) + data[1:]
            first = False
            if left >= 0:
                data = data[:left]
                left -= len(data)
            self.wfile.write(data)
            if action == "slow":
                self.wfile.flush()
                time.sleep(0.1)
            if left == 0:
                self.wfile.flush()
                self.close_connection = True
                self.connection.shutdown(2)
                return

    def handle_any(self):
        action, words = rule_for(self.command, self.path)
        if action == "status":
            for _ in self.sent():
                pass
            return self.answer(int(words[0]), [w.replace("_", " ").split("=", 1) for w in words[1:]])
        if action == "greedy":
            self.rfile.read(2 << 20)
            time.sleep(1)
            self.send_response(202)
            self.send_header("Content-Length", str(1 << 20))
            self.send_header("Location", self.path)
            self.end_headers()
            self.wfile.write(bytes(1 << 20))
            self.close_connection = True
            return self.note(202)
        if action == "file":
            with open(words[1], "rb") as file:
                return self.answer(200, [("Content-Type", words[0])] + [w.split("=", 1) for w in words[2:]], file.read())
        if action == "redirect":
            return self.answer(307, [("Location", words[0] + self.path)])
        if action == "stall":
            time.sleep(float(words[0]))
        if OPTIONS.get("token"):
            if self.path.startswith("/token"):
                return self.give_token()
            if not self.may():
                return None
        return self.pass_on(action, words)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        pass


def main():
    listen, OPTIONS["upstream"], OPTIONS["rules"], OPTIONS["log"], *more = sys.argv[1:]
    while more:
        if more[0] == "--tls":
            OPTIONS["tls"] = more[1:3]
            more = more[3:]
        else:
            OPTIONS[more[0].lstrip("-")] = more[1]
            more = more[2:]
    host, port = listen.rsplit(":", 1)
    server = Server((host, int(port)), Handler)
    if OPTIONS.get("tls"):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*OPTIONS["tls"])
        context.verify_mode = ssl.CERT_OPTIONAL
        context.load_verify_locations(OPTIONS["ca"])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


main()
