"""The client of DermServe: ``dermserve photo.jpg``, or ``Client(url).analyze("photo.jpg")``.

``dermserve.models`` describes the answers. The client needs nothing of the service's code.
"""

from .clients import AsyncClient, Client
from .errors import ClientError, RefusedError, UnavailableError, UnknownAnswerError, UnreachableError
from .version import __version__

__all__ = [
    "AsyncClient",
    "Client",
    "ClientError",
    "RefusedError",
    "UnavailableError",
    "UnknownAnswerError",
    "UnreachableError",
    "__version__",
]
