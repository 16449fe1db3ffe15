"""One interface to where files are kept: a folder, https, ``gs://``, ``s3://``, or a wheel of the package registry."""

from storage.base import ChecksumError, NotFoundError, ObjectInfo, Storage, StorageError, open_storage

__all__ = ["ChecksumError", "NotFoundError", "ObjectInfo", "Storage", "StorageError", "open_storage"]
