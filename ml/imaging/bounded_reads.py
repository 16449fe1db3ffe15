"""Bytes that a decoder may not nibble at for ever."""

from __future__ import annotations

import io

#: Honest files of 100 MB need a tenth of it: decoders read headers by the word and pixels by the block. Pillow looks
#: for markers of a JPEG or blocks of a GIF byte by byte, in Python, through whatever rubbish there is: for minutes.
MOST_READS = 500_000


class BoundedReads(io.BytesIO):
    """Raises OSError at a read beyond the first MOST_READS."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self._left = MOST_READS

    def read(self, size: int | None = -1, /) -> bytes:
        """As ever, as long as there are reads left."""
        self._left -= 1
        if self._left < 0:
            raise OSError("the decoder does not find what it looks for")
        return super().read(size)
