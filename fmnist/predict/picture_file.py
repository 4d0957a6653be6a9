"""A picture file that somebody gave -> an upright picture in mode RGB, or one sentence on what is wrong with it."""

import io
import math
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from fmnist.predict.avif_file import BRANDS as AVIF_BRANDS
from fmnist.predict.avif_file import AvifError, decoded
from fmnist.predict.picture_parts import in_too_many_parts

MIN_SIDE = 8
MAX_BYTES = 20 * 2**20
MAX_PIXELS = 40_000_000
MAX_WEBP_PIXELS = 25_000_000  # its decoder takes 16 bytes for each, four times as many as others
ENDINGS = frozenset(
    [".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif", ".avif"]
)
"""Of pictures in a folder. HEIC can't be read; who has some shall be told so."""
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")  # that Pillow may decode in this process

# Larger pictures are reduced to between one and four million pixels before anything else. One of those is some
# 1/40 of a pixel of the result if the item fills its picture, and every later step is fast and needs little memory.
WORKING_PIXELS = 2**20

# The brands of ISO/IEC 23008-12, annex B and C: pictures and their sequences.
HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"mif2", b"msf1"}
MAX_BRANDS = 400  # bytes from the start of a file in which they are looked for

CLEAR = 16  # opacity out of 255 below which nothing of a pixel is seen
ALMOST_WHITE = 255 - 64  # grey levels; `conversion.LOW_CONTRAST` tells when an item hardly differs from its background


class ImageError(ValueError):
    """A picture cannot be used; the message is one sentence for the user: what is wrong, and what to do."""


def pictures_in(path: Path) -> list[Path]:
    """The picture files in a folder and in the folders in it, by their endings and in order; a file itself.

    Raises:
        ImageError: there is none in the folder, or it can't be read.
    """
    if not os.path.isdir(path):  # noqa: PTH112 - Path's own raises where it may not look.
        return [path]

    def refuse(error: OSError) -> None:
        raise ImageError(
            f"{error.filename} can't be read ({error.strerror}): check its path and permissions."
        ) from error

    found = [
        Path(folder, name)
        for folder, _, names in os.walk(path, onerror=refuse)
        for name in names
        if Path(name).suffix.lower() in ENDINGS and not name.startswith(".")
    ]
    if not found:
        raise ImageError(f"There are no pictures in the folder {path}: choose another one.")
    return sorted(found)


def open_image(source: bytes | Path) -> Image.Image:
    """Decode a picture file, upright and opaque, in mode RGB; of an animation the first frame.

    Pictures of four million pixels and more come back reduced (see WORKING_PIXELS). Raises ImageError, and
    nothing else, whatever the bytes; its message names a file as it was given.
    """
    name = "The picture" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else _read(source, name)
    if not data:
        raise ImageError(f"{name} is empty: choose another file.")
    if len(data) > MAX_BYTES:
        raise ImageError(f"{name} is larger than {MAX_BYTES // 2**20} MB: save a smaller version.")
    try:
        if _brands(data) & AVIF_BRANDS:
            data = decoded(data, MAX_PIXELS, WORKING_PIXELS)
        return _decode(data, name)
    except ImageError:
        raise
    except AvifError as error:
        raise ImageError(f"{name} {error}.") from error
    except Image.DecompressionBombError as error:  # Pillow's own limit is above ours, but is asked first
        raise _too_many_pixels(name, MAX_PIXELS) from error
    except UnidentifiedImageError as error:
        raise ImageError(f"{name} {_what_else(data)}.") from error
    except Exception as error:
        # Pillow's decoders trust what a header says. Damaged files make them raise OSError, SyntaxError,
        # ValueError, TypeError, KeyError, IndexError, EOFError, OverflowError, MemoryError, struct.error,
        # zlib.error ...: no list of these is ever complete, and each means the same to the user.
        raise ImageError(f"{name} is damaged or incomplete: save or send it again, and retry.") from error


def _what_else(data: bytes) -> str:
    """What a file is that is no picture of the kinds that are read, and what to do; the end of a sentence."""
    if _brands(data) & HEIC_BRANDS:
        return "is a HEIC photo, which can't be read here: save it as JPEG"
    return "is not a picture that can be read: choose a JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF file"


def _brands(data: bytes) -> set[bytes]:
    """The brands of a file of the ISO family: its own, and others that it conforms to (ISO/IEC 14496-12, 4.3)."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), MAX_BRANDS)
    return {data[8:12], *(data[place : place + 4] for place in range(16, end, 4))}


def _read(path: Path, name: str) -> bytes:
    """The file's bytes; one more than MAX_BYTES at most, however large it is."""
    if "\0" in str(path):  # the one thing that makes open() raise something else than OSError
        raise ImageError("This is not a valid file name: check the path.")
    try:
        if path.exists() and not path.is_file():  # opening a named pipe would wait for ever
            raise ImageError(f"{name} is a folder or a device: choose a picture file.")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except FileNotFoundError as error:
        raise ImageError(f"{name} does not exist: check the path.") from error
    except OSError as error:
        raise ImageError(f"{name} can't be read ({error.strerror}): check its path and permissions.") from error


