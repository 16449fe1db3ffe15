"""What can go wrong with a photo or a model.

Every message is for the caller and says what to do. Causes are chained and go to the log.
"""


class MLError(Exception):
    """Base of these errors. ``code`` is for programs and does not change."""

    code = "ml_error"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class ImageError(MLError):
    """The bytes are not a photo that can be analysed."""

    code = "bad_image"


class EmptyImageError(ImageError):
    code = "empty_image"


class UnsupportedImageError(ImageError):
    """Not an image, or in a format that is not read."""

    code = "unsupported_image"


class DamagedImageError(ImageError):
    """In a format that is read, but the data is incomplete or damaged."""

    code = "damaged_image"


class ImageTooSmallError(ImageError):
    code = "image_too_small"


class ImageTooLargeError(ImageError):
    """More pixels than the limit, by the header."""

    code = "too_many_pixels"


class ArtifactError(MLError):
    """A file of a model or an index is missing, altered or not what was expected. Stops the load."""

    code = "bad_artifact"


class ModelError(MLError):
    """A model failed on a photo."""

    code = "backend_failed"


class DeadlineExceededError(MLError):
    """The time of the request was over before the named stage could start."""

    code = "deadline_exceeded"
