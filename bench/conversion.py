"""Do photos come back as the images that they were made from?  python bench/conversion.py

Test images of FashionMNIST, the same for all rows, are enlarged 5 to 12 times, placed at random on larger canvases,
white (inverted, like a photo on white) or black, and saved as files. The files are read and converted as on the
Predict page. Pixels become squares when enlarged; "smooth" means bicubic enlargement, which changes the image before
anything is converted. The error is the mean difference of a pixel, out of 255. Accuracy is the mean over Model 2's
reference runs.
"""

from __future__ import annotations

import argparse
import io
import sys
import tempfile
from collections.abc import Collection, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
from PIL import Image

from bench.common import show
from fmnist.data import files
from fmnist.data.framing import SIDE
from fmnist.predict.conversion import USUALLY_WITHOUT, convert, naive
from fmnist.predict.picture_file import open_image
from fmnist.store.library import Library, default_groups
from fmnist.store.store import Store, store_path

CANVASES = ("white", "black")
FORMATS = {"JPEG": {"quality": 85}, "PNG": {}}
ALL_STEPS: frozenset[str] = frozenset()


def photo(image: np.ndarray, canvas: str, form: str, rng: np.random.Generator, smooth: bool = False) -> bytes:
    """A picture file of an image uint8 (28, 28), enlarged, somewhere on a larger canvas."""
    side = SIDE * int(rng.integers(5, 13))
    how = Image.Resampling.BICUBIC if smooth else Image.Resampling.NEAREST
    item = Image.fromarray(image if canvas == "black" else 255 - image).resize((side, side), how)
    width, height = (side + int(rng.integers(side // 10, side)) for _ in range(2))
    paper = Image.new("L", (width, height), canvas)
    # At least a few pixels of paper around it: a photo shows its background.
    paper.paste(item, (int(rng.integers(3, width - side - 3)), int(rng.integers(3, height - side - 3))))
    file = io.BytesIO()
    paper.convert("RGB").save(file, form, **FORMATS[form])
    return file.getvalue()


def photos(images: np.ndarray, canvas: str, form: str, smooth: bool = False) -> list[Image.Image]:
    """A photo of each image (N, 28, 28), read from its file; places and sizes are always the same."""
    rng = np.random.default_rng(0)
    return [open_image(photo(image, canvas, form, rng, smooth)) for image in images]


def converted(pictures: Sequence[Image.Image], without: Collection[str] = USUALLY_WITHOUT) -> np.ndarray:
    """uint8 (N, 28, 28)"""
    return np.stack([convert(picture, without=without).image for picture in pictures])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=300, help="so many test images, chosen at random")
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        known = files.load("fashion-mnist", options.data, Path(folder))
        library = Library(Store(store_path(folder)))
        [group] = [g for g in default_groups(library.groups("fashion-mnist", "reference")) if g.recipe.model == "2"]
        chosen = np.random.default_rng(0).choice(len(known.test_images), options.images, replace=False)
        images, labels = known.test_images[chosen], known.test_labels[chosen]
        from fmnist.predict import prediction

        def accuracy(shown: np.ndarray) -> float:
            return (prediction.probabilities(library, group, shown).argmax(axis=2) == labels).mean()

        original = accuracy(images)
        rows = [["the originals", "", f"{original:.1%}", ""]]

        def row(what: str, shown: np.ndarray) -> None:
            error, share = np.abs(shown.astype(int) - images).mean(), accuracy(shown)
            rows.append([what, f"{error:.1f}", f"{share:.1%}", f"{100 * (share - original):+.1f}"])

        for canvas in CANVASES:
            for form in FORMATS:
                row(f"{canvas}, {form}", converted(photos(images, canvas, form)))
        row("white, JPEG, smooth", converted(photos(images, "white", "JPEG", smooth=True)))
        row("black, PNG, smooth", converted(photos(images, "black", "PNG", smooth=True)))
        taken = photos(images, "white", "JPEG")
        for without, what in (
            (ALL_STEPS, "sharpened, as the authors did"),
            (USUALLY_WITHOUT | {"stretch"}, "without stretching"),
            (USUALLY_WITHOUT | {"trim"}, "without trimming"),
            (USUALLY_WITHOUT | {"proportions"}, "without keeping proportions"),
            (USUALLY_WITHOUT | {"negate"}, "without inverting"),
        ):
            row(f"white, JPEG, {what}", converted(taken, without))
        row("white, JPEG, plain resize", np.stack([naive(each) for each in taken]))
        library.own.close()
    show(["photos of test images", "error (of 255)", "Model 2", "points"], rows)


if __name__ == "__main__":
    main()
