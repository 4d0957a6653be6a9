"""How much faster is this training loop than the usual one?  python bench/training.py [--repeats 3] [--models 0,1,2]

The usual loop is the one in tutorials: torchvision's data set, ToTensor on every image, a DataLoader, loss and accuracy
of every batch fetched with `.item()`, evaluation with another DataLoader. Both loops train the same model by the same
recipe on the same machine, in turn, and both are timed from the first step of an epoch to the end of its evaluation.
Ours is trained for the three epochs of the published recipe, and a second time with autograd instead of the compiled
kernels. The figures are medians over the repeats; the ratios are taken turn by turn, so they are not affected when the
machine's speed drifts.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch
from torch import nn
from torch.utils.data import DataLoader
from torchvision.datasets import FashionMNIST
from torchvision.transforms import ToTensor

from fmnist.data import files
from fmnist.models.registry import ARCHITECTURES
from fmnist.recipe import Recipe
from fmnist.training import loop
from fmnist.training.events import Finished


def usual(model_id: str, root: Path, threads: int) -> float:
    """Seconds of an epoch of the usual loop (mrdbourke/pytorch-deep-learning, notebook 03, without its prints)."""
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    train = DataLoader(FashionMNIST(root, train=True, transform=ToTensor()), batch_size=32, shuffle=True)
    test = DataLoader(FashionMNIST(root, train=False, transform=ToTensor()), batch_size=32)
    model = ARCHITECTURES[model_id].build()
    loss_function = nn.CrossEntropyLoss()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    started = time.perf_counter()
    model.train()
    train_loss = train_accuracy = 0.0
    for images, labels in train:
        logits = model(images)
        loss = loss_function(logits, labels)
        train_loss += loss.item()
        train_accuracy += (logits.argmax(dim=1) == labels).float().mean().item()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    test_loss = test_accuracy = 0.0
    with torch.inference_mode():
        for images, labels in test:
            logits = model(images)
            test_loss += loss_function(logits, labels).item()
            test_accuracy += (logits.argmax(dim=1) == labels).float().mean().item()
    return time.perf_counter() - started


def ours(model_id: str, dataset: files.Dataset, compiled: bool) -> float:
    """Seconds of an epoch of `loop.train`, evaluation included: the mean of the published recipe's three."""
    *_, finished = loop.train(Recipe(model_id, device="cpu"), dataset, compiled=compiled)
    assert isinstance(finished, Finished)
    return (finished.result.train_seconds + finished.result.eval_seconds) / 3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--repeats", type=int, default=3, help="epochs of each loop and model, in turn")
    parser.add_argument("--models", default=",".join(ARCHITECTURES))
    parser.add_argument("--data", type=files.data_root, default=files.data_root())
    options = parser.parse_args()
    threads = torch.get_num_threads()
    with tempfile.TemporaryDirectory() as temporary:
        dataset = files.load("fashion-mnist", options.data, Path(temporary))
        root = unpacked(options.data, Path(temporary))
        print("| model | usual loop, s per epoch | autograd | ours | usual / ours | autograd / ours |")
        print("|---|---|---|---|---|---|", flush=True)
        whole = [0.0, 0.0, 0.0]
        for model in options.models.split(","):
            turns = [
                (usual(model, root, threads), ours(model, dataset, False), ours(model, dataset, True))
                for _ in range(options.repeats)
            ]
            times = [statistics.median(seconds) for seconds in zip(*turns, strict=True)]
            ratios = [statistics.median(turn[way] / turn[2] for turn in turns) for way in (0, 1)]
            print(line(ARCHITECTURES[model].name, times, ratios), flush=True)
            whole = [total + seconds for total, seconds in zip(whole, times, strict=True)]
        print(line("together", whole, [whole[0] / whole[2], whole[1] / whole[2]]))


def line(name: str, times: list[float], ratios: list[float]) -> str:
    """A line of the table."""
    return "".join(f"| {text} " for text in (name, *(f"{s:.2f}" for s in times), *(f"{r:.2f}" for r in ratios))) + "|"


def unpacked(root: Path, temporary: Path) -> Path:
    """A root that torchvision can read, which unpacks beside the files: links to them in a folder of our own."""
    folder = files.raw_folder("fashion-mnist", temporary)
    folder.mkdir(parents=True)
    for file in files.raw_folder("fashion-mnist", root).iterdir():
        (folder / file.name).symlink_to(file)
    FashionMNIST(temporary, download=True)  # Downloads nothing: the files are there.
    return temporary


if __name__ == "__main__":
    main()
