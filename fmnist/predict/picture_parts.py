"""Of how many parts a picture file consists: a few bytes can keep a decoder busy, however few pixels there are."""

import re
import struct

MAX_SCANS = 40  # of a JPEG: encoders write ten unless they are told otherwise; 40 of 40 million pixels take a second
MAX_SEGMENTS = 2000  # of a JPEG: a large profile or map of depths comes in some hundreds
MAX_FILL = 1000  # bytes between segments of a JPEG
MAX_CHUNKS = 20_000  # of a PNG: encoders write 8 kB a chunk, and more
MAX_BLOCKS = 100_000  # of a GIF, before its first picture: one has 255 bytes at most
MAX_STRIPS = 50_000  # or tiles of a TIFF: encoders write 8 kB a strip, or a row
MAX_TAGS = 1000  # of a TIFF
MAX_RUN_LENGTHS = 4_000_000  # bytes, and pixels, of a BMP that has runs of pixels: Pillow decodes these in Python

# What begins a segment of a JPEG, and has a length or ends the picture (ITU-T T.81, table B.1).
SEGMENT = re.compile(rb"\xff[^\x00\x01\xd0-\xd8\xff]", re.DOTALL)
STRIPS, TILES = 273, 324  # TIFF 6.0, sections 8 and 15: the tags that say where each lies


def in_too_many_parts(data: bytes) -> bool:
    """Whether a file would keep its decoder busy.

    Pillow looks at each segment of a JPEG, chunk of a PNG, block of a GIF and tile of a TIFF in turn: 20 MB of empty
    ones are ten seconds, and gigabytes of memory.
    """
    for begins, count in KINDS.items():
        if data.startswith(begins):
            return count(data)
    return False


def _png(data: bytes) -> bool:
    place = 8
    for _ in range(MAX_CHUNKS):
        place += 12 + int.from_bytes(data[place : place + 4], "big")
        if place >= len(data):
            return False
    return True


def _jpeg(data: bytes) -> bool:
    """A decoder goes through all pixels for each scan: 200 kB with 800 scans are half a minute of a core."""
    scans, place = 0, 2
    for _ in range(MAX_SEGMENTS):
        marker = SEGMENT.search(data, place)
        # Up to the end of the first picture: what follows (a second one, a film) is not read.
        if marker is None or marker[0] == b"\xff\xd9":
            return False
        scans += marker[0] == b"\xff\xda"
        if scans > MAX_SCANS or (not scans and marker.start() - place > MAX_FILL):
            return True
        place = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2], "big")
    return True


def _gif(data: bytes) -> bool:
    """Blocks up to the first picture (GIF89a, appendix A); what follows that is not read."""
    colours = 3 * 2 ** (data[10] % 8 + 1) if len(data) > 10 and data[10] & 128 else 0
    place, within = 13 + colours, False
    for _ in range(MAX_BLOCKS):
        if place >= len(data) or (data[place] == ord(",") and not within):
            return False
        if within:
            within, place = data[place] > 0, place + 1 + data[place]
        elif data[place] == ord("!"):
            within, place = True, place + 2
        else:
            place += 1
    return True


def _tiff(data: bytes) -> bool:
    """Strips or tiles of the first picture, and its tags, of which a BigTIFF may have any number."""
    order, is_big = "<" if data[0] == ord("I") else ">", data[2:3] == b"+"  # As Pillow tells a BigTIFF.
    # Where the tags are; how many; each with its type, how many values it has, and these or where they are.
    first, number, tag = ("8xQ", "Q", "HHQ8x") if is_big else ("4xL", "H", "HHL4x")
    try:
        [place] = struct.unpack_from(order + first, data)
        [count] = struct.unpack_from(order + number, data, place)
        if count > MAX_TAGS:
            return True
        place += struct.calcsize(order + number)
        tags = [struct.unpack_from(order + tag, data, place + at * struct.calcsize(order + tag)) for at in range(count)]
    except struct.error:  # It is cut off, and refused for that.
        return False
    return any(values > MAX_STRIPS for name, _, values in tags if name in (STRIPS, TILES))


def _bmp(data: bytes) -> bool:
    """Whether it has runs of pixels (compression 1 or 2), and so many that these take long to be decoded."""
    width, height, compression = struct.unpack("<ii4xI", data[18:34].ljust(16, b"\0"))
    return compression in (1, 2) and max(len(data), abs(width * height)) > MAX_RUN_LENGTHS


KINDS = {
    b"\xff\xd8": _jpeg,
    b"\x89PNG\r\n\x1a\n": _png,
    b"GIF8": _gif,
    **dict.fromkeys((b"II", b"MM"), _tiff),
    b"BM": _bmp,
}
"""By how a file of a kind begins, what tells whether it has too many parts."""
