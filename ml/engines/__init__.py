"""What runs a model: the framework it was published for ("native"), or an engine that it was compiled for.

A compiled engine is made, compared with the native one and timed when a model is prepared (``ml.engines.prepare``).
What was found lies in the model's folder (``ml.engines.record``); ``ml.engines.choice`` goes by it when models load.
"""

from ml.engines.choice import Choice, choose, ms_per_photo
from ml.engines.record import ENGINES, NATIVE

__all__ = ["ENGINES", "NATIVE", "Choice", "choose", "ms_per_photo"]
