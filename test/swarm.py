#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""swarm - many slaves, each a process, and one master that is killed and started again: does every event arrive?

swarm.py SATELLITE [N [SECONDS]]    default 1000 600

Each slave has a check a second.  Every tenth has a queue of 2 events, every tenth one of 2 on top of a spool, every
tenth events that are late after 3 seconds; the others lose nothing.  The master prints what it hears before it
acknowledges it, so that who is killed has told of all that he acknowledged.  In the end, for each slave:
taken = acknowledged + dropped + expired, nothing queued or refused; and of its events the master has
at least those acknowledged, at most those taken: all of them, where none was dropped or expired.
"""
import collections
import json
import os
import random
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

SATELLITE = os.path.abspath(sys.argv[1])
N = int(sys.argv[2]) if len(sys.argv) > 2 else 1000
SECONDS = int(sys.argv[3]) if len(sys.argv) > 3 else 600
KINDS = {1: "small", 2: "spooled", 3: "hasty"}
EXTRA = {"small": "queue = 2;", "spooled": "queue = 2; spool = true;", "hasty": "", "plain": ""}
COUNTERS = ("taken", "sent", "acknowledged", "refused", "dropped", "expired", "queued", "reconnects", "restored",
            "spool-errors")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def kind_of(i):
    return KINDS.get(i % 10, "plain")


class Master:
    """One life after the other, each with a file of its own for what it prints."""

    def __init__(self, folder):
        self.folder, self.lives, self.killed, self.process = folder, 0, 0, None
        self.port = free_port()
        with open(f"{folder}/m.cfg", "w") as f:
            f.write(f'role = "master"; state-dir = "{folder}/m"; http = {{ port = {free_port()}; }};\n'
                    f'modules = ( "riemann" ); riemann = {{ port = {self.port}; }}; streams = ( "print" );\n')

    def start(self):
        out = open(f"{self.folder}/heard.{self.lives}", "wb")
        with open(f"{self.folder}/m.log", "ab") as log:
            self.process = subprocess.Popen([SATELLITE, "--config", f"{self.folder}/m.cfg"], stdout=out, stderr=log)
        out.close()
        self.lives += 1

    def end(self, how):
        self.process.send_signal(how)
        self.process.wait()
        self.killed += how == signal.SIGKILL


class Slave:
    def __init__(self, folder, i, port):
        self.name, self.kind, self.folder = f"h{i}", kind_of(i), f"{folder}/s{i}"
        self.config = f"{folder}/s{i}.cfg"
        self.log = f"{folder}/s{i}.log"
        ttl = 3 if self.kind == "hasty" else 3600
        self.head = (f'role = "slave"; state-dir = "{self.folder}"; host = "{self.name}";\n'
                     f'forward = {{ masters = "127.0.0.1:{port}"; {EXTRA[self.kind]} }};\n')
        self.check = f'{{ check = "load-average"; threshold = 100000; interval = 1; ttl = {ttl}; }}'
        self.configure(self.check)
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([SATELLITE, "--config", self.config], stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=log)

    def configure(self, checks):
        with open(self.config, "w") as f:
            f.write(f"{self.head}checks = ( {checks} );\n")

    def quiet(self):
        """No more events, after the one that takes the service back."""
        self.configure("")
        self.process.send_signal(signal.SIGHUP)

    def counters(self):
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(20)
            s.connect(f"{self.folder}/control")
            s.sendall(b"GET /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            text = b"".join(iter(lambda: s.recv(65536), b""))
        status = json.loads(text[text.index(b"\r\n\r\n") + 4:])
        all_of_it = next(i for i in status["instances"] if i["name"] == "forward")["counters"]
        return {c: all_of_it[c] for c in COUNTERS}


def kill_and_restart(master, seconds):
    """The slaves' life: the master is there for a while, and away for a while."""
    end = time.time() + seconds
    turn = max(4.0, seconds / 20)
    while time.time() < end:
        time.sleep(min(turn * random.uniform(0.5, 1.5), max(0, end - time.time())))
        if random.random() < 0.5:       # what comes now is not answered, and comes again
            master.process.send_signal(signal.SIGSTOP)
            time.sleep(random.uniform(0.5, 3))
            master.end(signal.SIGKILL)
        else:
            master.end(random.choice((signal.SIGKILL, signal.SIGTERM)))
        time.sleep(random.uniform(0.2, 8 if seconds > 60 else 4))
        master.start()


