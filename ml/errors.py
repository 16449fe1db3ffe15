"""The errors that a photo or a model can cause.

Every message is for the caller and says what to do. The cause is chained and goes to the log.
"""


class MLError(Exception):
    """Base class of these errors. ``code`` is for programs and does not change."""

    code = "ml_error"

    def __init__(self, message: str, **details: object) -> None:
        super().__init__(message)
        self.message = message
        self.details = details


class ImageError(MLError):
    """The file cannot be read as a photo."""

    code = "bad_image"


class EmptyImageError(ImageError):
    """The photo has no bytes."""

    code = "empty_image"


class UnsupportedImageError(ImageError):
    """The file is not an image, or has a format that the service does not read."""

    code = "unsupported_image"


class DamagedImageError(ImageError):
    """The file is cut short or damaged."""

    code = "damaged_image"


class ImageTooSmallError(ImageError):
    """The photo has too few pixels to analyse."""

    code = "image_too_small"


class ImageTooLargeError(ImageError):
    """The photo's header states more pixels than the limit allows."""

    code = "too_many_pixels"


class ArtifactError(MLError):
    """A file of a model or an index is missing, altered or of the wrong kind. Loading stops."""

    code = "bad_artifact"


class ModelError(MLError):
    """A model failed on a photo."""

    code = "backend_failed"


class DeadlineExceededError(MLError):
    """The request ran out of time before the named stage could start."""

    code = "deadline_exceeded"
