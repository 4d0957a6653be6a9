"""The name and the note that a user gives a run. A run is known by its id: a name is for reading."""

from __future__ import annotations

from dataclasses import dataclass

from fmnist.words import plain

MAX_NAME, MAX_NOTE = 60, 300
"""Characters."""


class LabelError(ValueError):
    """A name or a note that is too long. The message is a sentence for the user."""


@dataclass(frozen=True)
class Label:
    """A run's name and note, a line each; either may be empty."""

    name: str = ""
    note: str = ""

    def __bool__(self) -> bool:
        return bool(self.name or self.note)

    @property
    def texts(self) -> tuple[str, str]:
        """Name and note."""
        return self.name, self.note

    @property
    def good(self) -> bool:
        """Whether both are lines that can be shown, and not too long: what a store holds that nobody tampered with."""
        return self == Label(_line(self.name), _line(self.note)) and not self._fault

    @classmethod
    def from_store(cls, name: object, note: object) -> Label:
        """What stands in a store that may have been damaged: what can't be shown counts as empty."""
        found = cls(*(text if isinstance(text, str) else "" for text in (name, note)))
        return found if found.good else NO_LABEL

    def checked(self) -> Label:
        """The label as it is stored: a line each, without what can't be seen.

        Raises:
            LabelError: one of them is too long.
        """
        label = Label(_line(self.name), _line(self.note))
        if label._fault:
            raise LabelError(label._fault)
        return label

    @property
    def _fault(self) -> str:
        for what, text, most in (("name", self.name, MAX_NAME), ("note", self.note, MAX_NOTE)):
            if len(text) > most:
                return f"A {what} has at most {most:,} characters: this one has {len(text):,}."
        return ""


NO_LABEL = Label()


def _line(text: str) -> str:
    """Text in one line, without signs that can't be seen, such as those that turn the direction of what follows."""
    words = " ".join(plain(text).split())
    return " ".join("".join(sign for sign in words if sign.isprintable()).split())
