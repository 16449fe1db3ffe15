"""Who the client of a request is, and whether it still waits for its answer."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, Self

from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

from ml.deadline import Deadline
from web.errors import ClientGoneError

#: what one customer of an IPv6 network is given at least: addresses within it cost nothing to change
_IPV6_PREFIX = 64


def trust_proxies(app: Flask, count: int) -> None:
    """Take the client's address from the entry of X-Forwarded-For that the outermost of ``count`` proxies added.

    What stands left of it came from the client itself and is not believed. The scheme is the one that the last proxy
    that knows of it says: on Elastic Beanstalk the load balancer.
    """
    if count:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=1, x_host=0)  # type: ignore[method-assign]


def address() -> str:
    """The current request's client. Text that is no address is possible where proxies are fewer than were set."""
    return request.remote_addr or "unknown"


def network(client: str) -> str:
    """Whom limits count ``client`` to: an IPv4 address is one client, of IPv6 a /64 network is."""
    try:
        parsed = ip_address(client)
    except ValueError:
        return client
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or ip_network((int(parsed), _IPV6_PREFIX), strict=False))


class Client:
    """The other end of a request's connection. Without a socket, as with servers that give none, it never leaves."""

    def __init__(self, sock: socket.socket | None) -> None:
        self._socket = sock

    @classmethod
    def of(cls, environ: Mapping[str, Any]) -> Self:
        """The client of a WSGI request."""
        return cls(environ.get("gunicorn.socket"))

    def is_gone(self) -> bool:
        """Whether the connection is closed; nothing is taken from it.

        To be asked once the body has been read. Bytes that are there already are the next request of a client that
        does not wait for one answer before it sends another. One that has shut down its sending half counts as
        gone, as it does with nginx.
        """
        if self._socket is None:
            return False
        try:
            return not self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:  # reset
            return True
        except ValueError:  # TLS allows no such look
            return False

    def check(self, stage: str) -> None:
        """Raise ClientGoneError, naming the ``stage`` that is not started, if there is no one to answer."""
        if self.is_gone():
            raise ClientGoneError("The client closed the connection before the answer.", stage=stage)


class AttendedDeadline(Deadline):
    """The rest of a request's time, for as long as its client waits: each stage looks for both before it starts."""

    def __init__(self, deadline: Deadline, client: Client) -> None:
        super().__init__(deadline.remaining())
        self.seconds = deadline.seconds  # what messages speak of is the whole time
        self._client = client

    def at_most(self, seconds: float) -> AttendedDeadline:
        """The same, but no longer than ``seconds`` from now."""
        return AttendedDeadline(self if self.remaining() <= seconds else Deadline(seconds), self._client)

    def check(self, stage: str) -> None:
        """Raises DeadlineExceededError or ClientGoneError, each naming ``stage``."""
        super().check(stage)
        self._client.check(stage)
