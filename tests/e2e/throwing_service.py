"""The service with an encoder that throws for a photo of one colour, as native code may: not even an Exception."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ml.models.encoder import Encoder
from ml.models.runtime import Runtime
from server.instance import settings_of_this_process, this_process
from web.app import create_app
from web.logs import configure_logging
from web.services import ProductionLoader


class ThrowingRuntime:
    """Another runtime, made to throw."""

    def __init__(self, runtime: Runtime) -> None:
        self.name, self.version = runtime.name, runtime.version
        self._runtime = runtime

    def run(self, *inputs: NDArray[np.generic]) -> list[NDArray[np.float32]]:
        colours = inputs[0].transpose(0, 2, 3, 1) if inputs[0].shape[1] == 3 else inputs[0]
        if (np.ptp(colours, axis=(1, 2)) < 0.1).all(axis=1).any():
            raise SystemExit("a library gave up")
        return self._runtime.run(*inputs)


class ThrowingLoader(ProductionLoader):
    """The real models, but for the encoder's runtime."""

    def load_models(self) -> None:
        super().load_models()
        if self._models is None:
            raise RuntimeError("no models")
        encoder = self._models.encoder
        throwing = Encoder(encoder.spec, ThrowingRuntime(encoder.runtime), encoder.fingerprint)
        self._models = replace(self._models, encoder=throwing)


_settings = settings_of_this_process()
configure_logging(_settings.log_level)
_process = this_process(_settings)
application = create_app(_settings, _process, ThrowingLoader(_settings, _process))
