#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""alerts - three masters hear the same events while whoever acts is killed, stopped and cut off from the store:
each alert must be logged by one of them at least, each time under the same id; in calm once.
alerts.py SATELLITE FOLDER ZOOKEEPER-PORT ROUNDS SEED PORT...   (nine ports).  Prints what it found."""
import collections, json, os, random, re, signal, socket, subprocess, sys, threading, time, urllib.request

satellite, folder = sys.argv[1:3]
zookeeper, rounds, seed = map(int, sys.argv[3:6])
ports = list(map(int, sys.argv[6:]))
patience = float(os.environ.get("PATIENCE", "3"))
rng = random.Random(seed)
NAMES = "abc"

CONFIG = """role = "master"; host = "%(name)s"; state-dir = "%(folder)s/%(name)s";
http = { host = "127.0.0.1"; port = %(http)d; };
modules = ( "riemann", "whitelist" );
riemann = { host = "127.0.0.1"; port = %(riemann)d; };
index = { reap = 0.5; };
whitelist = { path = "%(folder)s/%(name)s/whitelist"; resolve = false; store = "zookeeper"; import = false; };
store-zookeeper = { hosts = "127.0.0.1:%(zk)d"; timeout = 2; };
streams = ( { where = "service = 'pulse'"; do = ( "index" ); },
  { where = "service = 'disk' and state = 'critical'"; do = ( { by = "host"; do = ( { log = "warning"; alert = true; } ); } ); },
  { where = "service = 'pulse' and state = 'expired'"; do = ( { log = "error"; alert = true; } ); } );
