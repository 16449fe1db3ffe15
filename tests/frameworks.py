"""Which libraries cost much to import, and so must stay out until a worker loads what needs them."""

from __future__ import annotations

#: names of modules, as in sys.modules
HEAVY = (
    "torch",
    "tensorflow",
    "keras",
    "faiss",
    "pyarrow",
    "boto3",
    "google.cloud",
    "ai_edge_litert",
    "onnxruntime",
    "onnx",
    "tf2onnx",
)
