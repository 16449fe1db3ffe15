"""How a listening socket is emptied before it is closed: no connection begins, those that wait can be accepted."""

from __future__ import annotations

import ctypes
import select
import socket
import struct
import sys

_SO_ATTACH_FILTER = 26  # asm-generic/socket.h; Python's socket module does not name it

#: Classic BPF, (code, jump if true, jump if false, operand), run on each segment from its TCP header on:
#: load the byte of the flags; if SYN is among them drop the segment, otherwise keep it.
_DROP_SYN = ((0x30, 0, 0, 13), (0x45, 0, 1, 0x02), (0x06, 0, 0, 0), (0x06, 0, 0, 0xFFFFFFFF))


def begin_no_connection(listener: socket.socket) -> bool:
    """Let the kernel drop the first segment of each new connection; connections that have begun are not touched.

    Closing a listening socket resets every connection in its queue or its handshake, and the queue fills as long as the
    socket listens. A client whose first segment is dropped sends it again after a second; the port is then closed and
    refuses it, instead of a reset. The filter belongs to the socket, so it holds for all processes that share it.
    Returns False where there is no such filter: anywhere but on Linux.
    """
    if sys.platform != "linux":
        return False
    program = b"".join(struct.pack("HBBI", *instruction) for instruction in _DROP_SYN)
    buffer = ctypes.create_string_buffer(program, len(program))
    try:
        listener.setsockopt(
            socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_DROP_SYN), ctypes.addressof(buffer))
        )
    except OSError:
        return False
    return True


def has_waiting(listener: socket.socket) -> bool:
    """Whether a connection can be accepted."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))
