"""ONNX Runtime, imported so that it tells nobody.

The published builds from 1.29 on report to their maker by default, on Linux too: the mere import makes an identifier
in the user's cache folder, and events go out from a thread of their own. The variable is their documented full
opt-out; it counts only if it is set before the library is loaded.
"""

import os

os.environ["ORT_DISABLE_TELEMETRY"] = "1"

import onnxruntime as ort

__all__ = ["ort"]
