"""A picture file -> a picture: each kind of file, each thing that can be wrong with one."""

import io
import json
import os
import subprocess
import sys
import textwrap
import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from helpers.answers import is_one_sentence
from helpers.pictures import BLACK, RED, WHITE, canvas, encode, near
from PIL import Image, ImageDraw

from fmnist.predict import avif_file, isolation, items, picture_file
from fmnist.predict.conversion import convert
from fmnist.predict.picture_file import ImageError, open_image

PROJECT = Path(__file__).resolve().parents[2]


# Kinds of files


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_each_format(kind, tmp_path):
    data = encode(canvas(), kind)
    path = tmp_path / "picture"
    path.write_bytes(data)
    for source in (data, path):
        image = open_image(source)
        assert (image.mode, image.size) == ("RGB", (60, 80))
        assert near(image, (30, 40), RED) and near(image, (3, 3), WHITE)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F", "I;16"])
def test_each_mode_of_tiff(mode):
    image = canvas(item=BLACK).convert("L" if mode in ("I", "F") else "RGB")
    if mode == "I;16":
        image = Image.fromarray(np.asarray(image.convert("L")).astype(np.uint16) * 257)
    image = open_image(encode(image if mode == "I;16" else image.convert(mode), "TIFF"))
    assert near(image, (30, 40), BLACK) and near(image, (3, 3), WHITE)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF"])
def test_exif_rotation(kind, orientation):
    upright = canvas(box=(0, 0, 30, 20))  # in the upper left corner
    turn = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # Pillow's name of what a camera held like that does
    stored = upright.transpose(Image.Transpose(turn[orientation])) if orientation > 1 else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = open_image(encode(stored, kind, exif=exif))
    assert image.size == (60, 80)
    assert near(image, (5, 5), RED, 20) and all(near(image, p, WHITE) for p in [(55, 5), (5, 75), (55, 75)])


def test_cmyk_jpeg():
    image = open_image(encode(canvas(item=BLACK).convert("CMYK"), "JPEG"))
    assert near(image, (30, 40), BLACK) and near(image, (3, 3), WHITE)


def test_16_bit_png_is_scaled_not_clipped():
    values = np.full((10, 10), 65535, np.uint16)
    values[2:8, 2:8] = 32896  # 128 x 257
    image = open_image(encode(Image.fromarray(values), "PNG"))
    assert image.getpixel((0, 0)) == WHITE and image.getpixel((5, 5)) == (128, 128, 128)


@pytest.mark.parametrize("white", [1e-44, 1e-3, 3e38])
def test_floats_are_scaled_however_small_or_large(white, recwarn):
    values = np.full((10, 10), white, np.float32)
    values[2:8, 2:8] = 0
    image = picture_file.to_rgb(Image.fromarray(values))
    assert image.getpixel((0, 0)) == WHITE and image.getpixel((5, 5)) == BLACK
    assert not recwarn.list


def test_transparency_is_flattened_on_white():
    item = canvas().convert("RGBA")
    item.paste((0, 0, 0, 0), (0, 0, 60, 10))
    item.paste((0, 0, 0, 51), (0, 70, 60, 80))  # a fifth of black
    image = open_image(encode(item, "PNG"))
    assert [image.getpixel((3, y)) for y in (3, 40, 75)] == [WHITE, WHITE, (204, 204, 204)]
    image = open_image(encode(item.convert("LA"), "PNG"))
    assert [image.getpixel((3, y)) for y in (3, 40, 75)] == [WHITE, WHITE, (204, 204, 204)]


SHIRT = [(30, 15), (42, 20), (58, 20), (70, 15), (95, 40), (80, 52), (72, 42), (72, 90), (28, 90), (28, 42), (20, 52)]


def shirt(size: int, colour: tuple[int, ...], around: tuple[int, ...]) -> Image.Image:
    """A shirt; with four numbers to a colour, cut out."""
    image = Image.new("RGB" if len(around) == 3 else "RGBA", (size, size), around)
    ImageDraw.Draw(image).polygon([(x * size / 100, y * size / 100) for x, y in SHIRT], fill=colour)
    return image


@cache
def on_paper(size: int, level: int, paper: int) -> np.ndarray:
    """The same shirt, not cut out, as the models see it."""
    return convert(open_image(encode(shirt(size, (level,) * 3, (paper,) * 3), "PNG"))).image


