"""DermServe's client: ``dermserve photo.jpg``, or ``Client(url).analyze("photo.jpg")``.

It depends only on requests, tenacity and rich, not on the service's code.
"""

from .api import Client, ClientError, RefusedError, UnavailableError, UnreachableError

__all__ = ["Client", "ClientError", "RefusedError", "UnavailableError", "UnreachableError"]
