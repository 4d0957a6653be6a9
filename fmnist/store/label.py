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

    @classmethod
    def from_store(cls, name: object, note: object) -> Label:
        """What stands in a store that may have been damaged: what `checked` would have refused or changed is empty."""
        return cls(
            *(
                text if isinstance(text, str) and len(text) <= most and text == _line(text) else ""
                for text, most in ((name, MAX_NAME), (note, MAX_NOTE))
            )
        )

    def checked(self) -> Label:
        """The label as it is stored: a line each, without what can't be seen.

        Raises:
            LabelError: one of them is too long.
        """
        label = Label(_line(self.name), _line(self.note))
        for what, text, most in (("name", label.name, MAX_NAME), ("note", label.note, MAX_NOTE)):
            if len(text) > most:
                raise LabelError(f"A {what} can have at most {most:,} characters; this one has {len(text):,}.")
        return label

    def changed_from(self, before: Label, now: Label) -> Label:
        """What stands there `now`, with those of our parts that differ from what was there `before`."""
        mine, then = self.texts, before.texts
        return Label(*(now.texts[place] if mine[place] == then[place] else mine[place] for place in (0, 1)))


NO_LABEL = Label()


def _line(text: str) -> str:
    """Text in one line, without signs that can't be seen, such as those that turn the direction of what follows."""
    return " ".join("".join(sign for sign in plain(text) if sign.isprintable() or sign.isspace()).split())
