#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""hangfs FOLDER [names] - mount a file system there that never answers statfs(), as a dead NFS server's, until it is
killed; with `names` nor what is in it.

Wants root and /dev/fuse.  Says "mounted", then "asked" for each call that it leaves without an answer.
"""
import ctypes
import errno
import os
import struct
import sys

LOOKUP, GETATTR, FORGET, STATFS, INIT, INTERRUPT, BATCH_FORGET = 1, 3, 2, 17, 26, 36, 42
NOSUID_NODEV = 2 | 4


def mount(folder):
    fd = os.open("/dev/fuse", os.O_RDWR)
    options = f"fd={fd},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()},allow_other"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"hangfs", folder.encode(), b"fuse.hangfs", NOSUID_NODEV, options.encode()) != 0:
        sys.exit(f"{folder}: {os.strerror(ctypes.get_errno())}")
    return fd


def answer(fd, unique, error=0, body=b""):
    os.write(fd, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)


def init(body):
    major, minor, readahead = struct.unpack_from("<III", body)
    return struct.pack("<IIIIHHIIHH32x", major, min(minor, 31), readahead, 0, 0, 0, 4096, 1, 0, 0)


# Of the root, a folder that is good for a minute.
ATTRIBUTES = struct.pack("<QII", 60, 0, 0) + struct.pack("<6Q10I", 1, 0, 0, 0, 0, 0, 0, 0, 0, 0o40755, 2, 0, 0, 0, 4096, 0)


def serve(fd, hangs):
    while True:
        request = os.read(fd, 1 << 18)
        opcode, unique = struct.unpack_from("<4xIQ", request)
        if opcode == INIT:
            answer(fd, unique, body=init(request[40:]))
            print("mounted", flush=True)
        elif opcode == GETATTR:
            answer(fd, unique, body=ATTRIBUTES)
        elif opcode in hangs:
            print("asked", flush=True)
        elif opcode not in (FORGET, BATCH_FORGET, INTERRUPT):
            answer(fd, unique, error=errno.ENOSYS)


serve(mount(sys.argv[1]), (STATFS, LOOKUP) if len(sys.argv) > 2 else (STATFS,))
