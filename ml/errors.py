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
    """The bytes cannot become a photo that can be analysed."""

    code = "bad_image"


class EmptyImageError(ImageError):
    code = "empty_image"


class UnsupportedImageError(ImageError):
    """Not an image, or a format outside the allow-list."""

    code = "unsupported_image"


class DamagedImageError(ImageError):
    """An allowed format whose data is truncated or damaged."""

    code = "damaged_image"


class ImageTooSmallError(ImageError):
    code = "image_too_small"


class ImageTooLargeError(ImageError):
    """More pixels than the limit, told from the header before decoding."""

    code = "too_many_pixels"


class ArtifactError(MLError):
    """A model file is missing, altered or not what its spec says. Stops the load."""

    code = "bad_artifact"


class BackendError(MLError):
    """A framework failed while running a model."""

    code = "backend_failed"


class DeadlineExceededError(MLError):
    """The request's time was used up before the named stage could start."""

    code = "deadline_exceeded"
