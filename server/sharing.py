"""What every worker would import by itself, imported before the fork: workers share its memory.

Only libraries that start no thread, under the environment of the thread plan and of ``server.allocator``, and hold no
connection. The frameworks that run models are none of them, and nor is this service's own code beyond what the boot
needs, so that a reload (HUP) takes what there is of it anew.
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
