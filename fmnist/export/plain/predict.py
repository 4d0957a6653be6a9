"""What trained networks make of pictures: python predict.py PICTURE [PICTURE ...]

A PICTURE is an image file, or a file of images in the IDX format (of MNIST and its relatives), packed by gzip or not.
Needs torch, safetensors, numpy and Pillow; model.py beside this file; and the weights, *.safetensors.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import struct
import sys
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from safetensors.torch import load_file

# <facts>
from fmnist.models.networks import tiny_vgg as build

CLASSES = tuple("0123456789")
LAYOUT = torch.channels_last
# </facts>

SIDE = 28  # pixels
BATCH = 500  # images at once
PACKED, IDX_IMAGES = b"\x1f\x8b", b"\0\0\x08\x03"  # How a gzip file, and an IDX file of images, begin.


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE")
    parser.add_argument("--weights", nargs="+", type=Path, help="default: all *.safetensors beside this script")
    parser.add_argument("--limit", type=int, help="only so many images of each file")
    parser.add_argument("--csv", action="store_true", help="the probability of every class, as CSV")
    options = parser.parse_args()
    weights = options.weights or sorted(Path(__file__).parent.glob("*.safetensors"))
    if not weights:
        print("There are no weights beside this script: name them with --weights.", file=sys.stderr)
        return 1
    models = [load(path) for path in weights]
    table = csv.writer(sys.stdout)
    if options.csv:
        table.writerow(["file", "image", "answer", *CLASSES])
    for path in options.pictures:
        try:
            images, done = read(path)
        except (OSError, ValueError, EOFError, Image.DecompressionBombError) as error:
            print(f"{path} can't be read: {error}", file=sys.stderr)
            return 1
        if done:
            print(f"{path}: {done}.", file=sys.stderr)
        for number, row in enumerate(probabilities(models, images[: options.limit])):
            answer = CLASSES[int(row.argmax())]
            if options.csv:
                table.writerow([path, number, answer, *map(float, row)])
            else:
                which = f" {number}" if len(images) > 1 else ""
                print(f"{path}{which}  {answer}  {row.max():.1%}")
    return 0


def load(path: Path) -> torch.nn.Module:
    """The network with its trained weights, on the CPU."""
    model = build()
    model.load_state_dict(load_file(path))
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
    """As they were kept when the network was tested: rounded to float16, which decides between equals."""
    torch.set_num_threads(1)
    answers = torch.cat([model(batch) for batch in inputs.split(BATCH)])
    largest = torch.finfo(torch.float16).max
    return answers.clamp(-largest, largest).half().numpy()


def softmax(logits: np.ndarray) -> np.ndarray:
    exponentials = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def read(path: Path) -> tuple[np.ndarray, str]:
    """The images of a file, uint8 (N, 28, 28), light on black; and what was done to them, in words."""
    content = path.read_bytes()
    if content.startswith(PACKED):
        content = gzip.decompress(content)
    if not content.startswith(IDX_IMAGES):
        with Image.open(path) as picture:
            return prepare(picture)
    count, height, width = struct.unpack(">3I", content[4:16].ljust(12, b"\0"))
    if (height, width) != (SIDE, SIDE) or len(content) != 16 + count * SIDE * SIDE:
        raise ValueError(f"it is no complete IDX file of images with {SIDE} x {SIDE} pixels")
    return np.frombuffer(content, np.uint8, offset=16).reshape(count, SIDE, SIDE), ""


def prepare(picture: Image.Image) -> tuple[np.ndarray, str]:
    """A picture as a network knows it: 28 x 28, grey, light on black."""
    picture = ImageOps.exif_transpose(picture).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    grey = Image.alpha_composite(white, picture).convert("L")
    if grey.size == (SIDE, SIDE):
        return np.asarray(grey)[None], ""
    values = np.asarray(grey)
    border = np.concatenate([values[0], values[-1], values[:, 0], values[:, -1]])
    done = [f"scaled from {grey.width} x {grey.height} to {SIDE} x {SIDE} pixels"]
    if border.mean() > 127.5:
        grey = ImageOps.invert(grey)
        done.append("negated, for its border is light")
    return np.asarray(ImageOps.pad(grey, (SIDE, SIDE), Image.Resampling.LANCZOS, color=0))[None], ", ".join(done)


if __name__ == "__main__":
    sys.exit(main())
