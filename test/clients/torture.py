#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""torture - random updates of the same hosts over REST, by events of streams, and by a client of ZooKeeper's own; none
that was acknowledged may be lost.  torture.py ZOOKEEPER UPDATES CALM URL,RIEMANN,FILE...

Says "over" once so many were acknowledged, and waits for the file CALM, which says that all is mended; from then on all
whitelist files must be equal, and as the records are, within a second.  Prints how many were made, and what is missing."""
import json, logging, os, random, socket, struct, sys, threading, time, urllib.error, urllib.request
from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, KazooException, NoNodeError

logging.disable(logging.CRITICAL)
zookeeper, updates, calm = sys.argv[1], int(sys.argv[2]), sys.argv[3]
masters = [arg.split(",") for arg in sys.argv[4:]]
urls, riemann, files = ([m[i] for m in masters] for i in range(3))
PATIENCE = int(os.environ.get("PATIENCE", 3))
HOSTS = [f"host{i}" for i in range(20)]
THREADS = 6
lock = threading.Lock()
left, acked, unknown, refused, ours = updates, 0, 0, 0, {h: 0 for h in HOSTS}
wished, events = {}, 0		# (host, service): the state that a stream was last told
expected = {}		# (host, event): {"ok", "critical", None: none, ...}: what may be there


def ask(url, method, body=None):
    request = urllib.request.Request(url, method=method, data=body)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as e:
        return e.code, e.read()
    except OSError:
        return 0, b""


def rest(n):
    """Each thread has events of its own, so it knows what each must be."""
    global left, acked, unknown, refused
    rng = random.Random(n)
    while True:
        with lock:
            if left <= 0:
                return
        host, event = rng.choice(HOSTS), f"e{n}-{rng.randrange(8)}"
        url = f"{rng.choice(urls)}/whitelist/host/{host}/event/{event}"
        state = rng.choice(["ok", "critical", None])
        status, body = ask(url, "DELETE" if state is None else "POST",
                           None if state is None else json.dumps({"state": state}).encode())
        with lock:
            may = expected.setdefault((host, event), {None})
            if status in (200, 201):
                acked += 1
                left -= 1
                expected[host, event] = {state}
            elif status == 404:
                refused += 1
            elif status == 503 and b'"unknown"' not in body:
                refused += 1
            else:
                unknown += 1
                may.add(state)
        if status == 0 or status == 503:
            time.sleep(0.02)


def client():
    """Counts in a member that Satellite does not know; every count is a compare-and-set."""
    global left
    zk = KazooClient(hosts=zookeeper, timeout=5)
    zk.start(timeout=30)
    rng = random.Random(99)
    while left > 0:
        host = rng.choice(HOSTS)
        try:
            value, stat = zk.get(f"/satellite/whitelist/{host}")
            record = json.loads(value)
            record["theirs"] = record.get("theirs", 0) + 1
            zk.set(f"/satellite/whitelist/{host}", json.dumps(record).encode(), version=stat.version)
            ours[host] = record["theirs"]
            with lock:
                left -= 1
        except (NoNodeError, BadVersionError):
            pass
        except KazooException:
            time.sleep(0.1)
            try:
                value, stat = zk.retry(zk.get, f"/satellite/whitelist/{host}")
                ours[host] = json.loads(value).get("theirs", 0)
            except KazooException:
                pass
        time.sleep(0.02)
    zk.stop()


def varint(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def text(field, value):
    return bytes([field << 3 | 2]) + varint(len(value)) + value.encode()


def tell(port, some):
    """Riemann's protocol: a message, and its acknowledgement; False: who knows."""
    body = b""
    for (host, service), state in some:
        event = text(2, state) + text(3, service) + text(4, host) + b"\x45" + struct.pack("<f", 3600)
        body += b"\x32" + varint(len(event)) + event
    try:
        with socket.create_connection(("127.0.0.1", int(port)), timeout=2) as s:
            s.sendall(struct.pack(">I", len(body)) + body)
            return len(s.recv(6)) == 6
    except OSError:
        return False


def streams():
    """As slaves do: each event goes to every master that hears it, and what counts is said again and again."""
    global left, events
    rng = random.Random(7)
    while left > 0:
        some = []
        for _ in range(3):
            key = rng.choice(HOSTS), f"s{rng.randrange(4)}"
            wished[key] = rng.choice(["ok", "critical"])
            some.append((key, wished[key]))
        heard = [tell(port, some) for port in riemann]
        with lock:
            events += len(some)
            left -= any(heard)
        time.sleep(0.02)


for host in HOSTS:		# there from the start, and never forgotten
    while ask(f"{urls[0]}/whitelist/host/{host}/event/there", "POST", b'{"state":"ok"}')[0] != 201:
        time.sleep(0.1)
print("begun", flush=True)
threads = [threading.Thread(target=rest, args=(n,)) for n in range(THREADS)]
threads += [threading.Thread(target=client), threading.Thread(target=streams)]
for t in threads:
    t.start()
for t in threads:
    t.join()

print("over", flush=True)
while not os.path.exists(calm):
    time.sleep(0.05)


def judge():
    """What is wrong now, and the records."""
    wrong, records = [], []
    for url in urls:
        status, body = ask(f"{url}/whitelist/all", "GET")
        records.append(json.loads(body) if status == 200 else {})
    if any(r != records[0] for r in records):
        wrong.append("the masters do not agree")
    for (host, event), may in expected.items():
        state = records[0].get(host, {}).get("manual-events", {}).get(event, {}).get("state")
        if state not in may:
            wrong.append(f"{host} {event}: {state}, not {may}")
    for (host, service), wish in wished.items():
        record = records[0].get(host, {})
        if record.get("managed-events", {}).get(service, {}).get("state") != wish:
            wrong.append(f"{host} {service}: {record.get('managed-events', {}).get(service)}, not {wish}")
        if service == "s0" and record.get("managed-flag") != ("off" if wish == "critical" else "on"):
            wrong.append(f"{host}: {record.get('managed-flag')}, though {service} is {wish}")
    for host in HOSTS:
        if records[0].get(host, {}).get("theirs", 0) < ours[host]:
            wrong.append(f"{host}: {records[0].get(host, {}).get('theirs')} of the client's {ours[host]} changes")
    on = sorted(h for h, r in records[0].items() if (r.get("manual-flag") or r.get("managed-flag") or "off") == "on")
    for path in files:
        with open(path) as f:
            if f.read().split() != on:
                wrong.append(f"{path} is not as the records are")
    return wrong


for port in riemann:
    while not tell(port, list(wished.items())):
        time.sleep(0.05)
began = time.monotonic()
wrong = judge()
while wrong and time.monotonic() < began + 20 * PATIENCE:
    time.sleep(0.05)
    wrong = judge()
took = time.monotonic() - began
print(f"{acked} made over REST, {refused} refused, {unknown} unknown, {sum(ours.values())} by the client, {events} events; "
      f"all files equal {took:.2f} s after calm")
if took > PATIENCE:
    wrong.append(f"it took {took:.2f} s")
for w in wrong[:20]:
    print("WRONG:", w)
sys.exit(bool(wrong))
