"""Where the compiled kernels are kept between processes. Without Numba: pages ask, too.

Compiling takes some seconds of a processor, once. Numba keeps the result beside the code, or, where that folder can't
be written, in `NUMBA_CACHE_DIR`; what another processor has compiled, or another version of the code, it never takes.
"""

from __future__ import annotations

import importlib.util
import os
from contextlib import suppress
from pathlib import Path

CODE = Path(__file__).with_name("kernels.py")


def keep_beside(store: Path) -> None:
    """Where the package can't be written, have this process and those it starts keep the kernels beside a store."""
    if not os.access(CODE.parent, os.W_OK):
        os.environ.setdefault("NUMBA_CACHE_DIR", str(store.parent / "kernels"))


def is_filled() -> bool:
    """Whether this code has been compiled: whoever needs it need not wait, unless the processor has changed."""
    written = CODE.stat().st_mtime
    return any(index.stat().st_mtime >= written for index in _indices())


def mark_filled() -> None:
    """Note that the kernels of this code are there now. Numba itself goes by what the code says: where that was only
    copied, or checked out again, it takes what it has, which then looks older than the code."""
    if not is_filled():
        with suppress(OSError):  # Compiled by somebody else, or gone.
            for index in _indices():
                index.touch()


def clear() -> None:
    """Remove what was compiled: some of it can't be read, because the disk was full, say."""
    for file in _files("kernels.*.nb?"):
        with suppress(OSError):  # Somebody else's, or gone.
            file.unlink()


def _indices() -> list[Path]:
    return _files("kernels.forwards_and_backwards-*.nbi")


def _files(pattern: str) -> list[Path]:
    folder = os.environ.get("NUMBA_CACHE_DIR")
    places = Path(folder).glob("*") if folder else [CODE.parent / "__pycache__"]
    return [file for place in places for file in place.glob(pattern)]


def is_awaited() -> bool:
    """Whether kernels are yet to be compiled here, for which the next training waits."""
    return importlib.util.find_spec("numba") is not None and not is_filled()
