"""Train, compare and try image classifiers on FashionMNIST."""

import os
import tempfile

__version__ = "0.1.0"

try:
    tempfile.gettempdir()
except OSError:
    # torch asks for a folder for compiled code as soon as it is imported, though we have nothing compiled. Any will do
    # that is there, and it looks for none where this names one; our own files are then in memory (`background`).
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", os.path.dirname(__file__))  # noqa: PTH120 - pathlib takes longer.
