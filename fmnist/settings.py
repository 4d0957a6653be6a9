"""What whoever serves the dashboard allows to those who look at it: read from the environment, and asked where
something would be changed. No page decides it, so no client gets round it by doing without the pages.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

OFF = {"", "0", "false", "no", "off"}

READ_ONLY = (
    "This dashboard is read-only (FMNIST_READ_ONLY is set): nothing is trained, timed, downloaded, changed or deleted."
)


class SettingsError(Exception):
    """What is allowed to whom can't be told from the configuration. The message is a sentence for the user."""


@dataclass(frozen=True)
class Asker:
    """Somebody who asks for runs, and whose runs are counted."""

    who: str  # tells askers apart, and not who they are
    limit: int  # of runs that are queued or running


def read_only() -> bool:
    """Whether FMNIST_READ_ONLY is set: look, compare and predict, but change nothing.

    What is not plainly "off" is on: a slip in a configuration must not open what was to be closed.
    """
    return os.environ.get("FMNIST_READ_ONLY", "").strip().lower() not in OFF


def queue_limit() -> int | None:
    """FMNIST_QUEUE_LIMIT: how many queued and running runs one viewer may have; None for any number.

    Raises:
        SettingsError: it is not a whole number from 1 on.
    """
    text = os.environ.get("FMNIST_QUEUE_LIMIT", "").strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and int(text)):
        raise SettingsError(f"FMNIST_QUEUE_LIMIT has to be a whole number from 1 on, and is {text!r}.")
    return int(text)


def users() -> list[str]:
    """FMNIST_USERS: who may log in, as e-mail addresses and domains ("@example.org"); empty for everybody who can.

    Raises:
        SettingsError: something else stands there.
    """
    named = os.environ.get("FMNIST_USERS", "").lower().replace(",", " ").split()
    for name in named:
        local, at, domain = name.rpartition("@")
        if not at or not domain or "@" in local:
            raise SettingsError(f"FMNIST_USERS has to name e-mail addresses or @domains, and {name!r} is neither.")
    return named


def is_allowed(email: str) -> bool:
    """Whether FMNIST_USERS names this verified address, or its domain.

    Raises:
        SettingsError: as `users`.
    """
    named, address = users(), email.strip().lower()
    return not named or address in named or f"@{address.rpartition('@')[2]}" in named
