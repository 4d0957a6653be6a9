"""What a run answers to a few test images while it is being trained: an artifact that the next answers replace.

A finished run has no such artifact: its answers to all test images are stored.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

NAME = "answers"
"""Of the artifact."""


@dataclass(frozen=True)
class Answers:
    """What a model says of some test images after a step."""

    step: int
    images: tuple[int, ...]  # their places among the test images
    classes: tuple[int, ...]  # the answer to each

    def to_bytes(self) -> bytes:
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: object) -> Answers | None:
        """The answers that were stored; None where these bytes are none."""
        try:
            values = json.loads(data) if isinstance(data, bytes) else {}
            step, images, classes = values["step"], values["images"], values["classes"]
            whole = [step, *images, *classes]
        except (ValueError, TypeError, KeyError, RecursionError):
            return None
        if len(images) != len(classes) or not all(isinstance(one, int) and one >= 0 for one in whole):
            return None
        return cls(step, tuple(images), tuple(classes))
