"""The folder that all servers serve: files, programs, and sockets; made once, in a temporary folder.

    DIR/www/         hello.txt, pipelined.txt, 100k.bin, 10m.bin, and folders with 1, 100 and 10,000 files
    DIR/www/cgi-bin  a link to DIR/cgi-bin, for busybox, which finds programs below the files
    DIR/cgi-bin/     the programs
    DIR/tools/       what the bench itself runs: the floors and the FastCGI application
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
PROGRAMS = HERE / "programs"

HELLO = b"hello world\n"
MEBIBYTE = 1 << 20
FOLDERS = (1, 100, 10_000)
"""How many files there are in the folders for the row about the growth of a folder."""

# Name, source, and how it is linked; hello is static so that starting it costs as little as it can.
CGI = (("hello-c", "hello.c", ["-static"]), ("big", "big.c", ["-static"]), ("sha256", "sha256.c", ["-static"]))
SCRIPTS = (("hello-sh", "hello.sh"), ("hello-py", "hello.py"), ("hello-open-py", "hello-open.py"), ("sleep", "sleep.sh"))
TOOLS = (
    ("fcgi-answer", "fcgi-answer.c", ["-lfcgi"]),
    ("spawn-floor", "spawn-floor.c", ["-pthread"]),
    ("echo-floor", "echo-floor.c", ["-pthread"]),
)


def pattern(length: int) -> bytes:
    """Bytes that are the same in every run and do not repeat soon."""
    block = b"".join(hashlib.sha256(number.to_bytes(4, "big")).digest() for number in range(2048))
    return (block * (length // len(block) + 1))[:length]


class Site:
    """Paths of everything, and what belongs there."""

    def __init__(self) -> None:
        self.dir = Path(tempfile.mkdtemp(prefix="tollgate-bench-"))
        self.www = self.dir / "www"
        self.cgi = self.dir / "cgi-bin"
        self.tools = self.dir / "tools"
        self.body = self.dir / "body.bin"

    def build(self) -> None:
        """Writes the files and compiles the programs. Servers with a user of their own have to get in."""
        self.dir.chmod(0o755)
        for folder in (self.www, self.cgi, self.tools):
            folder.mkdir()
        (self.www / "cgi-bin").symlink_to(self.cgi)
        for name in ("hello.txt", "pipelined.txt"):
            (self.www / name).write_bytes(HELLO)
        (self.www / "100k.bin").write_bytes(pattern(100_000))
        (self.www / "10m.bin").write_bytes(pattern(10 * MEBIBYTE))
        self.body.write_bytes(pattern(10 * MEBIBYTE))
        for count in FOLDERS:
            folder = self.www / f"of-{count}"
            folder.mkdir()
            for number in range(count):
                (folder / f"{number}.txt").write_bytes(HELLO)
        for name, source in SCRIPTS:
            shutil.copy(PROGRAMS / source, self.cgi / name)
            (self.cgi / name).chmod(0o755)
        for name, source, flags in CGI:
            compile_c(PROGRAMS / source, self.cgi / name, flags)
        for name, source, flags in TOOLS:
            compile_c(PROGRAMS / source, self.tools / name, flags)

    def many_megabytes(self, count: int) -> list[str]:
        """Paths of so many files of 1 MiB. They are holes, which fill the page cache like any other and no disk."""
        folder = self.www / "megabytes"
        folder.mkdir(exist_ok=True)
        for number in range(count):
            with open(folder / f"{number}.bin", "ab") as file:
                file.truncate(MEBIBYTE)
        return [f"/megabytes/{number}.bin" for number in range(count)]

    def server_folder(self, server: str) -> Path:
        """A fresh folder for a server's own files. A server that changes its user has to be able to write there."""
        folder = Path(tempfile.mkdtemp(prefix=f"{server}-", dir=self.dir))
        folder.chmod(0o777)
        return folder

    def remove(self) -> None:
        """Removes all of it."""
        shutil.rmtree(self.dir, ignore_errors=True)


def compile_c(source: Path, program: Path, flags: list[str]) -> None:
    """Compiles one C file. Libraries come behind the source, where the linker wants them."""
    compiler = os.environ.get("CC", "cc")
    command = [compiler, "-O2", "-o", str(program), str(source), *flags]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if done.returncode != 0:
        raise SystemExit(f"bench: {' '.join(command)} failed; does bench/install help?\n{done.stderr}")
