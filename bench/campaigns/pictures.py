"""What do damaged picture files do?  python -m bench.campaigns.pictures [--count 2000] [--seed 0]

Small pictures of every kind that is read are saved, a few bytes of each are changed, most of them in its header, and
some are cut short. Each must be converted or refused in a sentence, within `MAX_SECONDS` of the processor and
`MAX_MEMORY`, here and in the processes that decode AVIF.
"""

from __future__ import annotations

import argparse
import io
import random
import resource
import sys
from collections import Counter
from collections.abc import Iterator

from PIL import Image

from fmnist.predict.conversion import convert
from fmnist.predict.picture_file import ImageError, open_image

MAX_SECONDS = 2
MAX_MEMORY = 500  # MB
BOTH = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def sound_files(*, avif: bool) -> list[bytes]:
    """A picture in every kind of file, with what makes readers do more: EXIF, palettes, transparency, compression."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    image = Image.new("RGB", (30, 40), "white")
    image.paste((200, 30, 40), (5, 5, 20, 30))
    files = [saved(image, kind) for kind in ("GIF", "BMP", "TIFF")]
    files += [saved(image, kind, exif=exif) for kind in ("JPEG", "PNG", "WEBP", "TIFF")]
    files += [saved(image.convert("P"), "PNG", transparency=0), saved(image.convert("CMYK"), "JPEG")]
    files += [saved(image.convert("F"), "TIFF"), saved(image, "TIFF", compression="tiff_lzw")]
    if avif:
        other = image.transpose(Image.Transpose.ROTATE_180)
        files += [saved(image, "AVIF", exif=exif), saved(image.convert("RGBA"), "AVIF", subsampling="4:4:4")]
        files += [saved(image, "AVIF", save_all=True, append_images=[other])]
    return files


def hostile_files(count: int, seed: int = 0, *, avif: bool = False) -> Iterator[bytes]:
    """Files of every kind that is read, each with a few bytes changed, most of them in the header; some cut short.

    Args:
        avif: these too. Each of them takes a process, and a tenth of a second.
    """
    chance = random.Random(seed)
    files = sound_files(avif=avif)
    for index in range(count):
        mutated = bytearray(files[index % len(files)])
        for _ in range(chance.randint(1, 6)):
            place = chance.randrange(min(len(mutated), chance.choice([100, 10**6])))
            mutated[place] = chance.choice([0, 255, chance.randrange(256)])
        yield bytes(mutated[: chance.randrange(len(mutated))] if chance.random() < 0.1 else mutated)


def attack(data: bytes) -> str:
    """Read a file; what came of it: "converted", "refused", or what is wrong."""
    before = _seconds()
    try:
        outcome = "converted" if convert(open_image(data)).image.shape == (28, 28) else "is of another size"
    except ImageError as error:
        sentence = str(error)
        outcome = "refused" if sentence.endswith(".") and "\n" not in sentence else f"said {sentence!r}"
    except Exception as error:
        outcome = f"raised {error!r}"
    seconds = _seconds() - before
    return outcome if seconds < MAX_SECONDS else f"took {seconds:.1f} s"


def _seconds() -> float:
    """Of the processor, so far: of this process and those that it waited for."""
    used = [resource.getrusage(whose) for whose in BOTH]
    return sum(one.ru_utime + one.ru_stime for one in used)


def memory() -> float:
    """The most that this process, or one that it waited for, has had resident, in MB (Linux)."""
    return max(resource.getrusage(whose).ru_maxrss for whose in BOTH) / 1024


def main() -> int:
    """Attack, and print what came of it; 1 if anything is wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=2000, help="files")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    outcomes: Counter[str] = Counter()
    for number, data in enumerate(hostile_files(asked.count, asked.seed, avif=True)):
        outcome = attack(data)
        outcomes[outcome] += 1
        if outcome not in ("converted", "refused"):
            print(f"{number}: {outcome}: {data[:200]!r}", flush=True)
    wrong = asked.count - outcomes["converted"] - outcomes["refused"]
    print(f"{outcomes['converted']:,} converted, {outcomes['refused']:,} refused, {wrong} wrong; {memory():.0f} MB.")
    return int(wrong > 0 or memory() > MAX_MEMORY)


if __name__ == "__main__":
    sys.exit(main())
