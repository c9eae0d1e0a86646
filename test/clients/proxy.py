#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""proxy - wires of TCP that can be cut: proxy.py CONTROL NAME:PORT:TARGET...   on loopback.

CONTROL is a pipe (mkfifo) of lines "WHAT PATTERN": of the wires whose names match, as a shell would match them, "cut" lets
nothing through in either direction and "half" nothing to the client, as a network does that drops packets: connections
stay, and what is on its way waits; "drop" ends connections and takes none; "delay" lets all through 300 ms late; "mend" heals
all of it."""
import asyncio, fnmatch, os, sys

LATE = 0.3


class Wire:
    def __init__(self, text):
        self.name, port, target = text.split(":")
        self.port, self.target = int(port), int(target)
        self.up, self.down, self.late = asyncio.Event(), asyncio.Event(), 0
        self.writers, self.dropped = set(), False
        self.up.set()
        self.down.set()

    def told(self, what):
        self.late = LATE if what == "delay" else 0
        for gate, cut in (self.up, what == "cut"), (self.down, what in ("cut", "half")):
            gate.clear() if cut else gate.set()
        self.dropped = what == "drop"
        for w in self.writers if self.dropped else ():
            w.close()

    async def pump(self, reader, writer, gate):
        try:
            while True:
                data = await reader.read(65536)
                if self.late:
                    await asyncio.sleep(self.late)
                await gate.wait()
                if not data:
                    break
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        writer.close()

    async def serve(self, reader, writer):
        await self.up.wait()
        try:
            if self.dropped:
                raise ConnectionRefusedError
            to = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.close()
            return
        ends = {writer, to[1]}
        self.writers |= ends
        await asyncio.gather(self.pump(reader, to[1], self.up), self.pump(to[0], writer, self.down))
        self.writers -= ends


async def control(path, wires):
    loop = asyncio.get_running_loop()
    pipe = os.fdopen(os.open(path, os.O_RDWR))		# for writing, too: so it never ends
    while True:
        what, pattern = (await loop.run_in_executor(None, pipe.readline)).split()
        for w in wires:
            if fnmatch.fnmatch(w.name, pattern):
                w.told(what)
        print(what, pattern, flush=True)


async def main():
    wires = [Wire(text) for text in sys.argv[2:]]
    for w in wires:
        await asyncio.start_server(w.serve, "127.0.0.1", w.port)
    print("begun", flush=True)
    await control(sys.argv[1], wires)


asyncio.run(main())
