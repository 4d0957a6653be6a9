"""Pictures as tests draw and save them."""

import io

import numpy as np
from PIL import Image

RED, WHITE, BLACK = (200, 30, 40), (255, 255, 255), (0, 0, 0)


def canvas(size=(60, 80), colour=WHITE, box=(20, 10, 40, 70), item=RED) -> Image.Image:
    """A rectangle on a plain background."""
    image = Image.new("RGB", size, colour)
    image.paste(item, box)
    return image


def encode(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def near(image: Image.Image, position, colour, tolerance=12) -> bool:
    return np.abs(np.subtract(image.getpixel(position), colour)).max() <= tolerance
