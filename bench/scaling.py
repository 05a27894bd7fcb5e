"""How long requests wait in line: the model of docs/scaling.md beside what happens.

    python3 -m bench.scaling TOLLGATE

Requests come by chance to four places for programs of 0.4 s, at a given share of what these can take. What a program took
and what its request waited is asked of the console. It takes four minutes, and little of the processor; a machine that is busy otherwise has programs take longer.
"""

import asyncio
import json
import random
import re
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

SLOTS = 4
SERVICE = 0.4
ARRIVALS = 500
SHARES = (0.5, 0.7, 0.85)
LOOK = 0.05


class Server:
    """tollgate in a folder, ended with the block."""

    def __init__(self, binary: Path, folder: Path) -> None:
        options = ["--max-processes", str(SLOTS), "--listen", "127.0.0.1:0", "--console", "127.0.0.1:0", "--health", "127.0.0.1:0"]
        command = [binary, "--allow-root", "--quiet", *options, folder]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        lines = [self.process.stdout.readline() for _ in range(3)]
        self.place, self.console, self.health = (re.search(r"127\.0\.0\.1:(\d+)", line)[0] for line in lines)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait()

    def took(self) -> tuple[float, float]:
        """What a program took on average, and what its request waited, in seconds."""
        with urllib.request.urlopen(f"http://{self.console}/api/toll") as answer:
            routes = json.load(answer)["routes"]
        toll = next(it for it in routes if it["kind"] == "program")
        service = toll["start"] + toll["work"] + toll["relay"]
        return service / 1e6, (toll["total"] - service) / 1e6

    def in_line(self) -> int:
        """How many wait at present."""
        with urllib.request.urlopen(f"http://{self.health}/metrics") as answer:
            return int(re.search(rb"programs_waiting (\d+)", answer.read())[1])


def model(share: float, service: float) -> float:
    """How long a request waits where times of service do not differ: half of Sakasegawa's formula, which is for such
    as differ much."""
    power = (2 * (SLOTS + 1)) ** 0.5 - 1
    return service / SLOTS * share**power / (1 - share) / 2


async def ask(server: Server) -> None:
    """One request."""
    reader, writer = await asyncio.open_connection(*server.place.split(":"))
    writer.write(b"GET /cgi-bin/work HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
    status = await reader.readline()
    await reader.read()
    writer.close()
    if b" 200 " not in status:
        sys.exit(f"a request failed: {status!r}")


async def look(server: Server, lengths: list[int]) -> None:
    """Counts who waits, again and again."""
    while True:
        lengths.append(await asyncio.to_thread(server.in_line))
        await asyncio.sleep(LOOK)


async def come(server: Server, per_second: float) -> tuple[float, float]:
    """Has requests come by chance: how many came in a second, and how many waited on average."""
    lengths: list[int] = []
    looking = asyncio.create_task(look(server, lengths))
    began = due = time.monotonic()
    asked = []
    for _ in range(ARRIVALS):
        due += random.expovariate(per_second)
        await asyncio.sleep(max(0, due - time.monotonic()))
        asked.append(asyncio.create_task(ask(server)))
    came = ARRIVALS / (time.monotonic() - began)
    looking.cancel()
    await asyncio.gather(*asked)
    return came, sum(lengths) / len(lengths)


def main() -> None:
    """Prints the table."""
    binary = Path(sys.argv[1]).resolve()
    random.seed(7)
    print("| places in use | a program takes | waits, model | waits, measured | in line, rate × wait | in line, counted |")
    print("|--:|--:|--:|--:|--:|--:|")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "cgi-bin").mkdir()
        program = folder / "cgi-bin" / "work"
        program.write_text(f"#!/bin/sh\nsleep {SERVICE}\nprintf 'Content-Type: text/plain\\n\\ndone'\n")
        program.chmod(0o755)
        for share in SHARES:
            with Server(binary, folder) as server:
                came, counted = asyncio.run(come(server, share * SLOTS / SERVICE))
                service, waited = server.took()
            used = came * service / SLOTS
            print(
                f"| {used:.0%} | {service * 1000:.0f} ms | {model(used, service) * 1000:.0f} ms "
                f"| {waited * 1000:.0f} ms | {came * waited:.2f} | {counted:.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