@pytest.mark.parametrize("size", [28, 400, 2100])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA", "P"])
@pytest.mark.parametrize("level, paper", [(255, 0), (225, 0), (180, 255), (0, 255)])
def test_an_item_that_was_cut_out_is_answered_as_on_a_background_that_shows_it(size, mode, level, paper):
    cut_out = shirt(size, (level,) * 3 + (255,), (0, 0, 0, 0)).convert("RGBA" if mode == "P" else mode)
    data = encode(cut_out.quantize(4), "PNG") if mode == "P" else encode(cut_out, "TIFF" if mode == "PA" else "PNG")
    expected = on_paper(size, level, paper)
    rounded = 0 if size < 2048 else 4  # Larger ones are reduced, at the outline once with and once without their paper.
    assert np.abs(convert(open_image(data)).image - expected.astype(int)).max() <= rounded
    if not rounded:
        assert np.array_equal(convert(cut_out).image, expected)


def test_a_background_goes_on_where_a_picture_is_transparent():
    """As in a picture with round corners, here of a white thing on grey."""
    image = canvas(colour=(90, 90, 90), item=WHITE).convert("RGBA")
    corners = Image.new("L", image.size, 0)
    ImageDraw.Draw(corners).rounded_rectangle((0, 0, 59, 79), 15, fill=255)
    image.putalpha(corners)
    assert open_image(encode(image, "PNG")).getpixel((0, 0)) == (90, 90, 90)
    assert np.array_equal(convert(image).image, convert(canvas(colour=(90, 90, 90), item=WHITE)).image)


@pytest.mark.parametrize("kind", ["PNG", "GIF"])
def test_palette_with_transparency(kind):
    image = Image.new("P", (20, 20), 0)
    image.putpalette([0, 0, 0, *RED])
    image.paste(1, (5, 5, 15, 15))
    image = open_image(encode(image, kind, transparency=0))
    assert image.getpixel((0, 0)) == WHITE and image.getpixel((10, 10)) == RED


def test_a_fully_transparent_picture_is_blank():
    image = open_image(encode(Image.new("RGBA", (40, 40), (0, 0, 0, 0)), "PNG"))
    with pytest.raises(ImageError, match="nothing in the picture"):
        convert(image)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_an_animation_gives_its_first_frame(kind):
    data = encode(canvas(), kind, save_all=True, append_images=[canvas(item=BLACK), canvas(colour=BLACK)])
    assert near(open_image(data), (30, 40), RED)


@pytest.mark.parametrize("kind", ["JPEG", "BMP"])
def test_a_large_photo_comes_back_reduced(kind):
    image = open_image(encode(canvas((2736, 1824), box=(1000, 300, 1500, 1500)), kind))
    assert image.size == (1368, 912)
    assert items.bounding_box(isolation.foreground(image, np.array(WHITE))) == (500, 150, 750, 750)


# What can be wrong


