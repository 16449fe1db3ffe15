"""OpenVINO, imported so that it tells nobody.

Its package reports each import to an analytics service, through ``openvino_telemetry``. Where that cannot be imported
it uses a stub that sends nothing.
"""

import sys

sys.modules["openvino_telemetry"] = None  # type: ignore[assignment] # how Python marks what must not be imported

import openvino  # noqa: E402 - after the line above, on purpose

__all__ = ["openvino"]
