"""Pictures as tests draw and save them."""

import io

import numpy as np
from PIL import Image, ImageDraw

RED, WHITE, BLACK = (200, 30, 40), (255, 255, 255), (0, 0, 0)


def canvas(size=(60, 80), colour=WHITE, box=(20, 10, 40, 70), item=RED) -> Image.Image:
    """A rectangle on a plain background."""
    image = Image.new("RGB", size, colour)
    image.paste(item, box)
    return image


SHIRT = [(30, 15), (42, 20), (58, 20), (70, 15), (95, 40), (80, 52), (72, 42), (72, 90), (28, 90), (28, 42), (20, 52)]


def with_shirt(paper: Image.Image, place=(0, 0), size=200, colour=(30, 60, 150)) -> Image.Image:
    """A shirt drawn onto a picture, which is changed."""
    corners = [(place[0] + x * size / 100, place[1] + y * size / 100) for x, y in SHIRT]
    ImageDraw.Draw(paper).polygon(corners, fill=colour)
    return paper


def carpet(width=240, height=220) -> Image.Image:
    """A busy background: broad stripes in brown and sand, with the noise of a camera."""
    pixels = np.full((height, width, 3), (190, 160, 110), float)
    pixels[np.arange(height) % 16 < 8] = (110, 70, 40)
    noise = np.random.default_rng(0).normal(0, 8, pixels.shape)
    return Image.fromarray(np.clip(pixels + noise, 0, 255).astype(np.uint8))


def encode(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def near(image: Image.Image, position, colour, tolerance=12) -> bool:
    return np.abs(np.subtract(image.getpixel(position), colour)).max() <= tolerance
