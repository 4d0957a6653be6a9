"""What models make of many pictures, as one table: that of the Predict page and of `python -m fmnist predict`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fmnist.store.library import Group

if TYPE_CHECKING:
    from fmnist.predict.unfamiliar import Familiarity

FILE, REMARKS = "file", "remarks"
"""The titles of the first and the last column."""


@dataclass(frozen=True)
class Picture:
    """A file that is to be answered.

    Attributes:
        name: of the file, as it was given.
        image: what the models see, uint8 (28, 28); None if the file can't be used.
        remarks: sentences on what may mislead the models, or on what is wrong with the file.
    """

    name: str
    image: np.ndarray | None
    remarks: tuple[str, ...]


def with_warnings(pictures: Sequence[Picture], known: Familiarity | None) -> list[Picture]:
    """The pictures, with a remark on each that is unlike the training images."""
    images = [picture.image for picture in pictures if picture.image is not None]
    if known is None or not images:
        return list(pictures)
    reasons = iter(known.reasons(np.stack(images)))
    warned = []
    for picture in pictures:
        reason = next(reasons) if picture.image is not None else None
        warning = (f"Unlike the training images, so don't trust the answers. {reason}",) if reason else ()
        warned.append(Picture(picture.name, picture.image, (*warning, *picture.remarks)))
    return warned


def columns(groups: Sequence[Group]) -> list[str]:
    """The titles: file, two for each model, and remarks."""
    answers = [title for group in groups for title in (answers_of(group), probability_of(group))]
    return [FILE, *answers, REMARKS]


def answers_of(group: Group) -> str:
    """The title of the column with a model's answers: the model's, unless another column has it."""
    return f"{group.title}, answer" if group.title in (FILE, REMARKS) else group.title


def probability_of(group: Group) -> str:
    """The title of the column that says how probable a model finds its answer."""
    return f"{group.title}, probability"


def rows(pictures: Sequence[Picture], groups: Sequence[Group], means: Sequence[np.ndarray]) -> list[dict[str, Any]]:
    """A row for each picture, by `columns`; what is not known of one that can't be used is None.

    Args:
        means: of each group the probabilities for each picture that can be used, float (N, 10), over its seeds.
    """
    found = []
    place = 0
    for picture in pictures:
        row: dict[str, Any] = dict.fromkeys(columns(groups))
        row |= {FILE: picture.name, REMARKS: " ".join(picture.remarks)}
        if picture.image is not None:
            for group, mean in zip(groups, means, strict=True):
                label = int(mean[place].argmax())
                row[answers_of(group)] = group.recipe.info.classes[label]
                row[probability_of(group)] = float(mean[place, label])
            place += 1
        found.append(row)
    return found