def refused(source: bytes | Path) -> str:
    """The message with which a source is refused: one sentence in one line."""
    with pytest.raises(ImageError) as caught:
        open_image(source)
    message = str(caught.value)
    assert message.endswith(".") and message.count(". ") == 0 and "\n" not in message
    return message


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"])
def test_truncated_files(kind):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (80, 60, 3), np.uint8))
    data = encode(noise, kind)
    assert "damaged or incomplete" in refused(data[: len(data) * 2 // 3])


@pytest.mark.parametrize("data", [b"This is text.", b"\x89PNG\r\n\x1a\n", b"%PDF-1.7", b"\0" * 1000, b"<svg/>"])
def test_not_a_picture(data):
    assert "is not a picture that can be read" in refused(data)


def ftyp(*brands: bytes) -> bytes:
    """The beginning of a file of the ISO family: its own brand, a version, and others that it conforms to."""
    return (12 + 4 * len(brands)).to_bytes(4, "big") + b"ftyp" + brands[0] + bytes(4) + b"".join(brands[1:])


@pytest.mark.parametrize(
    "brands",
    [[brand] for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1")]
    + [[b"mif1", b"miaf", b"heic"], [b"MiHE", b"mif1", b"heic"], [b"1pic", b"heix"]],
)
def test_a_heic_photo_is_named(brands):
    data = ftyp(*brands) + bytes(100)
    assert "is a HEIC photo" in refused(data) and "save it as JPEG" in refused(data)


def avif(size: tuple[int, int] = (60, 80), **options) -> bytes:
    return encode(canvas(size), "AVIF", **options)


def test_an_avif_picture():
    image = open_image(avif())
    assert (image.mode, image.size) == ("RGB", (60, 80))
    assert near(image, (30, 40), RED) and near(image, (3, 3), WHITE)


def test_an_avif_picture_is_turned_upright_its_background_painted_and_a_large_one_reduced():
    exif = Image.Exif()
    exif[0x0112] = 6
    item = canvas((2064, 2048), box=(0, 0, 1000, 1000)).transpose(Image.Transpose.ROTATE_90).convert("RGBA")
    item.paste((0, 0, 0, 0), (1100, 1100, 2048, 2064))
    image = open_image(encode(item, "AVIF", exif=exif, speed=10))
    assert image.size == (1032, 1024)
    assert near(image, (100, 100), RED) and all(near(image, p, WHITE) for p in [(1000, 50), (50, 1000), (1000, 1000)])


@pytest.mark.parametrize("data", [ftyp(b"mif1", b"avif", b"miaf") + bytes(100), avif()[:-40]])
def test_a_damaged_avif_picture_is_not_called_heic(data):
    assert "is damaged or incomplete" in refused(data)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process's memory may not be bounded")
def test_an_avif_picture_takes_no_more_memory_than_its_process_may_have(monkeypatch):
    """It says that it has 100 x 100 pixels, and holds a frame of nine million."""
    side, said = ((b"ispe" + bytes(4) + 2 * side.to_bytes(4, "big")) for side in (3000, 100))
    lying = avif((3000, 3000), speed=10, quality=30, subsampling="4:4:4").replace(side, said)
    assert open_image(lying).size == (100, 100)
    monkeypatch.setattr(avif_file, "MAX_MEMORY", 55 * 2**20)
    assert open_image(avif()).size == (60, 80)
    assert refused(lying)


@pytest.mark.parametrize("bound, value", [("picture_file.MAX_PIXELS", 4000), ("avif_file.MAX_WAIT", 0.001)])
def test_an_avif_picture_that_takes_too_much_is_refused(bound, value, monkeypatch):
    monkeypatch.setattr(f"fmnist.predict.{bound}", value)
    assert "takes too much memory or time to decode" in refused(avif())


def test_where_pillow_has_no_avif_that_is_said(monkeypatch):
    monkeypatch.setattr(avif_file.features, "check", lambda name: False)
    assert "needs Pillow 11.3 or newer: update Pillow, or save it as JPEG" in refused(avif())


@pytest.mark.parametrize(
    "data", [ftyp(b"isom", b"mp42"), b"\xff\xff\xff\xffftypqt  ", b"\0\0\0\0ftyp", b"\0\0\0\x08ftyp"]
)
def test_a_film_is_no_photo(data):
    assert "is not a picture" in refused(data)


def test_formats_that_are_not_asked_for_are_not_decoded():
    assert "choose a JPEG, PNG, WebP, AVIF, GIF, BMP or TIFF file" in refused(encode(canvas(), "PPM"))


def test_files_that_cannot_be_read(tmp_path):
    text = tmp_path / "notes.png"
    text.write_text("not a picture")
    (tmp_path / "empty.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    assert "notes.png is not a picture" in refused(text)
    assert "empty.png is empty" in refused(tmp_path / "empty.png")
    assert "missing.png does not exist" in refused(tmp_path / "missing.png")
    assert "notes.png can't be read (Not a directory)" in refused(text / "notes.png")
    assert "is a folder or a device" in refused(tmp_path)
    assert "pipe.png is a folder or a device" in refused(tmp_path / "pipe.png")
    assert "not a valid file name" in refused(Path("a\0b"))
    assert "empty" in refused(b"")


def test_a_file_without_permission(tmp_path):
    path = tmp_path / "secret.png"
    path.write_bytes(encode(canvas(), "PNG"))
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user may read everything")
    assert "secret.png can't be read (Permission denied)" in refused(path)


def test_too_many_bytes_are_not_read(tmp_path):
    path = tmp_path / "huge.png"
    with path.open("wb") as file:
        file.truncate(10 * picture_file.MAX_BYTES)  # sparse
    assert "huge.png is larger than 20 MB" in refused(path)
    assert "larger than 20 MB" in refused(bytes(picture_file.MAX_BYTES + 1))


@pytest.mark.parametrize("size", [(6400, 6251), (40_000, 40_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_not_decoded(size):
    data = bytearray(encode(Image.new("1", (8, 8)), "BMP"))
    data[18:26] = np.array(size, "<i4").tobytes()  # the header's width and height
    assert "more than 40 million pixels" in refused(bytes(data))


@pytest.mark.parametrize("size, accepted", [((8, 8), True), ((7, 8), False), ((500, 7), False), ((1, 1), False)])
def test_the_smallest_side(size, accepted):
    data = encode(Image.new("RGB", size), "PNG")
    if accepted:
        assert open_image(data).size == size
    else:
        assert f"has only {size[0]} x {size[1]} pixels" in refused(data)


def test_a_thousand_hostile_files_are_answered_or_refused_in_a_sentence_with_less_than_500_mb():
    code = """
        import json, re, time, warnings
        from pathlib import Path
        from bench.campaigns.pictures import hostile_files
        from fmnist.predict.conversion import convert
        from fmnist.predict.picture_file import ImageError, open_image

        images, refusals, slowest = 0, [], 0.0
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            for data in hostile_files(1000):
                started = time.process_time()  # Ours alone, whatever else runs.
                try:
                    image = convert(open_image(data)).image
                    assert (image.shape, image.dtype) == ((28, 28), "uint8")
                    images += 1
                except ImageError as error:
                    refusals.append(str(error))
                slowest = max(slowest, time.process_time() - started)
        status = Path("/proc/self/status")
        peak = int(re.search(r"VmHWM:\\s+(\\d+)", status.read_text())[1]) if status.exists() else 0
        print(json.dumps([images, refusals, slowest, list(map(str, warned)), peak]))
    """
    process = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, cwd=PROJECT)
    assert process.returncode == 0, process.stderr
    images, refusals, slowest, warned, peak = json.loads(process.stdout)
    assert images > 200 and len(refusals) > 200 and images + len(refusals) == 1000
    assert all(map(is_one_sentence, refusals))
    assert slowest < 2, f"one took {slowest:.1f} s"
    assert not warned and peak < 500 * 1024


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process its peak")
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "LA", "PA", "CMYK", "I;16", "F"])
def test_the_largest_pictures_need_less_than_500_mb(mode, tmp_path):
    path = tmp_path / "large.tiff"
    exif = Image.Exif()
    exif[0x0112] = 6  # It is turned, too.
    Image.new(mode, (6300, 6300)).save(path, compression="tiff_lzw", exif=exif)
    code = """
        import re, sys
        from pathlib import Path
        from fmnist.predict.picture_file import open_image

        assert open_image(Path(sys.argv[1])).size == (1050, 1050)
        print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
    """
    command = [sys.executable, "-c", textwrap.dedent(code), path]
    assert int(subprocess.run(command, check=True, capture_output=True, cwd=PROJECT).stdout) < 500 * 1024


def test_a_webp_picture_may_have_fewer_pixels():
    """Its decoder takes four times the memory: 640 MB for 40 million."""
    data = encode(Image.new("RGB", (5001, 5000)), "WEBP", lossless=True, quality=0, method=0)
    assert "more than 25 million pixels: save a smaller version" in refused(data)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_of_exif_data_only_how_the_camera_was_held_is_looked_at(kind, monkeypatch):
    """A million numbers in it would be written anew where a picture is turned: that takes seconds."""
    exif = Image.Exif()
    exif[0x0112], exif[0x8000] = 6, tuple(range(1000))
    data = encode(canvas((80, 60)), kind, exif=exif)
    monkeypatch.setattr(Image.Exif, "tobytes", lambda *_: pytest.fail("it is written"))
    assert open_image(data).size == (60, 80)


def test_pillow_warnings_stay_inside():
    data = encode(canvas(), "PNG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")  # points past its end
    with pytest.warns(UserWarning), Image.open(io.BytesIO(data)) as image:
        image.getexif()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert open_image(data).size == (60, 80)


@pytest.mark.parametrize("size, reduction", [((1, 1), 1), ((2048, 2047), 1), ((2048, 2048), 2), ((5472, 3648), 4)])
def test_reduction(size, reduction):
    assert picture_file.reduction(size) == reduction
