#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# exporter.py - compare an answer of /metrics with mesos_exporter's: exporter.py OURS VECTOR [SKIP...]
#
# Every series of its answer must be in ours, with the same value, and we have no other whose name begins with
# mesos_.  Where Mesos did not say a figure it has a false zero, or a difference with one, and we have nothing, but
# for what an agent uses, which its tasks tell; where Mesos' mem and disk are called bytes, it multiplied MB with 1024, and we with 1048576.
# SKIP: families that are not looked at.
import json
import os
import re
import sys

SERIES = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"')
ITS_OWN = {"mesos_collector_errors_total", "mesos_exporter_build_info"}
WRONG_UNIT = re.compile(r"^mesos_slave_(mem|disk)(_used|_unreserved)?_bytes$")
DIFFERENCES = {
    ("mesos_slave_containerizer_fetcher_cache_size", "free"):
        ("containerizer/fetcher/cache_size_total_bytes", "containerizer/fetcher/cache_size_used_bytes"),
    ("mesos_slave_containerizer_xfs_project_ids", "used"):
        ("containerizer/mesos/disk/project_ids_total", "containerizer/mesos/disk/project_ids_free"),
    ("mesos_master_slave_removal_events_total", "died"):
        ("master/slave_removals", "master/slave_shutdowns_completed"),
}


def series(lines):
    found = {}
    for line in lines:
        m = SERIES.match(line.rstrip("\n")) if not line.startswith("#") else None
        if m:
            key = (m.group(1), tuple(sorted(LABEL.findall(m.group(2) or ""))))
            if key in found:
                sys.exit(f"twice: {key}")
            found[key] = float(m.group(3))
    return found


def inputs(vector):
    """What the vector was made from: endpoint, document."""
    found = {}
    for line in open(vector + "/input.txt"):
        if " <- " in line:
            path, name = line.strip().split(" <- ")
            found[path] = json.load(open(os.path.join(os.path.dirname(vector.rstrip("/")), name)))
    return found


def keys_of_series(folder):
    """Which key each series is of, as the vectors with a value for each key show."""
    found = {}
    for name in os.listdir(folder):
        if os.path.exists(f"{folder}/{name}/mapping.tsv"):
            for line in open(f"{folder}/{name}/mapping.tsv"):
                key, made = line.rstrip("\n").split("\t")[:2]
                if not key.startswith("(") and not made.startswith("("):
                    for one in made.split(" ; "):
                        found.update({k: key for k in series([one.strip() + " 0"])})
    return found


def unsaid(key, snapshot, statistics, state, of):
    """Whether Mesos did not say what this series is made of."""
    name, labels = key
    kind = dict(labels).get("type", dict(labels).get("event"))
    m = re.match(r"^mesos_(master|slave)_((?:cpus|mem|disk|gpus)(?:_revocable)?)$", name)
    if m and kind == "free":
        parts = [f"{m.group(1)}/{m.group(2)}_{p}" for p in ("total", "used")]
        return any(p not in snapshot for p in parts)
    if (name, kind) in DIFFERENCES:
        return any(p not in snapshot for p in DIFFERENCES[name, kind])
    if re.match(r"^mesos_slave_(cpus|mem|disk|ports)(_used|_unreserved)(_bytes)?$", name):
        part = "used_resources" if "_used" in name else "unreserved_resources"
        return not any(part in a for a in state["slaves"] if a["pid"] == dict(labels)["slave"])
    if name.startswith("mesos_agent_"):
        field = next((of[k] for k in of if k[0] == name), "statistics.").split(".", 1)[1]
        who = dict(labels)
        return not any(field in e.get("statistics", {}) for e in statistics
                       if (e.get("executor_id"), e.get("framework_id"), e.get("source")) ==
                       (who["id"], who["framework_id"], who["source"]))
    return key in of and of[key] not in snapshot


def main():
    ours, vector, skip = sys.argv[1], sys.argv[2], set(sys.argv[3:]) | ITS_OWN
    have = {k: v for k, v in series(open(ours)).items() if k[0].startswith("mesos_") and k[0] not in skip}
    want = {k: v for k, v in series(open(vector + "/metrics.prom")).items() if k[0] not in skip}
    said, of, wrong, same = inputs(vector), keys_of_series(os.path.dirname(vector.rstrip("/"))), [], 0
    snapshot, statistics = said["/metrics/snapshot"], said.get("/monitor/statistics", [])
    state = said.get("/state", {})
    for key, value in sorted(want.items()):
        if WRONG_UNIT.match(key[0]):
            value *= 1024
        if key not in have:
            if not unsaid(key, snapshot, statistics, state, of):
                wrong.append(f"missing: {key} {value}")
        elif abs(have[key] - value) > 1e-9 * abs(value) and not (
                "_used" in key[0] and unsaid(key, snapshot, statistics, state, of)):
            wrong.append(f"differs: {key} {have[key]}, not {value}")
        else:
            same += 1
    wrong += [f"too much: {key} {have[key]}" for key in sorted(have) if key not in want]
    print(f"{os.path.basename(vector.rstrip('/'))}: {same} series the same, {len(want) - same} of {len(want)} not said by Mesos")
    print("\n".join(wrong))
    sys.exit(1 if wrong or same == 0 else 0)


main()