def _decode(data: bytes, name: str) -> Image.Image:
    with warnings.catch_warnings():
        # Pillow's warnings alone: filters belong to the whole process, and a server has other threads.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        if in_too_many_parts(data):
            raise ImageError(f"{name} consists of far more parts than a picture needs: save it again, as JPEG or PNG.")
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:  # reads the header, no pixels yet
            width, height = image.size
            if width * height > (most := MAX_WEBP_PIXELS if image.format == "WEBP" else MAX_PIXELS):
                raise _too_many_pixels(name, most)
            if min(width, height) < MIN_SIDE:
                least = f"{MIN_SIDE} x {MIN_SIDE}"
                raise ImageError(f"{name} has only {width} x {height} pixels: choose one of {least} or more.")
            factor = reduction(image.size)
            image.draft(None, (width // factor, height // factor))  # a JPEG decodes to 1/2, 1/4 or 1/8: faster
            _turn_upright(image)
            return _reduced(image)


def _turn_upright(image: Image.Image) -> None:
    """Turn a picture as its camera was held.

    Of its EXIF data nothing else is wanted: Pillow would write all of it anew, which takes seconds if it is large.
    """
    image.load()
    image.getexif()  # The picture keeps it.
    image.info.pop("exif", None)
    ImageOps.exif_transpose(image, in_place=True)


def _too_many_pixels(name: str, most: int) -> ImageError:
    return ImageError(f"{name} has more than {most // 10**6} million pixels: save a smaller version.")


def reduction(size: tuple[int, int]) -> int:
    """The whole factor by which a picture of that size is reduced: 1 for less than four million pixels."""
    return max(1, math.isqrt(size[0] * size[1] // WORKING_PIXELS))


def _reduced(image: Image.Image) -> Image.Image:
    """The picture in mode RGB, reduced; strip by strip, as a large one in two modes at once takes half a gigabyte."""
    if image.mode[0] in "IF":
        image = _to_8_bits(image)
    factor, (width, height) = reduction(image.size), image.size
    rows = 256 * factor
    strips = (image.crop((0, top, width, min(top + rows, height))) for top in range(0, height, rows))
    reduced = np.concatenate([np.asarray(_plain_mode(strip).reduce(factor)) for strip in strips])
    return to_rgb(Image.fromarray(reduced))


def to_rgb(image: Image.Image) -> Image.Image:
    """Any mode -> RGB: 16 bits and floats scaled to 8 bits, what is transparent painted as `behind` says."""
    if image.mode[0] in "IF":
        image = _to_8_bits(image)
    image = _plain_mode(image)
    if image.mode == "RGB":
        return image
    flat = Image.new("RGB", image.size, behind(image))
    flat.paste(image, mask=image.getchannel("A"))
    return flat


def behind(image: Image.Image) -> tuple[int, int, int]:
    """The colour to see behind a picture that is transparent in parts, given in mode RGBA.

    Where most of its border is clear, it is an item that was cut out. It goes on white, as the authors photographed
    theirs; if it is almost white itself, on black, or there would be nothing left to find. Where the border is painted,
    the picture has a background already, which goes on.
    """
    pixels = np.asarray(image)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    painted = edge[edge[:, 3] >= 128, :3]
    if len(painted) and (edge[:, 3] < CLEAR).mean() <= 0.5:
        red, green, blue = np.median(painted, axis=0).astype(int).tolist()
        return red, green, blue
    opacity = pixels[:, :, 3]
    lightness = np.average(np.asarray(image.convert("L")), weights=opacity) if opacity.any() else 0
    return (0, 0, 0) if lightness > ALMOST_WHITE else (255, 255, 255)


def _plain_mode(image: Image.Image) -> Image.Image:
    """In mode RGBA if anything in it may be transparent, else in mode RGB; not of integers or floats."""
    return _in_mode(image, "RGBA" if image.has_transparency_data else "RGB")


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    return image if image.mode == mode else image.convert(mode)  # convert() would copy: up to 160 MB


def _to_8_bits(image: Image.Image) -> Image.Image:
    """Modes I;16, I and F -> L, where Pillow's own conversion would clip at 255."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) // 257).astype(np.uint8))  # 65535 / 255 = 257
    # 32-bit integers and floats do not say where black and white lie: the lowest and the highest value do.
    image = image.reduce(reduction(image.size))
    values = np.nan_to_num(np.asarray(image), posinf=0, neginf=0).astype(np.float64)
    low, high = values.min(), values.max()
    return Image.fromarray(np.rint((values - low) / ((high - low) or 1) * 255).astype(np.uint8))
