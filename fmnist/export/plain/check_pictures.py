"""Do pictures become what they became when this folder was written?  python check_pictures.py

Needs numpy and Pillow. Each picture is drawn, saved and read as predict.py reads it; another version of Pillow may
round otherwise, by one level of 255.
"""

from __future__ import annotations

import base64
import io
import sys
import zlib

import numpy as np
from PIL import Image, ImageDraw

from fmnist.data.framing import Framing
from fmnist.predict.conversion import convert
from fmnist.predict.picture_file import open_image

# <facts>
FRAMING = Framing()
EXPECTED: dict[str, str] = {}
# </facts>

SHIRT = [(30, 15), (42, 20), (58, 20), (70, 15), (95, 40), (80, 52), (72, 42), (72, 90), (28, 90), (28, 42), (20, 52)]


def main() -> int:
    unlike = [name for name, content in drawn().items() if not agrees(became(content), EXPECTED[name])]
    for name in unlike:
        print(f"The picture {name} is no longer converted as it was.", file=sys.stderr)
    print(f"{len(EXPECTED) - len(unlike)} of {len(EXPECTED)} pictures are as they were.")
    return 1 if unlike else 0


def drawn() -> dict[str, bytes]:
    """Pictures of a kind each, as PNG files: on white, on grey, 16 bits, cut out, of 28 pixels, large, turned."""
    grey = np.asarray(shirt(280, (40,) * 3, (255,) * 3).convert("L"))
    turned = Image.Exif()
    turned[0x0112] = 6  # on its side
    return {
        "on white": saved(shirt(300, (30, 60, 150), (255, 255, 255))),
        "on grey": saved(shirt(300, (240, 230, 60), (110, 115, 120))),
        "16 bits": saved(Image.fromarray(grey.astype(np.uint16) * 257)),
        "white, cut out": saved(shirt(400, (255,) * 4, (0,) * 4)),
        "blue, cut out": saved(shirt(400, (30, 60, 150, 255), (0,) * 4)),
        "28 pixels": saved(shirt(28, (40, 60, 80), (255, 255, 255))),
        "28 pixels, cut out": saved(shirt(28, (255,) * 4, (0,) * 4)),
        "large": saved(shirt(2100, (90, 20, 40), (250, 250, 245))),
        "turned": saved(shirt(300, (30, 60, 150), (255, 255, 255)), exif=turned),
    }


def shirt(size: int, colour: tuple[int, ...], around: tuple[int, ...]) -> Image.Image:
    picture = Image.new("RGB" if len(around) == 3 else "RGBA", (size, size), around)
    ImageDraw.Draw(picture).polygon([(x * size / 100, y * size / 100) for x, y in SHIRT], fill=colour)
    return picture


def saved(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "PNG", **options)
    return file.getvalue()


def became(content: bytes) -> np.ndarray:
    """What the networks see of a file: uint8 (28, 28)."""
    return convert(open_image(content), FRAMING).image


def packed(image: np.ndarray) -> str:
    return base64.b64encode(zlib.compress(image.tobytes(), 9)).decode()


def agrees(image: np.ndarray, expected: str) -> bool:
    before = np.frombuffer(zlib.decompress(base64.b64decode(expected)), np.uint8).reshape(image.shape)
    return bool(np.abs(image - before.astype(int)).max() <= 1)


if __name__ == "__main__":
    sys.exit(main())