"""


def until(true, seconds, what):
    end = time.monotonic() + seconds * patience
    while not true():
        if time.monotonic() > end:
            sys.exit(f"never: {what}")
        time.sleep(0.02)


class Proxy:
    """What stands between a master and ZooKeeper: open, or nothing passes, or connections are closed."""

    def __init__(self, port):
        self.state, self.pairs = "open", []
        self.server = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            client, _ = self.server.accept()
            try:
                if self.state != "open":
                    raise OSError
                server = socket.create_connection(("127.0.0.1", zookeeper), 5)
                server.settimeout(None)
            except OSError:
                client.close()
                continue
            self.pairs = [p for p in self.pairs if p[0].fileno() >= 0] + [(client, server)]
            for pair in (client, server), (server, client):
                threading.Thread(target=self.pump, args=pair, daemon=True).start()

    def pump(self, source, sink):
        try:
            while True:
                data = source.recv(65536)
                while self.state == "stalled":
                    time.sleep(0.02)
                if not data or self.state == "closed":
                    break
                sink.sendall(data)
        except OSError:
            pass
        for s in source, sink:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            s.close()

    def cut(self, how):
        self.state = how
        for s in sum(map(list, self.pairs), []) if how == "closed" else []:
            try:
                s.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass


class Master:
    """One of them, and who sends it all events, in order, each until it is taken."""

    def __init__(self, name, http, riemann, zk):
        self.name, self.http, self.log = name, http, f"{folder}/{name}.log"
        self.proxy, self.process = Proxy(zk), None
        self.queue, self.taken, self.more = collections.deque(), 0, threading.Event()
        os.makedirs(f"{folder}/{name}", exist_ok=True)
        with open(f"{folder}/{name}.cfg", "w") as f:
            f.write(CONFIG % dict(name=name, folder=folder, http=http, riemann=riemann, zk=zk))
        threading.Thread(target=self.send, daemon=True).start()

    def start(self):
        with open(self.log, "a") as log:
            self.process = subprocess.Popen([satellite, "--config", f"{folder}/{self.name}.cfg"], stderr=log,
                                            stdout=subprocess.DEVNULL)

    def kill(self):
        self.process.kill()
        self.process.wait()

    def lines(self):
        try:
            with open(self.log, errors="replace") as f:
                return f.read().split("\n")[:-1]
        except FileNotFoundError:
            return []

    def acts(self):
        said = [line for line in self.lines() if re.search("acts, epoch|does not act any more|satellite .* runs on", line)]
        return bool(said) and "acts, epoch" in said[-1]

    def send(self):
        while True:
            if not self.queue:
                self.more.wait(0.05)
                self.more.clear()
                continue
            batch = list(self.queue)[:200]
            request = urllib.request.Request(f"http://127.0.0.1:{self.http}/events", method="POST",
                                             data="".join(json.dumps(e) + "\n" for e in batch).encode())
            try:
                with urllib.request.urlopen(request, timeout=2) as answer:
                    if answer.status != 200:
                        raise OSError
                    answer.read()
            except OSError:
                time.sleep(0.05)
                continue
            for _ in batch:
                self.queue.popleft()
            self.taken += len(batch)


masters = [Master(n, *ports[3 * i:3 * i + 3]) for i, n in enumerate(NAMES)]
number = 0


def tell(**event):
    for m in masters:
        m.queue.append(event)
        m.more.set()


def alert():
    """An event that differs from all others by its host, its state or its time."""
    global number
    number += 1
    tell(host=f"h{rng.randrange(8)}", service="disk", state="critical", metric=number, ttl=600,
         time=time.time_ns() // 1000 / 1e6, description=f"alert number {number}.")
    return number


def logged():
    """Of each number (or host that fell silent): the ids under which it was logged, once for each line."""
    found = collections.defaultdict(list)
    for m in masters:
        for line in m.lines():
            at = re.search(r"alert number (\d+)\. \[alert ([0-9a-f]{32})\]", line)
            silent = re.search(r" (silent\d+) pulse expired.*\[alert ([0-9a-f]{32})\]", line)
            if at:
                found[int(at[1])].append(at[2])
            elif silent:
                found[silent[1]].append(silent[2])
    return found


def actors():
    return [m for m in masters if m.process.poll() is None and m.acts()]


def settle():
    until(lambda: len(actors()) == 1, 15, "one acts")
    until(lambda: not any(m.queue for m in masters), 15, "all events taken")


def known(m):
    """How many alerts came to an end on a master, and how many have not."""
    with urllib.request.urlopen(f"http://127.0.0.1:{m.http}/status", timeout=20) as answer:
        counters = json.load(answer)["counters"]
    return counters["alerts-sent"] + counters["alerts-known"], counters["alerts-kept"]


def calm(first, hosts=()):
    """Some alerts in peace, and hosts that fall silent: each is logged exactly once, and all know it."""
    until(lambda: all(known(m)[1] == 0 for m in masters), 15, f"{first}: nothing is kept")
    before = [known(m)[0] for m in masters]
    wanted = [alert() for _ in range(200)] + list(hosts)
    for h in hosts:
        tell(host=h, service="pulse", state="ok", metric=1, ttl=1, time=time.time_ns() // 1000 / 1e6)
    settle()
    until(lambda: all(n in logged() for n in wanted), 15, f"{first}: all that was sent in calm is logged")
    until(lambda: all(known(m)[0] >= b + len(wanted) for m, b in zip(masters, before)), 15, f"{first}: all know it")
    found = logged()
    more = [n for n in wanted if len(found[n]) != 1]
    if more:
        sys.exit(f"{first}: in calm logged more than once: {[(n, found[n]) for n in more[:5]]}")


killed = 0


def disturb():
    """Whoever acts is in trouble for a while, mostly too short for another to take over."""
    global killed
    m = rng.choice(actors() or masters)
    how = rng.choice(["kill", "stop", "stalled", "closed"])
    # What two had taken and nobody has logged would be lost if both were killed, and the third was late.
    if how == "kill" and not all(n in logged() for n in range(1, killed + 1)):
        how = "stop"
    long = rng.uniform(3.2, 4.2) if rng.random() < 0.25 else rng.uniform(0.02, 0.8)
    if how == "kill":
        m.kill()
        killed = number
    elif how == "stop":
        m.process.send_signal(signal.SIGSTOP)
    else:
        m.proxy.cut(how)
    end = time.monotonic() + long
    while time.monotonic() < end:
        alert()
        time.sleep(rng.uniform(0, 0.03))
    if how == "kill":
        m.start()
    elif how == "stop":
        m.process.send_signal(signal.SIGCONT)
    else:
        m.proxy.cut("open")
    end = time.monotonic() + rng.uniform(0, 0.3)
    while time.monotonic() < end:
        alert()
        time.sleep(rng.uniform(0, 0.03))
    return how, long


def run():
    for m in masters:
        m.start()
    settle()
    calm("before", ["silent1", "silent2"])
    peaceful = number
    done = collections.Counter(disturb()[0] for _ in range(rounds))
    settle()
    print(f"{rounds} rounds: {dict(done)}", flush=True)
    until(lambda: all(n in logged() for n in range(1, number + 1)), 20, "each alert is logged: not "
          + str([n for n in range(1, number + 1) if n not in logged()][:10]))
    calm("after")  # one that stood still says of nobody that he is silent, for a minute
    found = logged()
    twice = {n: ids for n, ids in found.items() if len(set(ids)) > 1}
    again = [n for n in range(1, peaceful + 1) if len(found[n]) != 1]
    if again:
        sys.exit(f"logged again, though all knew that it was: {again[:10]}")
    if twice:
        sys.exit(f"logged again under another id: {list(twice.items())[:5]}")
    if len({ids[0] for ids in found.values()}) != len(found):
        sys.exit("two alerts have one id")
    print(f"{number} alerts, {sum(len(i) - 1 for i in found.values())} repeats, each under its id")


try:
    run()
finally:
    for m in masters:
        if m.process is not None and m.process.poll() is None:
            m.process.send_signal(signal.SIGCONT)
            m.kill()
