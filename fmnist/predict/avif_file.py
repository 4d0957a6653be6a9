"""An AVIF file -> a picture, decoded in a process of its own whose memory and time are bounded.

Nothing in such a file bounds them: 2 kB that claim to be 100 x 100 pixels may hold a frame of 16,384 x 16,384, and
Pillow decodes what is there. Only a process can be stopped, so no AVIF file is decoded in this one.
"""

import subprocess
import sys

from PIL import features

BRANDS = {b"avif", b"avis"}  # AVIF 1.1, section 6: of pictures and of their sequences
MAX_MEMORY = 450 * 2**20  # bytes that the process may map
MAX_SECONDS = 2  # of the processor
MAX_WAIT = 30  # seconds: others may have the processor, and Windows bounds nothing else

# A TIFF file of the first frame, upright and reduced.
DECODE = """
import io, sys
del sys.path[0]  # The folder that one happens to be in: nothing in it is to be imported.
memory, seconds, max_pixels, working_pixels = map(int, sys.argv[1:])
try:
    import resource
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
except (ImportError, OSError, ValueError):  # Windows has none of them, macOS not all.
    pass
from PIL import AvifImagePlugin, Image, ImageOps
AvifImagePlugin.DEFAULT_MAX_THREADS = 1  # Each has memory of its own.
with Image.open(io.BytesIO(sys.stdin.buffer.read()), formats=["AVIF"]) as image:
    if image.width * image.height > max_pixels:
        raise MemoryError
    ImageOps.exif_transpose(image, in_place=True)
    factor = max(1, int((image.width * image.height / working_pixels) ** 0.5))
    file = io.BytesIO()
    image.reduce(factor).save(file, "TIFF")
sys.stdout.buffer.write(file.getbuffer())
"""


class AvifError(ValueError):
    """The file cannot be used; the message is the end of a sentence that begins with its name."""


def decoded(data: bytes, max_pixels: int, working_pixels: int) -> bytes:
    """An AVIF file as a TIFF file of its first frame, upright.

    Args:
        data: the file.
        max_pixels: that it may have.
        working_pixels: four times as many and more are reduced to between one and four times as many.

    Raises:
        AvifError: it is damaged, takes too much to decode, or Pillow is one without AVIF.
    """
    if not features.check("avif"):
        raise AvifError("is an AVIF picture, which needs Pillow 11.3 or newer: update Pillow, or save it as JPEG")
    bounds = map(str, (MAX_MEMORY, MAX_SECONDS, max_pixels, working_pixels))
    try:
        ended = subprocess.run(
            [sys.executable, "-c", DECODE, *bounds], input=data, capture_output=True, timeout=MAX_WAIT
        )
    except subprocess.TimeoutExpired as error:
        raise _too_much() from error
    if ended.returncode < 0 or b"memory" in ended.stderr.lower():  # A signal has ended it, or it had too little.
        raise _too_much()
    if ended.returncode:
        raise AvifError("is damaged or incomplete: save or send it again, and retry")
    return ended.stdout


def _too_much() -> AvifError:
    return AvifError("takes too much memory or time to decode: save a smaller version, or save it as JPEG")
