"""Counts the system calls that a server makes for a request, with strace.

Two runs, of few and of many requests: their difference has neither what a connection costs nor what strace's
coming and going does. Calls are counted by thread, so that those of the programs that a server runs are left out.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.load import Wrong, read_answer
from bench.process import Session
from bench.servers import Server, program

SETTLED_MOST = 5.0
"""Seconds that a server is given for what it does at its start."""


def per_request(server: Server, path: str, whose: Callable[[], list[int]], few: int, many: int) -> float | None:
    """System calls of those processes for each request; None where there is no strace, or it may not be used."""
    tracer = program("strace")
    if tracer is None:
        return None
    _settle(server)
    _ask(server, path, few)
    counts = [_count(server, path, whose, requests, tracer) for requests in (few, many)]
    if None in counts:
        return None
    return (counts[1] - counts[0]) / (many - few)  # type: ignore[operator]


def _settle(server: Server) -> None:
    """Waits until a server has done what it does at its start: tollgate looks through the files that it serves."""
    before, deadline = -1.0, time.monotonic() + SETTLED_MOST
    while (now := server.cpu()) != before and time.monotonic() < deadline:
        before = now
        time.sleep(0.3)


def _ask(server: Server, path: str, requests: int) -> None:
    head = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        for _ in range(requests):
            connection.sendall(head)
            read_answer(connection)


def _threads(pids: list[int]) -> set[str]:
    found: set[str] = set()
    for pid in pids:
        with contextlib.suppress(OSError):
            found.update(os.listdir(f"/proc/{pid}/task"))
    return found


def _count(server: Server, path: str, whose: Callable[[], list[int]], requests: int, tracer: str) -> int | None:
    # Before there is a program: a program is never among them.
    pids = whose()
    with tempfile.TemporaryDirectory(dir=server.folder) as name:
        folder = Path(name)
        command = [tracer, "-f", "-ff", "-o", str(folder / "calls")]
        for pid in pids:
            command += ["-p", str(pid)]
        session = Session(command, folder / "strace.log")
        try:
            if not _attached(session, _threads(pids)):
                return None
            _ask(server, path, requests)
            threads = _threads(pids)
            session.process.send_signal(signal.SIGINT)
            session.process.wait(10)
        finally:
            session.stop()
        files = [file for file in folder.glob("calls.*") if file.suffix[1:] in threads]
        return sum(_calls(file) for file in files)


def _calls(file: Path) -> int:
    """The calls of one thread: a line each, signals and ends apart."""
    lines = file.read_text(encoding="latin-1").splitlines()
    return sum(not line.startswith(("---", "+++", "<...")) for line in lines)


def _attached(session: Session, threads: set[str]) -> bool:
    """Waits until strace has all threads; False where it may not have them."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not session.ended():
        if all(_tracer(thread) == session.pid for thread in threads):
            return True
        time.sleep(0.01)
    if "not permitted" in session.last_words():
        return False
    raise Wrong(f"strace: {session.last_words()}")


def _tracer(thread: str) -> int:
    try:
        for line in Path(f"/proc/{thread}/status").read_text(encoding="latin-1").splitlines():
            if line.startswith("TracerPid:"):
                return int(line.split()[1])
    except OSError:
        pass
    return 0
