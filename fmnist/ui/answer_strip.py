"""A dozen test images with what each model answers at the moment, so that one sees wrong answers become right.

The first run of each model, or of each setting of a sweep, stands for the others. The images are sent to a browser once
(answer_strip.js); it says that it has them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import streamlit as st

from fmnist.data import examples
from fmnist.data.files import DataError, TestSet
from fmnist.models.registry import ARCHITECTURES
from fmnist.predict.conversion import to_data_url
from fmnist.store.answers import NAME, Answers
from fmnist.store.database import StoreError
from fmnist.store.library import Library
from fmnist.store.run import ACTIVE, Run, Status
from fmnist.ui import resources
from fmnist.ui.component import component

HTML = """
<div class="answers">
  <div class="legend"><span>A dozen test images, and what each model answers:</span><ul></ul></div>
  <ul class="images"></ul>
</div>
"""
CSS = """
.answers { font: 0.8rem/1.35 var(--st-font); color: var(--st-text-color); padding: 4px 0; }
.answers ul { list-style: none; margin: 0; padding: 0; font-size: inherit; }
.answers li { margin: 0; padding: 0; font-size: inherit; }
.answers :is(.legend, .legend ul) { display: flex; flex-wrap: wrap; gap: 2px 20px; font-size: 0.875rem; }
.answers .legend { padding-bottom: 8px; }
.legend li { border-left: 5px solid var(--model); padding-left: 7px; }
.images { display: grid; grid-template-columns: repeat(12, 1fr); gap: 10px 6px; }
@media (max-width: 1000px) { .images { grid-template-columns: repeat(6, 1fr); } }
@media (max-width: 640px) { .images { grid-template-columns: repeat(4, 1fr); } }
.images > li { min-width: 0; }
.images > li > span {
  display: block; aspect-ratio: 1; max-width: 72px; border-radius: 4px; background: var(--pictures) 0 / 1200% 100%;
  image-rendering: pixelated;
}
.images b { display: block; padding: 2px 0; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.images ul li {
  border-left: 4px solid var(--model); padding: 1px 0 1px 3px; margin-top: 2px; white-space: nowrap; overflow: hidden;
  text-overflow: ellipsis; font-size: 0.75rem;
}
.images .right { background: color-mix(in srgb, var(--model) 24%, transparent); }
.read-only { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
"""


def show(library: Library, runs: Sequence[Run], names: Sequence[str]) -> None:
    """Draw the strip; nothing where no answers are known nor to come, or the test images are not on this machine.

    Args:
        runs: on the same data; one that waits or just begins has a line that is still empty.
        names: of each, for people.
    """
    store = library.own
    try:
        images = resources.test_set(runs[0].recipe.dataset, store) if runs else None
    except DataError:  # The form says what is missing.
        images = None
    if images is None:
        return
    ids = tuple((run.id, run.status) for run in runs)
    found = _present(str(store.path), store.change_counter(), ids, images.fingerprint, library, runs, images)
    rows = [
        _row(run, name, answers, images)
        for run, name, answers in zip(runs, names, found, strict=True)
        if answers is not None or run.status in ACTIVE
    ]
    if not rows:
        return
    key, watched = f"answers-{images.name}", examples.watched(images)
    held, name = st.session_state.get(key, {}).get("name") or "", images.fingerprint[:16]
    component("answer_strip", HTML, CSS, isolated=True)(
        key=key,
        data={
            "name": name,
            "held": held,
            "picture": "" if held == name else _picture(images.fingerprint, images),
            "classes": images.info.classes,
            "short": images.info.short,
            "images": watched,
            "labels": images.test_labels[watched].tolist(),
            "rows": rows,
        },
        on_name_change=lambda: None,
    )


def _row(run: Run, name: str, answers: Answers | None, images: TestSet) -> dict[str, Any]:
    row = {"name": name, "color": ARCHITECTURES[run.recipe.model].color}
    if answers is None:
        return row | {"said": "no answer yet", "answers": []}
    right = int((images.test_labels[list(answers.images)] == answers.classes).sum())
    when = "at the end" if run.status == Status.DONE else f"at step {answers.step:,}"
    return row | {"said": f"{when}: {right} of {len(answers.images)} right", "answers": answers.classes}


@st.cache_resource(max_entries=8, show_spinner=False)
def _present(
    path: str,
    changes: tuple[int, ...],
    ids: tuple[tuple[int, Status], ...],
    fingerprint: str,
    _library: Library,
    _runs: Sequence[Run],
    _images: TestSet,
) -> list[Answers | None]:
    """What each run answers now; read once for all viewers, until the store changes. None where it is not known."""
    watched = examples.watched(_images)
    return [_answers(_library, run, watched, len(_images.test_labels)) for run in _runs]


def _answers(library: Library, run: Run, watched: list[int], count: int) -> Answers | None:
    try:
        if run.status != Status.DONE:
            found = Answers.from_bytes(library.own.artifact(run.id, NAME))
            classes = len(run.recipe.info.classes)
            known = found is not None and list(found.images) == watched and max(found.classes) < classes
            return found if known else None
        predictions = library.remember(("said in the end", run.address), lambda: library.predictions(run))
    except StoreError:  # Damaged, which the page says elsewhere, or a file of which a part can't be read.
        return None
    if len(predictions) != count:
        return None
    return Answers(run.step, tuple(watched), tuple(predictions[watched].tolist()))


@st.cache_data(max_entries=4, show_spinner=False)
def _picture(fingerprint: str, _images: TestSet) -> str:
    """The watched images side by side, as an address that holds them."""
    return to_data_url(examples.strip(_images, examples.watched(_images)))
