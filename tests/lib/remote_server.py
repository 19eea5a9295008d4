#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Servers for tests of downloads, on loopback: http on 8080, https on 8443.

usage: remote_server.py DIRECTORY [CERTIFICATE KEY]

Files are those of DIRECTORY, with ETag and Last-Modified. What begins with /= misbehaves:
  /=loop   redirects without end          /=down   to http, from https
  /=file   to file:///etc/passwd          /=to/X   to http://X
  /=short  says more than it sends        /=slow   stops in the middle
  /=name   proposes a name for the file   /=plain  has neither ETag nor Last-Modified
  /=auth   wants alice and wonder         /=gz     says that it is gzip, and is not
Requests are written to DIRECTORY/../requests, one a line: method, path, status, and whether there
was a password.
"""
import base64
import hashlib
import http.server
import os
import ssl
import sys
import threading
import time
from email.utils import formatdate
from urllib.parse import unquote

ROOT = sys.argv[1]
LOG = os.path.join(ROOT, "..", "requests")


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def answer(self, status, body=b"", **headers):
        with open(LOG, "a", encoding="utf-8") as log:
            secret = "password" if self.headers.get("Authorization") else "-"
            log.write(f"GET {self.path} {status} {secret}\n")
        self.send_response(status)
        headers.setdefault("Content_Length", len(body))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if status != 304:
            self.wfile.write(body)
            self.wfile.flush()

    def misbehave(self, what):
        if what.startswith("loop"):
            self.answer(302, Location=self.path + "x")
        elif what == "down":
            self.answer(302, Location="http://127.0.0.1:8080/a.txt")
        elif what == "file":
            self.answer(302, Location="file:///etc/passwd")
        elif what.startswith("to/"):
            self.answer(302, Location="http://" + what[3:])
        elif what == "short":
            self.answer(200, b"abc", Content_Length=100)
        elif what == "slow":
            self.answer(200, b"abc", Content_Length=100)
            time.sleep(30)
        elif what == "name":
            self.answer(200, b"named\n", Content_Disposition='attachment; filename="../../evil"')
        elif what == "plain":
            self.answer(200, b"plain\n")
        elif what == "gz":
            self.answer(200, b"plain\n", Content_Encoding="gzip")
        elif what == "auth":
            wanted = "Basic " + base64.b64encode(b"alice:wonder").decode()
            good = self.headers.get("Authorization") == wanted
            self.answer(200 if good else 401, b"let in\n" if good else b"")
        else:
            self.answer(404)

    def do_GET(self):
        if self.path.startswith("/="):
            return self.misbehave(self.path[2:])
        path = os.path.join(ROOT, unquote(self.path.lstrip("/").split("?")[0]))
        if not os.path.isfile(path):
            return self.answer(404)
        with open(path, "rb") as file:
            body = file.read()
        tag = '"' + hashlib.sha256(body).hexdigest()[:16] + '"'
        if self.headers.get("If-None-Match") == tag:
            return self.answer(304, ETag=tag)
        self.answer(200, body, ETag=tag, Last_Modified=formatdate(os.stat(path).st_mtime, usegmt=True))


def serve(port, context=None):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    if context:
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever).start()


serve(8080)
if len(sys.argv) > 2:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(sys.argv[2], sys.argv[3])
    serve(8443, tls)
with open(os.path.join(ROOT, "..", "ready"), "w", encoding="utf-8"):
    pass
