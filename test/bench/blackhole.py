#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""blackhole.py SATELLITE [RUNS] - how well both rules of `blackhole` find known bad hosts, and whom else they accuse.

Each run is a cluster of its own: free slots of hosts take tasks of any framework; on a bad host all tasks fail at once,
so that its slots are free again and it attracts ever more; some frameworks are broken, and fail on good hosts as well,
one of them only on the few hosts it may run on.  The rules see what Satellite would see, by `satellite replay`.
`attributed` says of frameworks, too, that they fail: of how many that are broken, and of how many others.
"""
import collections
import heapq
import json
import os
import random
import subprocess
import sys
import tempfile

HOSTS, SLOTS, SECONDS, EVERY = 60, 4, 1500, 30
WELL = ["f%d" % i for i in range(6)]
BROKEN, PINNED = "broken", "broken-pinned"
STREAMS = """
role = "master";
streams = (
  { where = "service =~ '%%/total-tasks-%%'"; do = ( { blackhole = "classic"; do = ( { print = "classic"; } ); } ); },
  { where = "service = 'mesos/tasks'"; do = ( { blackhole = "attributed"; do = ( { print = "attributed"; } ); } ); } );
"""


def simulate(rng, bad, pinned):
    """The events of one cluster, in order of time."""
    events, slots, totals, serial = [], [], collections.defaultdict(lambda: [0, 0, 0]), 0
    for host in range(HOSTS):
        for _ in range(SLOTS):
            heapq.heappush(slots, (rng.uniform(0, 30), host, None, None))
    samples = [t for t in range(0, SECONDS, EVERY)]
    while slots:
        now, host, framework, state = heapq.heappop(slots)
        while samples and samples[0] <= now:
            at = samples.pop(0)
            for h in range(HOSTS):
                for name, n in zip(("failed", "started", "finished"), totals[h]):
                    events.append({"time": at, "host": "h%d" % h, "service": "mesos/slave/total-tasks-" + name,
                                   "metric": n, "ttl": 300})
        if now > SECONDS:
            break
        if framework is not None:
            serial += 1
            totals[host][0 if state == "TASK_FAILED" else 2] += 1
            events.append({"time": round(now, 3), "host": "h%d" % host, "service": "mesos/tasks", "state": state,
                           "framework": framework, "task": "t%d" % serial, "source": "SOURCE_EXECUTOR", "ttl": 60})
        framework = rng.choice(WELL)
        if rng.random() < 0.08:
            framework = BROKEN
        if host in pinned and rng.random() < 0.9:
            framework = PINNED
        totals[host][1] += 1
        fails = host in bad or rng.random() < (0.9 if framework in (BROKEN, PINNED) else 0.02)
        lasts = rng.uniform(1, 3) if fails else rng.uniform(20, 120)
        heapq.heappush(slots, (now + lasts, host, framework, "TASK_FAILED" if fails else "TASK_FINISHED"))
    return events


def verdicts(satellite, folder, events):
    """By rule: host, or framework, -> the time at which it was called critical first."""
    path = os.path.join(folder, "events")
    with open(path, "w", encoding="utf-8") as f:
        for ev in events:
            f.write(json.dumps(ev) + "\n")
    out = subprocess.run([satellite, "replay", "--config", os.path.join(folder, "cfg"), path], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    found = {"classic": {}, "attributed": {}, "frameworks": {}}
    for line in out.splitlines():
        said = json.loads(line)
        for ev in said.get("events", []):
            if said.get("tap") not in found or ev.get("state") != "critical":
                continue
            if ev.get("host"):
                found[said["tap"]].setdefault(ev["host"], said["clock"])
            else:
                found["frameworks"].setdefault(ev["framework"], said["clock"])
    return found


def main():
    satellite, runs = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20
    bad_seen, good_seen = 0, 0
    hits, false, late = collections.Counter(), collections.Counter(), collections.defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "cfg"), "w", encoding="utf-8") as f:
            f.write(STREAMS.replace("%%", "%"))
        for run in range(runs):
            rng = random.Random(run)
            chosen = rng.sample(range(HOSTS), 8)
            bad, pinned = set(chosen[:3]), set(chosen[3:])
            found = verdicts(satellite, folder, simulate(rng, bad, pinned))
            bad_seen += len(bad)
            good_seen += HOSTS - len(bad)
            for framework, when in found.pop("frameworks").items():
                if framework in (BROKEN, PINNED):
                    hits["frameworks"] += 1
                    late["frameworks"].append(when)
                else:
                    false["frameworks"] += 1
            for rule, hosts in found.items():
                for host, when in hosts.items():
                    if int(host[1:]) in bad:
                        hits[rule] += 1
                        late[rule].append(when)
                    else:
                        false[rule] += 1
    print("%d clusters of %d hosts, 3 bad, 5 on which a broken framework is at home" % (runs, HOSTS))
    print("%-40s %8s %12s %16s" % ("rule", "found", "false alarms", "found after, s"))
    for rule, name, bad, good in (("classic", "classic", bad_seen, good_seen),
                                  ("attributed", "attributed", bad_seen, good_seen),
                                  ("frameworks", "attributed, of 2 broken frameworks of 8", 2 * runs, len(WELL) * runs)):
        times = sorted(late[rule])
        print("%-40s %6.1f %% %10.2f %% %16s" % (name, 100.0 * hits[rule] / bad, 100.0 * false[rule] / good,
                                                 "%.0f" % times[len(times) // 2] if times else "-"))
    ok = (hits["attributed"] >= 0.95 * bad_seen and false["attributed"] <= 0.005 * good_seen and
          hits["frameworks"] >= 0.95 * 2 * runs and false["frameworks"] <= 0.005 * len(WELL) * runs)
    print("attributed: 95 %% found, 0.5 %% false alarms at most: %s" % ("yes" if ok else "NO"))
    return 0 if ok else 1


sys.exit(main())
