#!/usr/bin/env python3
# Says whether a number is prime, as CGI and as FastCGI. To get ready takes a while; to answer does not.
import os
import stat
from urllib.parse import parse_qs

import fcgi

LIMIT = 400_000
is_prime = bytearray([0, 0]) + bytearray([1]) * (LIMIT - 2)
for number in range(2, int(LIMIT**0.5) + 1):
    if is_prime[number]:
        is_prime[number * number :: number] = bytes(len(range(number * number, LIMIT, number)))
primes = sum(is_prime)
answered = 0


def page(variables):
    """What a CGI program would print."""
    global answered
    answered += 1
    asked = parse_qs(variables.get("QUERY_STRING", "")).get("n", [""])[0]
    if not (asked.isascii() and asked.isdigit() and len(asked) <= 6 and int(asked) < LIMIT):
        return f"Status: 400 Bad Request\nContent-Type: text/plain\n\n?n= a number below {LIMIT}, please.\n"
    answer = "is a prime number" if is_prime[int(asked)] else "is no prime number"
    return (
        f"Content-Type: text/plain\n\n{asked} {answer}. There are {primes} below {LIMIT}.\n"
        f"Process {os.getpid()} has answered {answered} times.\n"
    )


if stat.S_ISSOCK(os.fstat(0).st_mode):
    fcgi.serve(page)  # Descriptor 0 is a socket: requests come there, one after the other.
else:
    print(page(os.environ), end="")  # The one request is in the environment.
