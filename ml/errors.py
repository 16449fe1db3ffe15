"""What can go wrong with an image or a model.

Every message is written for the caller and says what to do; causes are chained and go to the log.
"""


class MLError(Exception):
    """Root of this room's errors; ``code`` is stable and machine-readable."""

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
    """The photo has fewer pixels than can be analysed."""

    code = "image_too_small"


class ImageTooLargeError(ImageError):
    """The photo has more pixels than the limit, by its header."""

    code = "too_many_pixels"


class ArtifactError(MLError):
    """A model file is missing, altered or not what its spec says. Stops the load."""

    code = "bad_artifact"


class BackendError(MLError):
    """A framework failed while running a model."""

    code = "backend_failed"


class DeadlineExceededError(MLError):
    """The request's time ended before the named stage could start."""

    code = "deadline_exceeded"
