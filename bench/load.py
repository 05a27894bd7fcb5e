"""Puts a server under load with wrk, and reads what came of it."""

from __future__ import annotations

import hashlib
import json
import signal
import socket
import subprocess
import time
from dataclasses import dataclass

from bench.rows import Row
from bench.servers import CORES, Server, program
from bench.site import HERE

SCRIPT = HERE / "wrk" / "report.lua"
LONGEST = 30
"""Seconds after which wrk counts a request as timed out. It is longer than a whole turn."""

CLOSES_SILENTLY = {"busybox"}
"""Who closes after an answer without having said so; wrk counts the answer and the end as an error of reading."""


class Wrong(Exception):
    """A server answered something else than it should have, or not at all."""


@dataclass(frozen=True)
class Load:
    """What wrk has measured."""

    requests: int
    seconds: float
    p50: float | None
    """Milliseconds within which half of the answers came; wrk does not tell where requests are pipelined."""
    p99: float | None

    @property
    def rate(self) -> float:
        """Answers a second."""
        return self.requests / self.seconds


def verify(server: Server, row: Row) -> None:
    """Asks once, and raises `Wrong` where the answer is not the right one."""
    if row.load[0] == "post":
        status, content = server.get(row.path, "POST", server.site.body.read_bytes())
    else:
        status, content = server.get(row.path)
    if status != 200 or len(content) != row.length or hashlib.sha256(content).hexdigest() != row.digest:
        raise Wrong(f"{server.name}, {row.path}: status {status} and {len(content)} bytes "
                    f"where 200 and {row.length} were expected, or other bytes")


def raw_answer(server: Server, path: str) -> bytes:
    """The bytes of an answer on a connection that is kept."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n\r\n".encode())
        return read_answer(connection)


def read_answer(connection: socket.socket) -> bytes:
    """Reads one answer, which has a Content-Length or short chunks."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = connection.recv(65536)
        if not piece:
            raise Wrong(f"closed after {got!r}")
        got += piece
    head, _, content = got.partition(b"\r\n\r\n")
    for line in head.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            missing = int(value) - len(content)
            while missing > 0:
                piece = connection.recv(missing)
                if not piece:
                    raise Wrong("closed within an answer")
                got += piece
                missing -= len(piece)
            return got
        if name.lower() == b"transfer-encoding":
            while not got.endswith(b"\r\n0\r\n\r\n"):
                piece = connection.recv(65536)
                if not piece:
                    raise Wrong("closed within an answer")
                got += piece
            return got
    raise Wrong(f"neither Content-Length nor Transfer-Encoding in {head!r}")


def wait_for_port(port: int) -> None:
    """Returns when somebody listens at a port."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            time.sleep(0.005)
    raise Wrong(f"nobody listens at port {port}")


def wrk(server: Server, path: str, length: int, clients: int, seconds: float,
        load: tuple[str, ...] = ("get",), threads: int = 0) -> Load:
    """Puts a server under load, with so many threads of wrk, or one for each core."""
    if load == ("post",):
        load = ("post", str(server.site.body))
    return wrk_at(server.name, server.port, path, length, clients, seconds, load, threads)


def wrk_at(name: str, port: int, path: str, length: int, clients: int, seconds: float,
           load: tuple[str, ...], threads: int = 0) -> Load:
    """Runs wrk for so many seconds, fractions too. Raises `Wrong` where a request failed or an answer was short."""
    command = [program("wrk") or "wrk", "-t", str(threads or min(CORES, clients)), "-c", str(clients), "-d", "120s",
               "--timeout", f"{LONGEST}s", "-s", str(SCRIPT), f"http://127.0.0.1:{port}{path}", "--", *load]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        # wrk takes whole seconds alone, but ends and reports as soon as it is interrupted.
        try:
            output, _ = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=LONGEST)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return _read(output, name, length, load[0] != "pipeline")


def _read(output: str, name: str, length: int, timed: bool) -> Load:
    for line in output.splitlines():
        if line.startswith("result "):
            result = json.loads(line.removeprefix("result "))
            break
    else:
        raise Wrong(f"{name}: wrk said: {output.strip()}")
    errors = {kind: result[kind] for kind in ("connect", "read", "write", "status", "timeout") if result[kind]}
    if name in CLOSES_SILENTLY and errors.get("read", 0) <= result["requests"]:
        errors.pop("read", None)
    if errors:
        raise Wrong(f"{name}: wrk counted errors: {errors}, and {result['requests']} answers")
    if not result["requests"]:
        raise Wrong(f"{name}: no answer in {result['seconds']:.1f} s")
    if result["bytes"] < result["requests"] * length:
        raise Wrong(f"{name}: answers were short: {result['bytes']} bytes in {result['requests']} of them")
    # wrk fills in the answers that should have come while one was slow, going by the mean time from one answer to
    # the next. That mean is not what a client waits for where requests are pipelined, and makes nonsense of it.
    p50, p99 = (result["p50"], result["p99"]) if timed else (None, None)
    return Load(result["requests"], result["seconds"], p50, p99)
