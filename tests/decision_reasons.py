"""Every reason that a decision may give, for whoever has words for them."""

from __future__ import annotations

from ml.analysis import decision
from web.cosmetic import COSMETIC

_CODES = {value for name, value in vars(decision).items() if name.isupper() and isinstance(value, str)}
#: codes of the service; a group of tones and a kind of photo are none, and ``too_few`` is a reason of the accuracy
REASONS = sorted(_CODES - {decision.ALL, decision.TOO_FEW, decision.DERMATOSCOPIC} | {COSMETIC})
