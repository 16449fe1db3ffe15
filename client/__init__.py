"""DermServe's client: ``dermserve photo.jpg``, or ``Client(url).analyze("photo.jpg")``.

It needs requests, tenacity and rich alone, and nothing of the service's code.
"""

from .api import Client, ClientError, RefusedError, UnavailableError, UnreachableError

__all__ = ["Client", "ClientError", "RefusedError", "UnavailableError", "UnreachableError"]
