"""Where the compiled kernels are kept between processes. Without Numba: pages ask, too.

Compiling takes some seconds of a processor, once. Numba keeps the result beside the code, or, where that folder can't
be written, in `NUMBA_CACHE_DIR`; what another processor has compiled, or another version of the code, it never takes.
"""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

CODE = Path(__file__).with_name("kernels.py")


def keep_beside(store: Path) -> None:
    """Where the package can't be written, have this process and those it starts keep the kernels beside a store."""
    if not os.access(CODE.parent, os.W_OK):
        os.environ.setdefault("NUMBA_CACHE_DIR", str(store.parent / "kernels"))


def is_filled() -> bool:
    """Whether this code has been compiled: whoever needs it need not wait, unless the processor has changed."""
    folder = os.environ.get("NUMBA_CACHE_DIR")
    places = Path(folder).glob("*") if folder else [CODE.parent / "__pycache__"]
    written = CODE.stat().st_mtime
    return any(
        index.stat().st_mtime >= written
        for place in places
        for index in place.glob("kernels.forwards_and_backwards-*.nbi")
    )


def is_awaited() -> bool:
    """Whether kernels are yet to be compiled here, for which the next training waits."""
    return importlib.util.find_spec("numba") is not None and not is_filled()
