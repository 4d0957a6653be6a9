"""What would help: a change after which all models agree and are sure, with both pictures. It is taken by a button."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from fmnist.data.files import DataError
from fmnist.data.framing import SIDE
from fmnist.predict import suggestion
from fmnist.predict.suggestion import MIRRORED, Change, Seen
from fmnist.predict.unfamiliar import Familiarity
from fmnist.predict.verdict import Answer
from fmnist.store.library import Library
from fmnist.ui import resources, what_if
from fmnist.ui.data_peculiarities import pointing_left
from fmnist.ui.mirrored_shoes import say_trained_with_mirroring


def look(answers: Sequence[Answer], known: Familiarity, image: np.ndarray) -> Seen:
    """What there is to say of an image as it is.

    Args:
        answers: of all models.
        known: what the training images look like.
        image: uint8 (28, 28), as the models see it.
    """
    return Seen(answers, *_familiar(known, image[None])[0])


def find(library: Library, seen: Seen, known: Familiarity, image: np.ndarray) -> tuple[Change, int] | None:
    """What to suggest, and the class that it leads to; None if nothing would help.

    Args:
        seen: of the image as it is.
        known, image: as for `look`.
    """
    if seen.settled:
        return None
    addresses = tuple(run.address for answer in seen.answers for run in answer.answering.runs)
    return _found(str(library.own.path), addresses, image.tobytes(), library, seen, known)


def show(library: Library, dataset: str, image: np.ndarray, change: Change, said: str, models: int) -> None:
    """Say what would help, with a button that does it; where that is mirroring, also what a model says that has learnt
    from mirrored images.

    Args:
        image: uint8 (28, 28), as it is.
        said: the name of the class that it leads to.
        models: how many say that.
    """
    everyone = "all models say" if models > 1 else "the model says"
    st.markdown(f"{change.name}, {everyone} **{said}**, because {_why(library, dataset, change)}.")
    st.button(f"Use the {change.name.lower()} picture", on_click=what_if.take, args=(change.name,), key="take")
    if change.name == MIRRORED:
        say_trained_with_mirroring(library, dataset, image)


def _familiar(known: Familiarity, images: np.ndarray) -> list[tuple[str | None, float]]:
    """Why each image uint8 (N, 28, 28) is unlike the training images, and how far it is from the nearest."""
    return list(zip(known.reasons(images), known.distances(images).tolist(), strict=True))


@st.cache_resource(max_entries=256, show_spinner=False)  # Changes are functions: they are not copied.
def _found(
    store: str, runs: tuple[str, ...], pixels: bytes, _library: Library, _seen: Seen, _known: Familiarity
) -> tuple[Change, int] | None:
    """What to suggest, and the class that it leads to, by these runs; remembered."""
    from fmnist.predict import prediction

    groups = [answer.answering for answer in _seen.answers]
    tried = suggestion.tries(np.frombuffer(pixels, np.uint8).reshape(SIDE, SIDE), _seen.answers[0].info)
    if not tried:
        return None
    images = np.stack(list(tried.values()))
    seeds = [prediction.probabilities(_library, group, images) for group in groups]
    familiar = _familiar(_known, images)
    after = {
        name: Seen([Answer(group, each[:, place]) for group, each in zip(groups, seeds, strict=True)], *familiar[place])
        for place, name in enumerate(tried)
    }
    change = suggestion.choose(_seen, after)
    return None if change is None else (change, after[change.name].answers[0].top)


def _why(library: Library, dataset: str, change: Change) -> str:
    """Why a change may help, in half a sentence, with what can be counted over the images."""
    if "{share}" not in change.why:
        return change.why
    try:
        data = resources.dataset(dataset, library.own)
        split, left = "training", pointing_left(data.fingerprint, "Training", data.train_images, data.train_labels)
    except DataError:
        known = resources.test_set(dataset, library.own)
        split, left = "test", pointing_left(known.fingerprint, "Test", known.test_images, known.test_labels)
    return change.why.format(split=split, share=f"{np.concatenate(list(left.values())).mean():.0%}")
