"""Files of few bytes or pixels that would keep a decoder busy for long: refused before it begins."""

import struct
import zlib

import pytest
from helpers.pictures import canvas, encode
from PIL import Image

from fmnist.predict import picture_parts
from fmnist.predict.picture_file import ImageError, open_image


def refused(data: bytes) -> str:
    with pytest.raises(ImageError) as caught:
        open_image(data)
    return str(caught.value)


def with_scans(count: int, side: int = 200) -> bytes:
    """A JPEG whose last scan is repeated until it has so many."""
    data = encode(Image.new("L", (side, side)), "JPEG", progressive=True)
    start, has = data.rindex(b"\xff\xda"), data.count(b"\xff\xda")
    return data[:-2] + data[start:-2] * (count - has) + data[-2:]


def test_a_jpeg_of_many_scans_is_not_decoded():
    for count in (10, picture_parts.MAX_SCANS):
        assert open_image(with_scans(count)).size == (200, 200)
    for count in (picture_parts.MAX_SCANS + 1, 800, 5000):
        assert "far more parts" in refused(with_scans(count))


@pytest.mark.parametrize("segment", [b"\xff\xe0\0\2", b"\xff\xfe\0\2", b"\xff\xe1\0\3a", b"\xff"])
def test_a_jpeg_of_many_segments_is_not_decoded(segment):
    jpeg = encode(canvas(), "JPEG")
    assert open_image(jpeg[:2] + segment * 500 + jpeg[2:]).size == (60, 80)
    assert "far more parts" in refused(jpeg[:2] + segment * 1_000_000 + jpeg[2:])


def test_a_png_of_many_chunks_is_not_decoded():
    png = encode(canvas(), "PNG")
    chunk = struct.pack(">I4sI", 0, b"zzZz", zlib.crc32(b"zzZz"))
    assert open_image(png[:33] + chunk * 500 + png[33:]).size == (60, 80)
    assert "far more parts" in refused(png[:33] + chunk * 1_000_000 + png[33:])


def test_scans_are_those_of_the_picture_alone():
    """Not what looks like one in its preview, or in the film that a phone appends."""
    exif = Image.Exif()
    exif[0x010F] = "\xff\xda" * 100
    jpeg = encode(canvas(), "JPEG", exif=exif, comment=b"\xff\xda" * 100)
    assert jpeg.count(b"\xff\xda") > 100
    assert open_image(jpeg + b"\xff\xda" * 100).size == (60, 80)


@pytest.mark.parametrize("block", [b"!\xfe\x01a\0", b"!\xff\x01a\0", b"\x01", b"!\xfe\x01a\x01a\0"])
def test_a_gif_of_many_blocks_is_not_decoded(block):
    gif = encode(canvas(), "GIF")
    start = 13 + 3 * 2 ** (gif[10] % 8 + 1)
    assert open_image(gif[:start] + block * 500 + gif[start:]).size == (60, 80)
    assert "far more parts" in refused(gif[:start] + block * 200_000 + gif[start:])


def test_what_follows_a_gifs_first_picture_is_not_counted():
    frames = [canvas(item=(0, number, 0)) for number in range(3)]
    gif = encode(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert open_image(gif[:-1] + b"!\xfe\x01a\0" * 200_000 + b";").size == (60, 80)


def tiff(strips: int, *, big: bool = False, further: int = 0) -> bytes:
    """A TIFF of 8 pixels across, a strip for each row, and so many further tags."""
    long = "Q" if big else "L"
    tags = [(256, 1, 8), (257, 1, strips), (258, 1, 8), (259, 1, 1), (262, 1, 1), (273, strips, None), (277, 1, 1)]
    tags += [(278, 1, 1), (279, strips, None), *((0x8000 + number, 1, 0) for number in range(further))]
    header = b"II+\0\x08\0\0\0" + struct.pack("<Q", 16) if big else b"II*\0" + struct.pack("<L", 8)
    entry = struct.Struct("<HH" + 2 * long)
    after = len(header) + (8 if big else 2) + entry.size * len(tags) + (8 if big else 4)
    listed = b"".join(entry.pack(tag, 4, count, after if value is None else value) for tag, count, value in tags)
    return header + struct.pack("<Q" if big else "<H", len(tags)) + listed + bytes(8) + 8 * strips * b"\x08\0\0\0"


@pytest.mark.parametrize("big", [False, True])
def test_a_tiff_of_many_strips_or_tags_is_not_decoded(big):
    assert open_image(tiff(500, big=big)).size == (8, 500)
    assert "far more parts" in refused(tiff(500_000, big=big))
    assert "far more parts" in refused(tiff(500, big=big, further=5000))


def run_lengths(width: int, height: int, data: bytes) -> bytes:
    """A BMP whose pixels are runs."""
    colours = bytes(1024)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, 8, 1, len(data), 0, 0, 256, 0)
    return b"BM" + struct.pack("<I4xI", 54 + 1024 + len(data), 54 + 1024) + header + colours + data


def test_a_bmp_of_many_runs_is_not_decoded():
    """A thousand bytes that pad eight rows of five million pixels, one by one; or as many runs as bytes may be sent."""
    assert open_image(run_lengths(100, 80, b"\x64\x05\0\0" * 80 + b"\0\1")).size == (100, 80)
    assert "far more parts" in refused(run_lengths(4_999_999, 8, b"\x01\x05\0\0" * 8))
    assert "far more parts" in refused(run_lengths(100, 80, b"\x01\x05" * 3_000_000))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP", "TIFF"])
def test_a_file_that_is_cut_off_has_not_too_many_parts(kind):
    data = encode(canvas(), kind)
    assert not any(picture_parts.in_too_many_parts(data[:length]) for length in range(200))
