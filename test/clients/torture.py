#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""torture - random updates of the same hosts over REST and by a client of ZooKeeper's own; none that was
acknowledged may be lost.  torture.py ZOOKEEPER UPDATES URL...   Prints how many were made, and what is missing."""
import json, logging, random, sys, threading, time, urllib.error, urllib.request
from kazoo.client import KazooClient
from kazoo.exceptions import BadVersionError, KazooException, NoNodeError

logging.disable(logging.CRITICAL)
zookeeper, updates, urls = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
HOSTS = [f"host{i}" for i in range(20)]
THREADS = 6
lock = threading.Lock()
left, acked, unknown, refused, ours = updates, 0, 0, 0, {h: 0 for h in HOSTS}
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
            left -= 1
        host, event = rng.choice(HOSTS), f"e{n}-{rng.randrange(8)}"
        url = f"{rng.choice(urls)}/whitelist/host/{host}/event/{event}"
        state = rng.choice(["ok", "critical", None])
        status, body = ask(url, "DELETE" if state is None else "POST",
                           None if state is None else json.dumps({"state": state}).encode())
        with lock:
            may = expected.setdefault((host, event), {None})
            if status in (200, 201):
                acked += 1
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
        except (NoNodeError, BadVersionError):
            pass
        except KazooException:
            time.sleep(0.1)
            try:
                value, stat = zk.retry(zk.get, f"/satellite/whitelist/{host}")
                ours[host] = json.loads(value).get("theirs", 0)
            except KazooException:
                pass
        time.sleep(0.005)
    zk.stop()


for host in HOSTS:		# there from the start, and never forgotten
    while ask(f"{urls[0]}/whitelist/host/{host}/event/there", "POST", b'{"state":"ok"}')[0] != 201:
        time.sleep(0.1)
print("begun", flush=True)
threads = [threading.Thread(target=rest, args=(n,)) for n in range(THREADS)] + [threading.Thread(target=client)]
for t in threads:
    t.start()
for t in threads:
    t.join()

deadline = time.time() + 60
while True:			# until all masters agree, and with what was acknowledged
    wrong = []
    records = []
    for url in urls:
        status, body = ask(f"{url}/whitelist/all", "GET")
        records.append(json.loads(body) if status == 200 else {})
    if any(r != records[0] for r in records):
        wrong.append("the masters do not agree")
    for (host, event), may in expected.items():
        state = records[0].get(host, {}).get("manual-events", {}).get(event, {}).get("state")
        if state not in may:
            wrong.append(f"{host} {event}: {state}, not {may}")
    for host in HOSTS:
        if records[0].get(host, {}).get("theirs", 0) < ours[host]:
            wrong.append(f"{host}: {records[0].get(host, {}).get('theirs')} of the client's {ours[host]} changes")
    if not wrong or time.time() > deadline:
        break
    time.sleep(0.5)
print(f"{acked} made, {refused} refused, {unknown} unknown, {sum(ours.values())} by the client")
for w in wrong[:20]:
    print("WRONG:", w)
on = sorted(h for h, r in records[0].items() if (r.get("manual-flag") or r.get("managed-flag") or "off") == "on")
print("on:", " ".join(on))
sys.exit(bool(wrong))
