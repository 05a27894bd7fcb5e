"""Clients that wrk cannot play: thousands of idle connections, and requests that hold a program's place."""

from __future__ import annotations

import http.client
import socket
import subprocess
import threading
import time
from pathlib import Path

from bench.load import Wrong, read_answer
from bench.servers import CORES, Server


class Idle:
    """Connections that have each asked for something once and stay open."""

    def __init__(self, server: Server, paths: list[str]) -> None:
        self._connections: list[socket.socket] = []
        try:
            for path in paths:
                connection = socket.create_connection(("127.0.0.1", server.port), timeout=10)
                self._connections.append(connection)
                connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
                read_answer(connection)
        except OSError as error:
            self.close()
            raise Wrong(f"{server.name}: connection {len(self._connections)} of {len(paths)}: {error}") from error

    def __enter__(self) -> Idle:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def check(self) -> None:
        """Raises `Wrong` where the server has closed one of them."""
        for number, connection in enumerate(self._connections):
            connection.setblocking(False)
            try:
                got = connection.recv(1)
            except BlockingIOError:
                continue
            raise Wrong(f"idle connection {number} of {len(self._connections)} got {got!r}")

    def close(self) -> None:
        """Closes all of them."""
        for connection in self._connections:
            connection.close()


class Sleepers:
    """Clients that ask for /cgi-bin/sleep over and over, each as soon as it has its answer."""

    PLACES = 4 * CORES
    """As many programs as tollgate runs at once if nothing else is said."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._over = threading.Event()
        # Twice as many as there are places, so that a line is waiting where there is one.
        self._threads = [threading.Thread(target=self._ask, daemon=True) for _ in range(2 * self.PLACES)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Sleepers:
        self._wait()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()

    def _ask(self) -> None:
        while not self._over.is_set():
            try:
                self._server.get("/cgi-bin/sleep")
            except (OSError, http.client.HTTPException):
                return

    def _wait(self) -> None:
        """Returns when all places are taken."""
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            if sum(_runs_sleep(pid) for pid in self._server.pids()) >= self.PLACES:
                return
            time.sleep(0.02)
        raise Wrong(f"{self._server.name}: fewer than {self.PLACES} programs run")


class BareSleepers:
    """The programs of `Sleepers`, as many at once, started over and over by a bare loop."""

    def __init__(self, program: Path) -> None:
        self._program = program
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(Sleepers.PLACES)]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> BareSleepers:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._over.is_set():
            subprocess.run([self._program], stdout=subprocess.DEVNULL, check=True)


def _runs_sleep(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/comm").read_text(encoding="latin-1").strip() == "sleep"
    except OSError:
        return False
