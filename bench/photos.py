"""Are clothes recognised in real photos?  python bench/photos.py FOLDER [FOLDER ...] [--each 40]

A FOLDER has the layout of "Clothing dataset (subset)" (github.com/alexeygrigorev/clothing-dataset-small): photos of
clothes on beds, floors and doors, in a folder for each kind. Its authors let it be used freely for any purpose; it is
not part of this project. Two conversions are compared with the one of the data set's own steps, photo by photo: which
of them Model 2 gets right, by the mean of its reference runs. The interval is Student's of the differences, the p-value
McNemar's. A photo counts as right if the answer is one of those that its kind allows (KINDS): FashionMNIST divides
clothes otherwise. Hats, shorts and skirts have no class there and are left out.

The cut-out was made with the photos of the set's `validation` alone.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np

from bench.common import show
from fmnist.compare.statistics import mcnemar, mean_interval
from fmnist.predict.conversion import USUALLY_WITHOUT, convert
from fmnist.predict.picture_file import open_image
from fmnist.store.library import Library, default_groups
from fmnist.store.store import Store, store_path

KINDS = {
    "t-shirt": ("T-shirt/top",),
    "pants": ("Trouser",),
    "longsleeve": ("Pullover", "Shirt"),
    "dress": ("Dress",),
    "outwear": ("Coat", "Pullover"),
    "shirt": ("Shirt", "T-shirt/top"),
    "shoes": ("Sneaker", "Sandal", "Ankle boot"),
}
BEFORE = USUALLY_WITHOUT | {"light", "cut-out", "narrow"}
CONVERSIONS = {
    "without the steps below": (BEFORE, None),
    "light evened, busy backgrounds cut away": (BEFORE - {"light", "cut-out"}, None),
    "and spread clothes narrowed, the largest of several items": (USUALLY_WITHOUT, 0),
}


def photos(folders: Collection[Path], each: int | None) -> list[tuple[Path, str]]:
    """Photos and their kinds; of each kind in a folder all, or so many, evenly spread over the names."""
    found = []
    for folder in folders:
        for kind in KINDS:
            files = sorted((folder / kind).glob("*"))
            step = max(1, len(files) // each) if each else 1
            found += [(file, kind) for file in files[::step][:each]]
    return found


def convert_all(files: Collection[Path], without: Collection[str], item: int | None) -> tuple[np.ndarray, list[float]]:
    """The images of photos, uint8 (N, 28, 28), and the seconds of the processor that each took."""
    images, times = [], []
    for file in files:
        picture = open_image(file)
        started = time.process_time()
        images.append(convert(picture, without=without, item=item).image)
        times.append(time.process_time() - started)
    return np.stack(images), times


def row(name: str, right: np.ndarray, before: np.ndarray, times: list[float]) -> list[str]:
    """What to show of a conversion.

    Args:
        right, before: bool (N,), for which photos it leads to a right answer, and for which the one without steps does.
        times: seconds.
    """
    gain = right.astype(int) - before
    low, high = mean_interval(gain.tolist()) or (0, 0)
    p = mcnemar(np.ones(len(gain), int), right, before).p
    points = [f"{100 * gain.mean():+.1f}", f"{100 * low:+.1f} to {100 * high:+.1f}", f"{p:.2g}"]
    took = [f"{1000 * statistics.median(times):.0f}", f"{1000 * max(times):.0f}"]
    return [name, f"{right.mean():.1%}", *(["", "", ""] if right is before else points), *took]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    parser.add_argument("--each", type=int, help="only so many photos of each kind in a folder")
    options = parser.parse_args()
    found = photos(options.folders, options.each)
    if len(found) < 2:
        sys.exit(f"There are no folders of photos named {', '.join(KINDS)} in {options.folders[0]}.")
    kinds = np.array([kind for _, kind in found])
    right, times = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        library = Library(Store(store_path(folder)))
        [group] = [g for g in default_groups(library.groups("fashion-mnist", "reference")) if g.recipe.model == "2"]
        from fmnist.predict import prediction

        classes = group.recipe.info.classes
        for name, (without, item) in CONVERSIONS.items():
            images, times[name] = convert_all([file for file, _ in found], without, item)
            answers = prediction.probabilities(library, group, images).mean(axis=0).argmax(axis=1)
            right[name] = np.array(
                [classes[answer] in KINDS[kind] for answer, kind in zip(answers, kinds, strict=True)]
            )
        library.own.close()
    before, *_, last = right.values()
    rows = [row(name, each, before, times[name]) for name, each in right.items()]
    show([f"{len(found)} photos", "right", "points", "95%", "p", "ms of a core", "at most"], rows)
    print()
    members = {kind: kinds == kind for kind in KINDS if (kinds == kind).any()}
    shares = [
        [kind, str(chosen.sum()), f"{before[chosen].mean():.0%}", f"{last[chosen].mean():.0%}"]
        for kind, chosen in members.items()
    ]
    show(["kind", "photos", "right without", "right with all"], shares)


if __name__ == "__main__":
    main()
