"""Is what Predict suggests right?  python bench/suggestions.py

Test images of FashionMNIST, as they are and changed in a way that should be noticed, and what
`fmnist.predict.suggestion` suggests for them by the reference runs. "Right as they are" is the share that Model 2 gets
right without a suggestion, on average over its seeds together. For images that all models answer rightly, a suggestion
can only mislead. Uneven light and busy backgrounds need no suggestion: the conversion of photos takes them away.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import scipy.ndimage

from bench.common import show
from fmnist.data import files
from fmnist.data.framing import SIDE
from fmnist.predict import unfamiliar
from fmnist.predict.suggestion import CHANGES, Change, Seen, choose, tries
from fmnist.predict.unfamiliar import Familiarity
from fmnist.predict.verdict import Answer
from fmnist.store.library import Group, Library, default_groups
from fmnist.store.store import Store, store_path

DIM = 0.3
LINE = 64  # Of 255: where an item's outline is.


def outline(image: np.ndarray) -> np.ndarray:
    """The outermost pixels of an item, white on black: uint8 (28, 28)."""
    shape = scipy.ndimage.binary_fill_holes(scipy.ndimage.binary_closing(np.pad(image > LINE, 2))[2:-2, 2:-2])
    parts, count = scipy.ndimage.label(shape)
    if count:
        shape = parts == 1 + np.argmax(scipy.ndimage.sum(shape, parts, range(1, count + 1)))
    return np.where(shape & ~scipy.ndimage.binary_erosion(shape), 255, 0).astype(np.uint8)


KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "as they are": lambda image: image,
    "mirrored": lambda image: image[:, ::-1],
    "darkened": lambda image: np.rint(image * DIM).astype(np.uint8),
    "outlined": outline,
    "inverted": lambda image: 255 - image,
}


def seen(library: Library, groups: Sequence[Group], known: Familiarity, images: np.ndarray) -> Iterator[Seen]:
    """What there is to say of each image, uint8 (N, 28, 28)."""
    from fmnist.predict import prediction

    seeds = [prediction.probabilities(library, group, images) for group in groups]
    for place, (reason, distance) in enumerate(zip(known.reasons(images), known.distances(images), strict=True)):
        answers = [Answer(group, each[:, place]) for group, each in zip(groups, seeds, strict=True)]
        yield Seen(answers, reason, float(distance))


def suggestions(
    library: Library, groups: Sequence[Group], known: Familiarity, images: np.ndarray
) -> list[tuple[Seen, Change | None, int]]:
    """For each image uint8 (N, 28, 28) what is seen, the change that is suggested, and the class that it leads to."""
    before = list(seen(library, groups, known, images))
    after: list[dict[str, Seen]] = [{} for _ in images]
    made = [
        (place, name, changed)
        for place, (image, each) in enumerate(zip(images, before, strict=True))
        if not each.settled
        for name, changed in tries(image, groups[0].recipe.info).items()
    ]
    if made:
        found = seen(library, groups, known, np.stack([changed for _, _, changed in made]))
        for (place, name, _), each in zip(made, found, strict=True):
            after[place][name] = each
    chosen = [choose(one, others) for one, others in zip(before, after, strict=True)]
    return [
        (one, change, others[change.name].answers[0].top if change else -1)
        for one, change, others in zip(before, chosen, after, strict=True)
    ]


def row(kind: str, found: Sequence[tuple[Seen, Change | None, int]], labels: Sequence[int]) -> list[str]:
    """A row of the table: how often something is suggested, and how often that is right."""
    given = [(change.name, label == said) for (_, change, said), label in zip(found, labels, strict=True) if change]
    all_right = [
        change is not None
        for (one, change, _), label in zip(found, labels, strict=True)
        if all(answer.top == label for answer in one.answers)
    ]
    best = np.mean([one.answers[-1].top == label for (one, _, _), label in zip(found, labels, strict=True)])
    names = Counter(name for name, _ in given)
    return [
        kind,
        f"{best:.1%}",
        f"{len(given) / len(labels):.1%}",
        f"{np.mean([right for _, right in given]):.1%}" if given else "",
        ", ".join(f"{change.name} {names[change.name]}" for change in CHANGES if names[change.name]),
        f"{1 - np.mean(all_right):.1%} of {len(all_right):,}" if all_right else "",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--images", type=int, default=1000, help="so many test images, chosen at random")
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = files.load_test_set("fashion-mnist", options.data, Path(folder))
        library = Library(Store(store_path(folder)))
        groups = default_groups(library.groups("fashion-mnist", "reference"))
        known = unfamiliar.shipped("fashion-mnist")
        assert known
        chosen = np.random.default_rng(0).choice(len(data.test_images), options.images, replace=False)
        images, labels = data.test_images[chosen], data.test_labels[chosen].tolist()
        rows = []
        for kind, make in KINDS.items():
            changed = np.stack([make(image) for image in images]).reshape(-1, SIDE, SIDE)
            rows.append(row(kind, suggestions(library, groups, known, changed), labels))
        library.own.close()
    show(
        [
            "test images",
            "right as they are",
            "suggestions",
            "of these right",
            "which",
            "none where all models are right",
        ],
        rows,
    )


if __name__ == "__main__":
    main()
