"""Measures how well an index answers, and fits its vote and calibration: ``python -m scin evaluate``.

Needs scikit-learn, scipy and matplotlib (requirements-scin.txt), which serving does not.
"""
