"""How each server is started: the configuration filled in, at a free port of 127.0.0.1, in the foreground.

Nothing of a system's own configuration is read. What a configuration chooses, and why, is said in it.
"""

from __future__ import annotations

import http.client
import os
import resource
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from bench.process import Session, called
from bench.site import HERE, Site

CORES = os.cpu_count() or 1
FCGI_PROCESSES = 16
STARTERS = ("tollgate: spawner", "fcgiwrap")
"""What processes are called that start programs and have no connections; Apache's is called as its others."""
PATIENCE = 10.0
"""Seconds that a server may take to start."""


def free_port() -> int:
    """A port that nobody listens at; it stays free for a while, since the kernel deals them out in turn."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str) -> str | None:
    """Where a server is; Debian keeps most where only root's PATH leads."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")


class Server:
    """One server while it runs, with the processes that it needs."""

    def __init__(self, name: str, site: Site, tollgate: Path, kind: str, answer: int = 0, clients: int = 0,
                 options: tuple[str, ...] = ()) -> None:
        self.name = name
        self.site = site
        self.kind = kind
        self.port = free_port()
        self.folder = site.server_folder(name)
        self.sessions: list[Session] = []
        """The server and its helpers: what its processor time and memory are counted of."""
        self.backend: list[Session] = []
        """The FastCGI application, the same for all and counted for none."""
        self.sockets: list[socket.socket] = []
        self._tollgate = tollgate
        self._clients = clients
        self._options = options
        try:
            if kind == "fcgi":
                self._start_application(answer)
            starters: dict[str, Callable[[], list[str]]] = {
                "tollgate": self._tollgate_command,
                "lighttpd": self._lighttpd_command,
                "nginx": self._nginx_command,
                "apache": self._apache_command,
                "busybox": self._busybox_command,
            }
            command = starters[name]()
            self.begun = time.perf_counter()
            self.sessions.append(Session(command, self.folder / "output.log"))
        except BaseException:
            self.stop()
            raise

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait(self) -> None:
        """Returns when the server answers."""
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            if self.sessions[-1].ended():
                break
            try:
                self.get("/hello.txt")
                return
            except (OSError, http.client.HTTPException):
                time.sleep(0.005)
        raise SystemExit(f"bench: {self.name} does not answer: {' '.join(self.sessions[-1].command)}\n"
                         f"{self.sessions[-1].last_words()}")

    def get(self, path: str, method: str = "GET", body: bytes | None = None) -> tuple[int, bytes]:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body, {"Connection": "close"})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()

    def cpu(self) -> float:
        """Seconds of processor so far."""
        return sum(session.cpu() for session in self.sessions)

    def cpu_is_whole(self) -> bool:
        """Whether `cpu` has everything that ran: it has not where children are never waited for.

        busybox has a child for each connection; the others have children only where they run programs.
        """
        if self.kind != "cgi" and self.name != "busybox":
            return True
        return all(session.counts_children() for session in self.sessions)

    def pss(self) -> float:
        """Memory in KiB."""
        return sum(session.pss() for session in self.sessions)

    def pids(self) -> list[int]:
        """The processes that the server consists of."""
        return [pid for session in self.sessions for pid in session.members()]

    def own_pids(self) -> list[int]:
        """Those of them that have connections: not the ones that start programs for them."""
        return [pid for pid in self.pids() if Path(called(pid)).name not in STARTERS]

    def stop(self) -> None:
        """Ends it and all that was started for it."""
        for session in [*reversed(self.sessions), *self.backend]:
            session.stop()
        for listener in self.sockets:
            listener.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _listen(self, name: str) -> socket.socket:
        """A unix socket that whoever may connect to, for processes that accept on descriptor 0."""
        listener = socket.socket(socket.AF_UNIX)
        self.sockets.append(listener)
        listener.bind(str(self.folder / name))
        (self.folder / name).chmod(0o777)
        listener.listen(1024)
        return listener

    def _start_application(self, answer: int) -> None:
        listener = self._listen("fcgi.sock")
        command = [str(self.site.tools / "fcgi-answer"), str(answer)]
        for _ in range(FCGI_PROCESSES):
            self.backend.append(Session(command, self.folder / "application.log", stdin=listener))

    def _filled(self, name: str) -> str:
        """The path of a configuration with its @NAMES@ filled in."""
        root = os.geteuid() == 0
        values = {
            "PORT": self.port,
            "DIR": self.folder,
            "WWW": self.site.www,
            "CGI": self.site.cgi,
            "CGI_PARENT": self.site.dir,
            "FCGI": self.folder / "fcgi.sock",
            "WRAP": self.folder / "wrap.sock",
            "PEERS": HERE / "peers",
            "CORES": CORES,
            "DESCRIPTORS": min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 20_000),
            "THREADS": 256 * CORES,
            "MODULES": "/usr/lib/apache2/modules",
            # nginx would change to nobody, and Apache does not serve as root at all.
            "USER_LINE": {
                "nginx.conf": "user root;" if root else "",
                "apache.conf": "User www-data\nGroup www-data" if root else "",
            }.get(name, ""),
        }
        text = (HERE / "peers" / name).read_text(encoding="utf-8")
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        return str(path)

    def _tollgate_command(self) -> list[str]:
        command = [str(self._tollgate), "-l", f"127.0.0.1:{self.port}", *self._options]
        if os.geteuid() == 0:
            command.append("--allow-root")
        if self.kind == "fcgi":
            command += ["-f", f"/fcgi=unix:{self.folder}/fcgi.sock", "--max-backend", str(FCGI_PROCESSES)]
        return [*command, str(self.site.dir)]

    def _lighttpd_command(self) -> list[str]:
        return [_found("lighttpd"), "-D", "-f", self._filled("lighttpd.conf")]

    def _nginx_command(self) -> list[str]:
        if self.kind == "cgi":
            # It runs no programs itself. fcgiwrap has one request at a time for each of its processes, and one
            # that a kept connection leads to waits for that one: so there are as many as clients, at least.
            listener = self._listen("wrap.sock")
            command = [_found("fcgiwrap"), "-c", str(max(FCGI_PROCESSES, self._clients))]
            self.sessions.append(Session(command, self.folder / "wrap.log", stdin=listener))
        return [_found("nginx"), "-c", self._filled("nginx.conf"), "-e", str(self.folder / "error.log")]

    def _apache_command(self) -> list[str]:
        return [_found("apache2"), "-D", "FOREGROUND", "-f", self._filled("apache.conf")]

    def _busybox_command(self) -> list[str]:
        # It has no configuration that would make it faster.
        return [_found("busybox"), "httpd", "-f", "-p", f"127.0.0.1:{self.port}", "-h", str(self.site.www)]


PACKAGED = {"lighttpd": "lighttpd", "nginx": "nginx", "apache": "apache2", "busybox": "busybox"}


def _found(name: str) -> str:
    path = program(name)
    if path is None:
        raise SystemExit(f"bench: {name} is missing; bench/install installs it on Debian")
    return path


def version(name: str, tollgate: Path) -> str:
    """What a server says that it is."""
    commands = {
        "tollgate": [str(tollgate), "--version"],
        "lighttpd": ["lighttpd", "-v"],
        "nginx": ["nginx", "-v"],
        "apache": ["apache2", "-v"],
        "busybox": ["busybox"],
        "wrk": ["wrk", "-v"],
        "fcgiwrap": ["fcgiwrap", "-h"],
    }
    command = commands[name]
    command[0] = program(command[0]) or command[0]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except OSError:
        return "missing"
    lines = (done.stdout + done.stderr).strip().splitlines()
    if name == "fcgiwrap":
        lines = [line for line in lines if "version" in line]
    text = lines[0] if lines else "unknown"
    for noise in ("Server version: ", "nginx version: ", " multi-call binary.", " - a light and fast webserver"):
        text = text.replace(noise, "")
    return text.split(" Copyright")[0].strip()
