#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""history - what ZooKeeper's servers wrote down, judged: history.py NAME=LOG... -- DATADIR...

Reads the transaction logs of all servers, and what each master said in its log.  Wrong is: an epoch in which two acted;
an epoch that does not follow the one before; a host written by automation under another epoch than the store's at that
moment, or by another than holds it; servers that do not agree on what was done."""
import glob, json, re, struct, sys

ROOT = "/satellite/"
ERROR, CREATE, DELETE, SET, MULTI, CREATE2 = -1, 1, 2, 5, 14, 15
wrong = []


class Reader:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, form):
        value = struct.unpack_from(">" + form, self.data, self.at)[0]
        self.at += struct.calcsize(">" + form)
        return value

    def bytes(self):
        n = self.take("i")
        if n < 0:
            return b""
        self.at += n
        return self.data[self.at - n:self.at]


def changes(kind, r):
    """(path, value): a node as it was set; value None: gone."""
    if kind in (CREATE, CREATE2):
        yield r.bytes().decode(), r.bytes()
    elif kind == SET:
        yield r.bytes().decode(), r.bytes()
    elif kind == DELETE:
        yield r.bytes().decode(), None
    elif kind == MULTI:
        parts = [(r.take("i"), r.bytes()) for _ in range(r.take("i"))]
        if all(part != ERROR for part, _ in parts):  # else none of them was done
            for part, data in parts:
                yield from changes(part, Reader(data))


def transactions(path):
    """{zxid: changes} of one log, which ends in zeros, or where its server was killed."""
    with open(path, "rb") as f:
        r = Reader(f.read())
    found = {}
    r.at = 16
    try:
        while True:
            r.take("q")
            data = r.bytes()
            if not data or r.take("b") != 0x42:
                break
            zxid, _, kind = struct.unpack_from(">qqi", data, 12)
            t = Reader(data)
            t.at = 32
            found[zxid] = list(changes(kind, t))
    except struct.error:
        pass
    return found


def history(folders):
    """Every change that a server wrote down, in order."""
    told = {}
    for folder in folders:
        for path in sorted(glob.glob(f"{folder}/version-2/log.*")):
            for zxid, done in transactions(path).items():
                if told.setdefault(zxid, done) != done:
                    wrong.append(f"servers disagree on {zxid:x}")
    for zxid in sorted(told):
        for path, value in told[zxid]:
            if path.startswith(ROOT):
                yield zxid, path[len(ROOT):], value


def said(logs):
    """{epoch: who acted in it}, as masters told."""
    acted = {}
    for name, path in (log.split("=") for log in logs):
        with open(path) as f:
            for epoch in re.findall(r"acts, epoch (\d+)", f.read()):
                acted.setdefault(int(epoch), set()).add(name)
    for epoch, names in acted.items():
        if len(names) > 1:
            wrong.append(f"epoch {epoch}: {sorted(names)} acted")
    return acted


split = sys.argv.index("--")
acted = said(sys.argv[1:split])
epoch, holder, writes, by_hand, stamps = 0, None, 0, 0, {}
for zxid, path, value in history(sys.argv[split + 1:]):
    if path == "leader/epoch" and value:
        now = json.loads(value)
        if now["epoch"] != epoch + 1:
            wrong.append(f"{zxid:x}: epoch {now['epoch']} after {epoch}")
        epoch, holder = now["epoch"], now["by"]
        if acted.get(epoch, {holder}) != {holder}:
            wrong.append(f"epoch {epoch} is {holder}'s, and {acted[epoch]} acted")
    elif path.startswith("whitelist/") and value:
        ours = json.loads(value).get("satellite")
        stamp = ours and (ours["by"], ours["seq"])
        if ours is None or stamps.get(path) == stamp:
            by_hand += 1
            continue
        stamps[path] = stamp
        writes += 1
        if ours["epoch"] != 0 and (ours["epoch"], ours["by"]) != (epoch, holder):
            wrong.append(f"{zxid:x}: {path} by {ours['by']} under epoch {ours['epoch']}, in {holder}'s {epoch}")
print(f"{writes} writes of masters and {by_hand} of others in {epoch} epochs, {len(acted)} of them acted in")
for w in wrong[:20]:
    print("WRONG:", w)
sys.exit(bool(wrong) or epoch == 0 or writes == 0)