def settle(slaves, seconds):
    """Until nothing waits: each one's counters."""
    last, deadline = {}, time.time() + seconds
    todo = list(slaves)
    while todo and time.time() < deadline:
        for s in todo:
            last[s.name] = s.counters()
        todo = [s for s in todo if last[s.name]["queued"] > 0]
        time.sleep(0.2)
    return last


def read_heard(folder, lives):
    """How often each event was heard, by host; a line that a kill cut is none."""
    heard = collections.defaultdict(collections.Counter)
    for life in range(lives):
        with open(f"{folder}/heard.{life}", "rb") as f:
            for line in f:
                try:
                    e = json.loads(line)
                except ValueError:
                    continue
                heard[e["host"]][(e["service"], e["state"] == "expired", e["time"])] += 1
    return heard


def judge(s, c, heard):
    """What is wrong with this slave's figures."""
    wrong = []
    distinct = len(heard)
    lost = c["dropped"] + c["expired"]
    if c["taken"] + c["restored"] != c["acknowledged"] + c["refused"] + lost + c["queued"]:
        wrong.append("they do not add up")
    if c["queued"] or c["refused"] or c["spool-errors"]:
        wrong.append("some are queued or refused, or the disk failed")
    if not c["taken"] - lost == c["acknowledged"] <= distinct <= c["taken"]:
        wrong.append("other events are heard than acknowledged")
    if s.kind in ("plain", "spooled") and (lost or distinct != c["taken"]):
        wrong.append("some are lost")
    if sum(heard.values()) > c["sent"]:
        wrong.append("more are heard than sent")
    return wrong


def report(slaves, counters, heard, master, seconds):
    bad = 0
    for kind in ("plain", "small", "spooled", "hasty"):
        of = [s for s in slaves if s.kind == kind]
        total = {c: sum(counters[s.name][c] for s in of) for c in COUNTERS}
        distinct = sum(len(heard[s.name]) for s in of)
        again = sum(sum(heard[s.name].values()) for s in of) - distinct
        print(f"{kind:8} {len(of):5} slaves  " + "  ".join(f"{c} {total[c]}" for c in COUNTERS) +
              f"  heard {distinct}, again {again}")
        if total["taken"] == 0 and of:
            bad += 1
        if kind == "small" and seconds > 60 and total["dropped"] == 0:
            print("  none was dropped: the master was not away for long enough to say anything")
            bad += 1
    for s in slaves:
        wrong = judge(s, counters[s.name], heard[s.name])
        if wrong:
            bad += 1
            if bad <= 10:
                print(f"{s.name} ({s.kind}): {'; '.join(wrong)}: {counters[s.name]}, heard {len(heard[s.name])}, "
                      f"in all {sum(heard[s.name].values())}")
    print(f"the master lived {master.lives} times, {master.killed} of them were ended by kill -9")
    return bad


def resident(slaves):
    kib = 0
    for s in slaves:
        with open(f"/proc/{s.process.pid}/status") as f:
            kib += int(next(l for l in f if l.startswith("VmRSS")).split()[1])
    return kib // len(slaves)


def main():
    resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    random.seed(int(os.environ.get("SEED", "1")))
    folder = tempfile.mkdtemp()
    master, slaves = Master(folder), []
    try:
        master.start()
        for i in range(N):
            slaves.append(Slave(folder, i, master.port))
            time.sleep(0.002)
        kill_and_restart(master, SECONDS)
        print(f"{N} slaves of {resident(slaves)} KiB resident, {SECONDS} s")
        for s in slaves:
            s.quiet()
        time.sleep(3)
        counters = settle(slaves, 120)
        master.end(signal.SIGTERM)
        bad = report(slaves, counters, read_heard(folder, master.lives), master, SECONDS)
        dead = [s.name for s in slaves if s.process.poll() is not None]
        if dead:
            print(f"ended by themselves: {dead[:10]}")
        return 1 if bad or dead else 0
    finally:
        for p in [s.process for s in slaves] + [master.process]:
            if p is not None and p.poll() is None:
                p.kill()
            if p is not None:
                p.wait()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
