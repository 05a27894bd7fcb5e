"""Sends a request with another one behind it, and tells what came of both.

The second one, the canary, shows where a server thinks that the first one ends.
"""

from __future__ import annotations

from dataclasses import dataclass

from .servers import connect

CANARY = b"GET /canary.txt HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
ANSWER = b"canary\n"


@dataclass(frozen=True)
class Answer:
    """One response."""

    status: int
    body: bytes
    framing: str
    """`none`, `length`, `chunked` or `close`."""
    part: bytes | None = None
    """Its Content-Range."""


@dataclass(frozen=True)
class Outcome:
    """All that a server did with a request and the canary."""

    answers: tuple[Answer, ...]
    end: str
    """`next`: the canary was answered. `closed`: the connection was closed. `waits`: the server wants more.
    `cut`: it was closed inside an answer. `junk`: what came is no response."""

    def is_refusal(self) -> bool:
        """Whether nothing but errors came, if anything, and then the end: some refuse without a word."""
        return self.end == "closed" and all(is_error(answer) for answer in self.answers)

    def summary(self) -> str:
        """The answers but the canary's, and the end: `200 next`, `refuses`."""
        if self.is_refusal():
            return "refuses"
        words = ["error" if is_error(answer) else str(answer.status) for answer in self.answers]
        return " ".join([*(words or ["none"]), self.end])


def is_error(answer: Answer) -> bool:
    """Whether the request was not in order, or not to be had: one error is as good as another."""
    return answer.status >= 400 and answer.status not in (412, 416)


def exchange(at: str, request: bytes, quiet: float) -> Outcome:
    """Has the server at a unix socket answer; one that is silent for `quiet` seconds waits for more."""
    raw = b""
    waits = False
    with connect(at) as stream:
        stream.settimeout(quiet)
        try:
            stream.sendall(request + CANARY)
        except OSError:
            # It may close before it has read all of that.
            pass
        try:
            while piece := stream.recv(65536):
                raw += piece
        except TimeoutError:
            waits = True
        except OSError:
            # A reset is how a connection ends that was closed with bytes unread.
            pass
    return read(raw, waits, request)


def read(raw: bytes, waits: bool, request: bytes) -> Outcome:
    """Takes the responses apart."""
    answers: list[Answer] = []
    is_head = request.lstrip(b"\r\n").startswith(b"HEAD ")
    while raw:
        head, blank, rest = raw.partition(b"\r\n\r\n")
        if not blank or not head.startswith((b"HTTP/1.1 ", b"HTTP/1.0 ")) or not head[9:12].isdigit():
            return Outcome(tuple(answers), "junk")
        status = int(head[9:12])
        fields = dict(field(line) for line in head.split(b"\r\n")[1:])
        if status < 200:
            raw = rest
            continue
        is_bodiless = status in (204, 304) or (is_head and not answers)
        part = fields.get(b"content-range")
        length, coding = fields.get(b"content-length"), fields.get(b"transfer-encoding")
        if is_bodiless:
            answer, raw = Answer(status, b"", "none", part), rest
        elif coding == b"chunked":
            body, behind = dechunk(rest)
            answer = Answer(status, body, "chunked", part)
            if behind is None:
                return Outcome((*answers, answer), "waits" if waits else "cut")
            raw = behind
        elif length is not None and length.isdigit():
            if len(rest) < int(length):
                return Outcome((*answers, Answer(status, rest, "length", part)), "waits" if waits else "cut")
            answer, raw = Answer(status, rest[: int(length)], "length", part), rest[int(length) :]
        else:
            answer, raw = Answer(status, rest, "close", part), b""
        answers.append(answer)
    if answers and answers[-1].body == ANSWER:
        return Outcome(tuple(answers[:-1]), "next")
    return Outcome(tuple(answers), "waits" if waits else "closed")


def field(line: bytes) -> tuple[bytes, bytes]:
    """Name and value of a field line."""
    name, _, value = line.partition(b":")
    return name.lower(), value.strip()


def dechunk(raw: bytes) -> tuple[bytes, bytes | None]:
    """The body of a chunked response, and what follows it; None where the end did not come."""
    body = b""
    while True:
        size, line_end, raw = raw.partition(b"\r\n")
        if not line_end:
            return body, None
        count = int(size, 16)
        body, rest = body + raw[:count], raw[count:]
        if not rest.startswith(b"\r\n"):
            return body, None
        raw = rest[2:]
        if count == 0:
            return body, raw
