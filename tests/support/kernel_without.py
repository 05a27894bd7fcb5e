#!/usr/bin/env python3
"""Runs a program as on a kernel that lacks some system calls: kernel_without.py CALLS PROGRAM [ARGUMENTS]

CALLS are names from the table below with commas between, or `since-3.18` for every call that is newer than
memfd_create (3.17). Each is answered with ENOSYS, by a seccomp filter that the program and what it starts inherit.
"""

import ctypes
import os
import platform
import struct
import sys

# Since 5.1 every processor has the same numbers.
EVERYWHERE = {
    "pidfd_open": 434,
    "close_range": 436,
    "openat2": 437,
    "pidfd_getfd": 438,
    "landlock_create_ruleset": 444,
}
OF = {
    "x86_64": {"audit": 0xC000003E, "memfd_create": 319, "epoll_create1": 291, "eventfd2": 290, "splice": 275},
    "aarch64": {"audit": 0xC00000B7, "memfd_create": 279, "epoll_create1": 20, "eventfd2": 19, "splice": 76},
}

LOAD, IF_EQUAL, IF_GREATER, RETURN = 0x20, 0x15, 0x25, 0x06
NUMBER, PROCESSOR = 0, 4  # where they are in what a filter is asked about
ALLOW, ENOSYS = 0x7FFF0000, 0x00050000 | 38
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, FILTER = 38, 22, 2


def main(calls, command):
    own = OF[platform.machine()]
    numbers = EVERYWHERE | own
    steps = [(LOAD, 0, 0, PROCESSOR), (IF_EQUAL, 1, 0, own["audit"]), (RETURN, 0, 0, ALLOW), (LOAD, 0, 0, NUMBER)]
    for call in calls.split(","):
        test = (IF_GREATER, numbers["memfd_create"]) if call == "since-3.18" else (IF_EQUAL, numbers[call])
        steps += [(test[0], 0, 1, test[1]), (RETURN, 0, 0, ENOSYS)]
    steps.append((RETURN, 0, 0, ALLOW))
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(code)))
    system = ctypes.CDLL(None, use_errno=True)
    for words in [(PR_SET_NO_NEW_PRIVS, 1, 0), (PR_SET_SECCOMP, FILTER, ctypes.addressof(program))]:
        if system.prctl(*map(ctypes.c_ulong, words), ctypes.c_ulong(0), ctypes.c_ulong(0)) != 0:
            sys.exit(f"kernel_without.py: prctl {words[0]}: {os.strerror(ctypes.get_errno())}")
    os.execvp(command[0], command)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2:])
