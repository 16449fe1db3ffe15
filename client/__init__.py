"""The folder of the package ``dermserve``, which is installed on its own: ``pip install ./client``."""
