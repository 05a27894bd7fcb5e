"""The three servers, each in the foreground at a unix socket, with the same files."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from pathlib import Path

FILES = {
    "page.txt": b"a page\n",
    "empty.txt": b"",
    "a b.txt": b"with a space\n",
    "index.html": b"the index\n",
    "sub/page.txt": b"a page below\n",
    "sub/index.html": b"the index below\n",
    "hidden": b"what was smuggled\n",
    ".hidden": b"begins with a dot\n",
    "canary.txt": b"canary\n",
}
ECHO = b"#!/bin/sh\nprintf 'Content-Type: text/plain\\n\\n'\nexec cat\n"
"""A program that gives the content back. nginx, which runs none, answers without a look at it."""
PATIENCE = 20.0
"""Seconds that a server may take to start."""

LIGHTTPD = """server.modules = ( "mod_cgi", "mod_alias" )
alias.url = ( "/cgi-bin/" => "{dir}/cgi-bin/" )
$HTTP["url"] =^ "/cgi-bin/" {{ cgi.assign = ( "" => "" ) }}
server.document-root = "{www}"
server.bind = "{socket}"
server.errorlog = "{dir}/lighttpd.log"
server.upload-dirs = ( "{dir}" )
index-file.names = ( "index.html" )
mimetype.assign = ( "" => "text/plain" )
# Content in GET is taken, a path ends in its file, and HTTP/2 is not spoken, as with the others.
server.http-parseopts = ( "method-get-body" => "enable" )
static-file.disable-pathinfo = "enable"
server.feature-flags = ( "server.h2c" => "disable", "server.h2proto" => "disable" )
"""
NGINX = """{user}daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/nginx.log crit;
events {{}}
http {{ access_log off; default_type text/plain; keepalive_timeout 60s; tcp_nopush off;
client_body_temp_path {dir}/temp; proxy_temp_path {dir}/temp; fastcgi_temp_path {dir}/temp;
uwsgi_temp_path {dir}/temp; scgi_temp_path {dir}/temp;
server {{ listen unix:{socket}; root {www}; index index.html;
location /cgi-bin/ {{ return 200; }} }} }}
"""


class Servers:
    """All that are there, by name: tollgate always, its peers where they are installed."""

    def __init__(self, folder: Path, tollgate: Path) -> None:
        self._children: list[subprocess.Popen[bytes]] = []
        self.sockets: dict[str, str] = {}
        www = folder / "www"
        for name, content in FILES.items():
            path = www / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        (folder / "cgi-bin").mkdir()
        (folder / "cgi-bin" / "echo").write_bytes(ECHO)
        (folder / "cgi-bin" / "echo").chmod(0o755)
        (folder / "outside.txt").write_bytes(b"outside\n")
        self.access_log = folder / "access.log"
        try:
            self._start(folder, "tollgate", lambda at: [
                str(tollgate), "-l", f"unix:{at}", "-s", f"/={www}", "-c", f"/cgi-bin/={folder}/cgi-bin",
                "--access-log", str(self.access_log), *(["--allow-root"] if os.geteuid() == 0 else [])])
            for name, text in (("lighttpd", LIGHTTPD), ("nginx", NGINX)):
                program = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
                if program is None:
                    print(f"differential: {name} is not installed, and is left out")
                    continue
                at = str(folder / f"{name}.socket")
                user = "user root; " if os.geteuid() == 0 else ""
                file = folder / f"{name}.conf"
                file.write_text(text.format(www=www, dir=folder, socket=at, user=user), encoding="utf-8")
                options = ["-D", "-f"] if name == "lighttpd" else ["-e", str(folder / "nginx.log"), "-c"]
                self._start(folder, name, lambda _, program=program, options=options, file=file: [
                    program, *options, str(file)])
        except BaseException:
            self.stop()
            raise

    def _start(self, folder: Path, name: str, command) -> None:
        at = str(folder / f"{name}.socket")
        log = (folder / f"{name}.output").open("wb")
        child = subprocess.Popen(command(at), stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        log.close()
        self._children.append(child)
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                connect(at).close()
                break
            except OSError:
                if child.poll() is not None or time.monotonic() > deadline:
                    said = (folder / f"{name}.output").read_text(encoding="utf-8", errors="replace")
                    raise SystemExit(f"differential: {name} does not start: {said}") from None
                time.sleep(0.01)
        self.sockets[name] = at

    def check(self) -> None:
        """Ends the run where a server has ended by itself."""
        for child in self._children:
            if child.poll() is not None:
                raise SystemExit(f"differential: {child.args} ended with {child.returncode}")

    def stop(self) -> None:
        """Ends all of them."""
        for child in self._children:
            child.terminate()
        for child in self._children:
            try:
                child.wait(5)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()


def connect(at: str) -> socket.socket:
    """A connection to a unix socket."""
    stream = socket.socket(socket.AF_UNIX)
    try:
        stream.connect(at)
    except BaseException:
        stream.close()
        raise
    return stream
