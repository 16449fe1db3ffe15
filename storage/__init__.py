"""One small interface to where files live: a folder, https, ``gs://``, ``s3://``, or a wheel from the registry."""

from storage.base import ChecksumError, NotFoundError, ObjectInfo, Storage, StorageError
from storage.opener import open_storage

__all__ = ["ChecksumError", "NotFoundError", "ObjectInfo", "Storage", "StorageError", "open_storage"]
