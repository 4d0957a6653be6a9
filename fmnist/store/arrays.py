"""Arrays as a store keeps them: logits and predictions."""

from __future__ import annotations

import io
import math
import zlib

import numpy as np


def rounded(logits: np.ndarray) -> np.ndarray:
    """Logits as they are kept, float16 (N, C): half the room, and hardly a probability changes in its third digit."""
    largest = np.finfo(np.float16).max  # Beyond it would stand infinities, of which no loss can be computed.
    return logits.clip(-largest, largest).astype(np.float16)


def pack(array: np.ndarray) -> bytes:
    """An array as compressed bytes in NumPy's own format, without pickle."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=False)
    return zlib.compress(file.getvalue(), 6)


def unpack(data: bytes) -> np.ndarray:
    return np.load(io.BytesIO(zlib.decompress(data)), allow_pickle=False)


def read_exactly(content: bytes) -> np.ndarray:
    """An array in NumPy's own format (numpy.lib.format) that is not trusted: no room is made for more than is
    there, whatever the header says.

    Raises:
        ValueError, and what else NumPy raises for a header in which somebody has written.
    """
    file = io.BytesIO(content)
    version = np.lib.format.read_magic(file)
    read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = read(file)
    size = math.prod(shape) * dtype.itemsize
    if dtype.hasobject or fortran or size != len(content) - file.tell():
        raise ValueError("not the promised size")
    return np.frombuffer(content, dtype, offset=file.tell()).reshape(shape)
