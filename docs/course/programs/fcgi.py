"""As much of FastCGI 1.0 as a program needs that answers one request after the other.

A connection carries records: eight bytes that say what follows and how long it is, and then that. A request comes
as BEGIN, PARAMS (the variables) and STDIN (the body); an answer is STDOUT and END. An empty record ends a stream.
"""

import socket
import struct

HEADER = struct.Struct("!BBHHBx")  # version, kind, number of the request, length, length of padding
BEGIN, END, PARAMS, STDIN, STDOUT = 1, 3, 4, 5, 6
PIECE = 32768


def serve(answer):
    """Answers for ever what comes to the socket at descriptor 0. `answer` gets the variables, and gives a text."""
    listener = socket.socket(fileno=0)
    while True:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as stream:
            try:
                while one_request(stream, answer):
                    pass
            except OSError:
                pass  # Whoever asked is gone. The next one is not.


def one_request(stream, answer):
    """Answers one request; says whether another one may come over this connection."""
    variables, keep = b"", False
    while True:
        header = stream.read(HEADER.size)
        if len(header) < HEADER.size:
            return False
        _, kind, number, length, padding = HEADER.unpack(header)
        content = stream.read(length + padding)[:length]
        if kind == BEGIN:
            keep = bool(content[2] & 1)
        elif kind == PARAMS:
            variables += content
        elif kind == STDIN and not content:
            break
    printed = answer(dict(pairs(variables))).encode()
    for start in range(0, len(printed), PIECE):
        piece = printed[start : start + PIECE]
        stream.write(HEADER.pack(1, STDOUT, number, len(piece), 0) + piece)
    stream.write(HEADER.pack(1, STDOUT, number, 0, 0))
    stream.write(HEADER.pack(1, END, number, 8, 0) + bytes(8))
    stream.flush()
    return keep


def pairs(data):
    """Names and values. Before each pair stand its two lengths: one byte each, or four if that is not enough."""
    at = 0
    while at < len(data):
        lengths = []
        for _ in range(2):
            size = 1 if data[at] < 128 else 4
            lengths.append(int.from_bytes(data[at : at + size], "big") & 0x7FFFFFFF)
            at += size
        name, value = data[at : at + lengths[0]], data[at + lengths[0] : at + sum(lengths)]
        at += sum(lengths)
        yield name.decode("utf-8", "replace"), value.decode("utf-8", "replace")
