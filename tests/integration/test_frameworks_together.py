"""torch, TensorFlow and FAISS in one process, in whatever order they are first needed.

Each order runs in a process of its own: what it guards against is a crash, not an exception.
"""

from __future__ import annotations

import itertools
import subprocess
import sys

import pytest

STEPS = {
    "torch": "import ml.models.torch_runtime, torch._dynamo, torch; torch.ones(64, 64) @ torch.ones(64, 64)",
    "tensorflow": "from ml.models.tensorflow_runtime import tf; tf.linalg.matmul(tf.ones((8, 8)), tf.ones((8, 8)))",
    "faiss": "import scin.index.faiss_vectors, faiss; faiss.IndexFlatIP(8)",
}


@pytest.mark.parametrize("order", list(itertools.permutations(STEPS)), ids="-".join)
def test_frameworks_share_a_process_in_any_order(order: tuple[str, ...]) -> None:
    program = "\n".join([*(STEPS[name] for name in order), "print('alive')"])
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stdout.endswith("alive\n"), f"exit {done.returncode}: {done.stderr[-500:]}"
