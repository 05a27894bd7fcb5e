"""Processes that the bench starts: each in a session of its own, looked at through /proc, and ended for certain.

A session and not a group is what belongs together, since tollgate gives each program a group of its own, and a
daemon's children may outlive their parent. Whatever happens, `stop_all` leaves nothing running.
"""

from __future__ import annotations

import atexit
import contextlib
import os
import resource
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TICK = 1 / os.sysconf("SC_CLK_TCK")
SIGCHLD_BIT = 1 << (signal.SIGCHLD - 1)

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_running: list[Session] = []


@dataclass(frozen=True)
class Stat:
    """What /proc/PID/stat says, of which only this is of use here."""

    session: int
    state: str
    own: float
    """Seconds of processor, user and system."""
    reaped: float
    """The same of all children that were waited for."""


def stat(pid: int) -> Stat | None:
    """The state of a process; None where it has gone."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="latin-1")
    except OSError:
        return None
    # The name in brackets may hold anything, so it is cut off from behind.
    fields = text[text.rindex(")") + 2 :].split()
    times = [int(field) * TICK for field in fields[11:15]]
    return Stat(int(fields[3]), fields[0], times[0] + times[1], times[2] + times[3])


def called(pid: int) -> str:
    """What a process was called by whoever started it; empty where it has gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text(encoding="utf-8", errors="replace").split("\0")[0]
    except OSError:
        return ""


def pss_kib(pid: int) -> float:
    """The memory of a process in KiB, what it shares with others divided among them."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return float(line.split()[1])
    except OSError:
        pass
    return 0.0


def _reaps(pid: int) -> bool:
    """Whether the processor time of a process's children is counted; where it ignores SIGCHLD it is lost."""
    try:
        for line in Path(f"/proc/{pid}/status").read_text(encoding="latin-1").splitlines():
            if line.startswith("SigIgn:"):
                return not int(line.split()[1], 16) & SIGCHLD_BIT
    except OSError:
        pass
    return True


class Session:
    """A program and all that it starts."""

    def __init__(self, command: list[str], log: Path, **options: Any) -> None:
        self.command = command
        self.log = log
        with open(log, "ab") as output:
            options.setdefault("stdin", subprocess.DEVNULL)
            options.setdefault("stdout", output)
            self.process = subprocess.Popen(command, stderr=output, start_new_session=True, **options)
        _running.append(self)

    @property
    def pid(self) -> int:
        """The process that was started; its number is the session's as well."""
        return self.process.pid

    def ended(self) -> bool:
        """Whether the program that was started has ended."""
        return self.process.poll() is not None

    def members(self) -> list[int]:
        """Every living process of the session."""
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit():
                about = stat(int(name))
                if about is not None and about.session == self.pid and about.state != "Z":
                    found.append(int(name))
        return found

    def cpu(self) -> float:
        """Seconds of processor that the living and those that they waited for have had."""
        times = (stat(pid) for pid in self.members())
        return sum(time.own + time.reaped for time in times if time is not None)

    def counts_children(self) -> bool:
        """Whether `cpu` has the children of all members; it has not where one of them ignores SIGCHLD."""
        return all(_reaps(pid) for pid in self.members())

    def pss(self) -> float:
        """Memory of all members in KiB."""
        return sum(pss_kib(pid) for pid in self.members())

    def stop(self) -> None:
        """Ends it: asked first, then made to. Where this is interrupted, `stop_all` does it once more."""
        if not self.ended():
            self.process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(1.5)
        deadline = time.monotonic() + 5
        while (members := self.members()) and time.monotonic() < deadline:
            for pid in members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self.process.poll()
            time.sleep(0.005)
        self.process.wait()
        if self in _running:
            _running.remove(self)

    def last_words(self) -> str:
        """The end of what it has written, for a message."""
        try:
            return self.log.read_text(encoding="utf-8", errors="replace")[-600:].strip()
        except OSError:
            return ""


def stop_all() -> None:
    """Ends whatever still runs, and is not to be interrupted in it."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    for session in list(_running):
        session.stop()


def prepare() -> None:
    """Has everything ended with the bench, also by Ctrl-C and SIGTERM, and allows many descriptors."""

    def interrupted(number: int, _frame: object) -> None:
        raise SystemExit(128 + number)

    atexit.register(stop_all)
    for signal_number in SIGNALS:
        signal.signal(signal_number, interrupted)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
