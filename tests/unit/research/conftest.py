"""Makes the reference scorer of the ISIC challenges importable without zipfile-deflate64.

That package needs a C compiler, so it is not installed (Makefile). The scorer only unpacks uploads with it, which no
test does.
"""

from __future__ import annotations

import sys
import zipfile

sys.modules.setdefault("zipfile_deflate64", zipfile)
