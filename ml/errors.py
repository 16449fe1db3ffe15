"""The errors that a photo or a model can cause. What a client may receive has two parts in its docstring: the first
sentence says when it happens, the rest what the client does about it.

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
    """The file cannot be read as a photo. Send another photo."""

    code = "bad_image"


class EmptyImageError(ImageError):
    """The photo has no bytes. Check that the file is read before it is sent."""

    code = "empty_image"


class UnsupportedImageError(ImageError):
    """The file is not an image of a format that is read. Save the photo as JPEG or PNG."""

    code = "unsupported_image"


class DamagedImageError(ImageError):
    """The file is cut short or damaged. Send the original file."""

    code = "damaged_image"


class ImageTooSmallError(ImageError):
    """The photo has too few pixels to analyse. Send it in its original size."""

    code = "image_too_small"


class ImageTooLargeError(ImageError):
    """The photo has more pixels than the limit allows. Send a copy of at most `details.max_pixels` pixels."""

    code = "too_many_pixels"


class TooFewCasesError(MLError):
    """There are too few labelled cases for what was asked. To repeat it changes nothing."""

    code = "too_few_cases"


class ArtifactError(MLError):
    """A file of a model or an index is missing, altered or of the wrong kind. Loading stops."""

    code = "bad_artifact"


class ModelError(MLError):
    """A model failed on a photo."""

    code = "backend_failed"


class DeadlineExceededError(MLError):
    """The time ran out before the stage in `details.stage`. Try again later, or send fewer photos."""

    code = "deadline_exceeded"
