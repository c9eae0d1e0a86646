#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# canned.py - serve files: canned.py PORT PATH=FILE...; any other path is 404.  Without HTTP/1.1's keep-alive.
import http.server
import sys

FILES = dict(arg.split("=", 1) for arg in sys.argv[2:])


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = FILES.get(self.path.split("?")[0])
        body = open(name, "rb").read() if name else b"not here\n"
        self.send_response(200 if name else 404)
        self.send_header("Content-Type", "application/json" if name else "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
