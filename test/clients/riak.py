#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""riak - what speaks Riak's HTTP for keys and values, and misbehaves on request: riak.py PORT [USER:PASSWORD]   on loopback.

Keys are as Riak has them: /buckets/B/keys/K and /riak/B/K are the same one; a PUT gives 204, 412 with If-None-Match where there
is a value; a GET gives 200, 404, or 300 and the tags of siblings, each had by ?vtag=, all with the vector clock of the object.
A PUT takes the place of the values that its X-Riak-Vclock has seen; those that it has not seen, all where it brings no clock,
stay beside it as siblings where allow_mult is true, and go where it is false, as it is at first: POST /sim/allow_mult/true.
POST /sim/MODE makes it so: well; STATUS (503, 400, …: its answer to all); hang (no answer); close; half (of a body);
html (200, but no JSON); huge (a body without end).  POST /sim/sibling/K adds the body as one.
GET /sim/keys: {KEY: [values]}; GET /sim/log: each request, a line: METHOD PATH STATUS."""
import base64, http.server, itertools, json, sys, threading, time, urllib.parse

port = int(sys.argv[1])
credentials = "Basic " + base64.b64encode(sys.argv[2].encode()).decode() if len(sys.argv) > 2 else None
store, log, tags, lock = {}, [], itertools.count(1), threading.Lock()
mode = "well"
allow_mult = False


def clock_of(values):
    """Opaque, and with what base64 has: + / =."""
    return base64.b64encode(b"\xfb\xff" + " ".join(values).encode()).decode()


def seen_by(clock):
    return base64.b64decode(clock)[2:].decode().split() if clock else []


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, status, body=b"", kind="text/plain", **headers):
        log.append(f"{self.command} {self.path} {status}")
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if status != 204:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def place(self):
        """The bucket and the key that a path names."""
        parts = urllib.parse.urlsplit(self.path).path.split("/")
        if len(parts) == 5 and parts[1] == "buckets" and parts[3] == "keys":
            return urllib.parse.unquote(parts[2]), urllib.parse.unquote(parts[4])
        if len(parts) == 4 and parts[1] == "riak":
            return urllib.parse.unquote(parts[2]), urllib.parse.unquote(parts[3])
        return None

    def misbehaves(self):
        if mode.isdigit():
            self.answer(int(mode), b"no\n", WWW_Authenticate='Basic realm="riak"')
        elif mode == "hang":
            log.append(f"{self.command} {self.path} -")
            while mode == "hang":
                time.sleep(0.05)
        elif mode == "html":
            self.answer(200, b"<html>hello</html>", "text/html")
        elif mode == "half":
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"id":')
        elif mode == "huge":
            self.send_response(200)
            self.send_header("Content-Length", str(1 << 40))
            self.end_headers()
            while mode == "huge":
                self.wfile.write(b"[" * 65536)
        elif mode != "close":
            return False
        self.close_connection = True
        return True

    def refused(self):
        if credentials and self.headers.get("Authorization") != credentials:
            self.answer(401, b"Unauthorized\n", WWW_Authenticate='Basic realm="Riak"')
            return True
        return False

    def do_GET(self):
        if self.path == "/sim/keys":
            return self.answer(200, json.dumps({k[1]: [v.decode() for v in s.values()] for k, s in store.items()}).encode())
        if self.path == "/sim/log":
            return self.answer(200, ("\n".join(log) + "\n").encode())
        if self.misbehaves() or self.refused():
            return None
        values = store.get(self.place(), {})
        tag = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query).get("vtag", [None])[0]
        if not values or (tag and tag not in values):
            return self.answer(404, b"not found\n")
        if tag or len(values) == 1:
            return self.answer(200, values[tag or next(iter(values))], "application/json", X_Riak_Vclock=clock_of(values))
        return self.answer(300, ("Siblings:\n" + "\n".join(values) + "\n").encode(), X_Riak_Vclock=clock_of(values))

    def do_PUT(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.misbehaves() or self.refused():
            return None
        place = self.place()
        if place is None:
            return self.answer(404, b"not found\n")
        if self.headers.get("Content-Type") != "application/json":
            return self.answer(415, b"what is that?\n")
        with lock:
            there = place in store and self.headers.get("If-None-Match") == "*"
            if not there:
                seen = seen_by(self.headers.get("X-Riak-Vclock"))
                stay = {t: v for t, v in store.get(place, {}).items() if allow_mult and t not in seen}
                store[place] = stay | {f"tag{next(tags)}": body}
        return self.answer(412, b"") if there else self.answer(204)

    def do_POST(self):
        global mode, allow_mult
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        what = self.path.split("/")[2:]
        if what[0] == "sibling":
            key = urllib.parse.unquote(what[1])
            place = next((p for p in store if p[1] == key), ("b", key))
            store.setdefault(place, {})[f"tag{next(tags)}"] = body
        elif what[0] == "allow_mult":
            allow_mult = what[1] == "true"
        else:
            mode = what[0]
        self.answer(204)

    def log_message(self, *args):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *args):
        pass


Server(("127.0.0.1", port), Handler).serve_forever()
