"""What trained networks make of pictures: python predict.py PICTURE [PICTURE ...]

A PICTURE is an image file, a folder of them, or a file of images in the IDX format (of MNIST and its relatives), packed
by gzip or not. Needs torch, safetensors, numpy and Pillow; and beside this file model.py, the code that reads pictures,
and the weights, *.safetensors.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import os
import struct
import sys
import zlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file

from fmnist.data.framing import Framing
from fmnist.export.formulas import harmless
from fmnist.predict.conversion import convert_file
from fmnist.predict.picture_file import ImageError, pictures_in

# <facts>
# isort: split
from fmnist.models.networks import tiny_vgg as build

CLASSES = tuple("0123456789")
LAYOUT = torch.channels_last
FRAMING = Framing()
# </facts>

SIDE = 28  # pixels
BATCH = 500  # images at once
PACKED, IDX_IMAGES = b"\x1f\x8b", b"\0\0\x08\x03"  # How a gzip file, and an IDX file of images, begin.


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE")
    parser.add_argument("--weights", nargs="+", type=Path, help="default: all *.safetensors beside this script")
    parser.add_argument("--limit", type=positive, help="only so many images of each file")
    parser.add_argument("--csv", action="store_true", help="the probability of every class, as CSV")
    options = parser.parse_args()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # A file's name may be no text: then it is printed escaped.
            stream.reconfigure(errors="backslashreplace")
    weights = options.weights or sorted(Path(__file__).parent.glob("*.safetensors"))
    if not weights:
        print("There are no weights beside this script: name them with --weights.", file=sys.stderr)
        return 1
    try:
        models = [load(path) for path in weights]
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    table = csv.writer(sys.stdout)
    if options.csv:
        table.writerow(["file", "image", "answer", *CLASSES])
    complete = True
    for path, images, sentences in found(options.pictures):
        for sentence in sentences:
            print(sentence, file=sys.stderr)
        if images is None:
            complete = False
            continue
        for number, row in enumerate(probabilities(models, images[: options.limit])):
            answer = CLASSES[int(row.argmax())]
            if options.csv:
                table.writerow([harmless(str(path)), number, answer, *map(float, row)])
            else:
                which = f" {number}" if len(images) > 1 else ""
                print(f"{path}{which}  {answer}  {row.max():.1%}")
    return 0 if complete else 1


def positive(text: str) -> int:
    """A whole number from 1 on, as the parser of arguments takes it.

    Raises:
        ArgumentTypeError: it is none.
    """
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text)):
        raise argparse.ArgumentTypeError(f"{text[:20]!r} is not a whole number from 1 on")
    return int(text)


def found(paths: Iterable[Path]) -> Iterator[tuple[Path, np.ndarray | None, Sequence[object]]]:
    """Each file with its images, uint8 (N, 28, 28), and remarks on them; or with None, and what is wrong with it."""
    for path in paths:
        try:
            files = pictures_in(path)
        except ImageError as error:
            files = []
            yield path, None, [error]
        for file in files:
            try:
                yield file, *read(file)
            except ImageError as error:  # It names the file.
                yield file, None, [error]
            except (OSError, ValueError, EOFError, zlib.error) as error:
                yield file, None, [f"{file} can't be read: {getattr(error, 'strerror', None) or error}."]


def load(path: Path) -> torch.nn.Module:
    """The network with its trained weights, on the CPU.

    Raises:
        ValueError: they are damaged, or another network's; a sentence.
    """
    model = build()
    try:
        model.load_state_dict(load_file(path))
    except Exception:  # What safetensors and PyTorch raise for damaged bytes is not settled.
        raise ValueError(f"{path} is not there, is damaged, or has the weights of another network.") from None
    return model.to(memory_format=LAYOUT).eval()


def probabilities(models: list[torch.nn.Module], images: np.ndarray) -> np.ndarray:
    """The mean probabilities of the networks.

    Args:
        images: uint8 (N, 28, 28), light on black.

    Returns:
        float64 (N, C).
    """
    inputs = torch.tensor(images).unsqueeze(1).float().div_(255)
    return np.mean([softmax(logits(model, inputs)) for model in models], axis=0)


@torch.inference_mode()
def logits(model: torch.nn.Module, inputs: torch.Tensor) -> np.ndarray:
    """float32 (N, C)."""
    torch.set_num_threads(1)
    return torch.cat([model(batch) for batch in inputs.split(BATCH)]).float().numpy()


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def read(path: Path) -> tuple[np.ndarray, Sequence[object]]:
    """The images of a file, uint8 (N, 28, 28), light on black; and what may mislead a network, in sentences."""
    if path.is_file():
        with path.open("rb") as file:
            begins = file.read(len(IDX_IMAGES))
        if begins == IDX_IMAGES or begins.startswith(PACKED):
            return idx_images(path.read_bytes()), ()
    converted = convert_file(path, FRAMING)
    return converted.image[None], [f"{path}: {remark}" for remark in converted.remarks]


def idx_images(content: bytes) -> np.ndarray:
    """The images of a file in the IDX format, packed or not: uint8 (N, 28, 28)."""
    if content.startswith(PACKED):
        content = gzip.decompress(content)
    count, height, width = struct.unpack(">3I", content[4:16].ljust(12, b"\0"))
    complete = content.startswith(IDX_IMAGES) and len(content) == 16 + count * SIDE * SIDE
    if (height, width) != (SIDE, SIDE) or not complete:
        raise ValueError(f"it is no complete IDX file of images with {SIDE} x {SIDE} pixels")
    return np.frombuffer(content, np.uint8, offset=16).reshape(count, SIDE, SIDE)


if __name__ == "__main__":
    try:
        code = main()
        sys.stdout.flush()
    except BrokenPipeError:  # Whoever reads the output (head, less) has gone.
        # Else Python would complain when it flushes at its end (docs.python.org, signal, "Note on SIGPIPE").
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    sys.exit(code)
