"""What whoever serves the dashboard to others allows them: read from the environment, asked by all that would change
something. No page decides it, so no client gets round it by doing without the pages.
"""

from __future__ import annotations

import os

OFF = {"", "0", "false", "no", "off"}

READ_ONLY = (
    "This dashboard is read-only (FMNIST_READ_ONLY is set): nothing is trained, timed, downloaded, changed or deleted."
)


def read_only() -> bool:
    """Whether FMNIST_READ_ONLY is set: look, compare and predict, but change nothing.

    What is not plainly "off" is on: a slip in a configuration must not open what was to be closed.
    """
    return os.environ.get("FMNIST_READ_ONLY", "").strip().lower() not in OFF
