"""What would help: a change after which all models agree and are sure, with both pictures. It is taken by a button."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st

from fmnist.data.files import DataError
from fmnist.data.framing import SIDE
from fmnist.predict import conversion, suggestion
from fmnist.predict.suggestion import Change, Seen
from fmnist.predict.unfamiliar import Familiarity
from fmnist.predict.verdict import Answer
from fmnist.store.library import Library
from fmnist.ui import resources, what_if
from fmnist.ui.data_peculiarities import pointing_left
from fmnist.ui.page import explained

SIZE = 64
"""Pixels that either picture is wide on the page."""


@explained()
def offer(library: Library, dataset: str, answers: Sequence[Answer], known: Familiarity, image: np.ndarray) -> None:
    """Say what would help, if anything does.

    Args:
        answers: of all models, to the image as it is.
        known: what the training images look like.
        image: uint8 (28, 28), as the models see it.
    """
    seen = Seen(answers, *_familiar(known, image[None])[0])
    if seen.settled:
        return
    addresses = tuple(run.address for answer in answers for run in answer.answering.runs)
    found = _found(str(library.own.path), addresses, image.tobytes(), library, seen, known)
    if found is None:
        return
    name, label = found
    [change] = [each for each in suggestion.CHANGES if each.name == name]
    with st.container(border=True, horizontal=True, vertical_alignment="center", gap="small", key="suggestion"):
        st.image(conversion.to_data_url(image, 3), width=SIZE, alt="As it is")
        st.image(conversion.to_data_url(change.of(image), 3), width=SIZE, alt=name)
        said = answers[0].info.classes[label]
        everyone = "all models say" if len(answers) > 1 else "the model says"
        st.markdown(f"{name}, {everyone} **{said}**: {_why(library, dataset, change)}.", width="stretch")
        st.button(f"Use {name.lower()}", on_click=what_if.take, args=(name,), key="take", width="content")


def _familiar(known: Familiarity, images: np.ndarray) -> list[tuple[str | None, float]]:
    """Why each image uint8 (N, 28, 28) is unlike the training images, and how far it is from the nearest."""
    return list(zip(known.reasons(images), known.distances(images).tolist(), strict=True))


@st.cache_data(max_entries=256, show_spinner=False)
def _found(
    store: str, runs: tuple[str, ...], pixels: bytes, _library: Library, _seen: Seen, _known: Familiarity
) -> tuple[str, int] | None:
    """The name of the change to suggest and the class that it leads to, by these runs; remembered."""
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
    return None if change is None else (change.name, after[change.name].answers[0].top)


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
