"""Libraries that every worker needs, imported before the fork so that workers share their memory.

They start no thread, under the environment of the thread plan and of ``server.allocator``, and hold no connection. The
frameworks that run models are imported after the fork. So is this service's own code beyond what the boot needs: a
reload (HUP) then runs the code that is there.
"""

from __future__ import annotations

import gc
from importlib import import_module

from PIL import Image

LIBRARIES = (
    "flask",
    "flask_cors",
    "flask_limiter",
    "PIL.Image",
    "pillow_heif",
    "numpy",
    "cv2",
    "scipy",
    "skimage.draw",
    "pyarrow.compute",
    "pyarrow.parquet",
)


def import_libraries() -> None:
    """To be called once, in the process that forks, before it does."""
    for name in LIBRARIES:
        import_module(name)
    Image.init()  # its formats are modules of their own
    gc.collect()
    # A worker's collector writes to each object that it looks at, and each page that is written to is copied.
    gc.freeze()
