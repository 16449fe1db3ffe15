"""TensorFlow, imported so that torch can be used in the same process.

torch's builds for GPUs bring Triton, whose library crashes the process when it is loaded after TensorFlow's (seen with
torch 2.13.0 and TensorFlow 2.21.0; both carry a copy of LLVM). Loaded before it, it does no harm, whatever comes later.
"""

from importlib import import_module
from importlib.util import find_spec

if find_spec("triton") is not None:
    import_module("triton")

import tensorflow as tf

__all__ = ["tf"]
