"""How well an index answers, and with which parameters it should: ``python -m scin evaluate``.

Needs scikit-learn, scipy and matplotlib (requirements-scin.txt), which serving does not.
"""
