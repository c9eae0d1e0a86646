#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""whitelist - what whitelist.sh asks of three masters: whitelist.py HOSTS POSTS ROUNDS SERVER HTTP:RIEMANN:FILE:PID...

Prints "post P50 P99" in ms, from the first byte of a POST until every file has its host or has it no more;
and "kept RATE", hosts' states a second, from the first event until every file says what the events said, and "cpu
MASTERS SERVER", what a change cost all masters and the server, whose pid is SERVER, in microseconds of CPU."""
import http.client, os, socket, struct, sys, time

hosts, posts, rounds = (int(a) for a in sys.argv[1:4])
server = sys.argv[4]
masters = [a.split(":") for a in sys.argv[5:]]
files = [m[2] for m in masters]
names = [f"agent{i:05d}.rack42.example.com" for i in range(hosts)]


def size(path):
    try:
        return os.stat(path).st_size
    except FileNotFoundError:
        return -1


def until(true):
    end = time.monotonic() + 120
    while not true():
        if time.monotonic() > end:
            sys.exit(f"whitelist: {[size(f) for f in files]} bytes, and no further")
        time.sleep(0.001)


def post(n):
    """One host goes off, or on again: the rename makes another inode of each file."""
    connection = connections[n % len(connections)]
    was = [os.stat(f).st_ino for f in files]
    state = "critical" if n % 2 == 0 else "ok"
    began = time.monotonic()
    connection.request("POST", f"/whitelist/host/{names[n // 2 * 37 % hosts]}/event/e", f'{{"state":"{state}"}}')
    answer = connection.getresponse()
    answer.read()
    until(lambda: all(os.stat(f).st_ino != i for f, i in zip(files, was)))
    assert answer.status == 201, answer.status
    return 1000 * (time.monotonic() - began)


def varint(n):
    out = b""
    while n > 127:
        out += bytes([n & 127 | 128])
        n >>= 7
    return out + bytes([n])


def text(field, s):
    return bytes([field << 3 | 2]) + varint(len(s)) + s.encode()


def message(some, state):
    body = b""
    for name in some:
        event = text(2, state) + text(3, "disk") + text(4, name) + b"\x45" + struct.pack("<f", 600)
        body += b"\x32" + varint(len(event)) + event
    return struct.pack(">I", len(body)) + body


def tell(state):
    """Every host's event, to every master; the acting one carries it out."""
    messages = [message(names[i:i + 100], state) for i in range(0, hosts, 100)]
    for m in messages:
        for s in sockets:
            s.sendall(m)
    for s in sockets:
        left = 6 * len(messages)
        while left > 0:
            left -= len(s.recv(left))


def turn(n):
    off = n % 2 == 0
    began = time.monotonic()
    tell("critical" if off else "ok")
    until(lambda: all(size(f) == (0 if off else full) for f in files))
    return hosts / (time.monotonic() - began)


full = sum(len(n) + 1 for n in names)
until(lambda: all(size(f) == full for f in files))
connections = [http.client.HTTPConnection("127.0.0.1", int(m[0])) for m in masters]
sockets = [socket.create_connection(("127.0.0.1", int(m[1]))) for m in masters]
took = []
for n in range(posts):
    took.append(post(n))
    time.sleep(0.05)
took.sort()
print(f"post {took[len(took) // 2]:.1f} {took[-1 - len(took) // 100]:.1f}", flush=True)
for n in range(2 * posts):		# nothing that a person said stands in the way of the streams
    if n % 2 == 0:
        connections[0].request("DELETE", f"/whitelist/host/{names[n // 2 * 37 % hosts]}/event/e")
        connections[0].getresponse().read()


def cpu(pids):
    """Of these processes until now, in microseconds."""
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat") as f:
            ticks += sum(int(t) for t in f.read().rsplit(")", 1)[1].split()[11:13])
    return ticks * 1e6 / os.sysconf("SC_CLK_TCK")


ours = [m[3] for m in masters]
before = cpu(ours), cpu([server])
rates = [turn(n) for n in range(rounds)]
print(f"kept {sorted(rates)[len(rates) // 2]:.0f}  {' '.join(f'{r:.0f}' for r in rates)}")
print(f"cpu {(cpu(ours) - before[0]) / hosts / rounds:.0f} {(cpu([server]) - before[1]) / hosts / rounds:.0f}")
