"""One interface for reading files from a folder, https, ``gs://``, ``s3://``, or a wheel of the package registry."""

from urllib.parse import urlsplit

from storage.base import ChecksumError, NotFoundError, ObjectInfo, Storage, StorageError

__all__ = ["ChecksumError", "NotFoundError", "ObjectInfo", "Storage", "StorageError", "open_storage"]


def open_storage(uri: str) -> Storage:
    """The store at ``uri``. A client library is imported only when its scheme is used.

    Accepted forms: ``/a/folder`` or ``file:///a/folder``, ``https://host/path/``, ``gs://bucket/prefix``,
    ``s3://bucket/prefix``, and ``wheel:name==version#sha256=…`` (a wheel from pip's configured registry).

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
    raise StorageError(f"'{scheme}:' is not a supported scheme. Use a folder, https, gs://, s3:// or wheel:.")
