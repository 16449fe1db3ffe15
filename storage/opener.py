"""URI → store. A store's client library is imported only when its scheme is used."""

from __future__ import annotations

from urllib.parse import urlsplit

from storage.base import Storage, StorageError


def open_storage(uri: str) -> Storage:
    """The store that ``uri`` names.

    ``/a/folder`` or ``file:///a/folder``; ``https://host/path/``; ``gs://bucket/prefix``; ``s3://bucket/prefix``;
    ``wheel:name==version#sha256=…`` (a wheel of the package registry that pip is configured for).

    Raises StorageError for a scheme that is not supported.
    """
    scheme = urlsplit(uri).scheme if ":" in uri else ""
    if scheme in ("", "file"):
        from storage.folder import FolderStorage

        return FolderStorage(uri)
    if scheme in ("http", "https"):
        from storage.web import WebStorage

        return WebStorage(uri)
    if scheme == "gs":
        from storage.gcs import GoogleStorage

        return GoogleStorage(uri)
    if scheme == "s3":
        from storage.s3 import S3Storage

        return S3Storage(uri)
    if scheme == "wheel":
        from storage.wheel import WheelStorage

        return WheelStorage(uri)
    raise StorageError(f"'{scheme}:' is not a known kind of source. Use a folder, https, gs://, s3:// or wheel:.")
