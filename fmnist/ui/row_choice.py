"""Rows of a table that are chosen: Streamlit remembers them by their number alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable


def key_of_rows(name: str, identities: Iterable[object]) -> str:
    """The key of a table in which rows can be chosen, where rows come and go.

    It is another one as soon as other things stand there, or stand elsewhere: what was chosen is dropped then. Under
    the same key, the choice would be of whatever has moved into its place.

    Args:
        identities: of what stands in the rows, in their order.
    """
    digest = hashlib.sha256("\0".join(map(str, identities)).encode()).hexdigest()
    return f"{name}-{digest[:16]}"
