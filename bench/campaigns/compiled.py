"""Do the compiled kernels compute what autograd computes?  python -m bench.campaigns.compiled [--data PATH]

First, rounding. At each step of trainings of Model 2, and on random chains of layers, both ways compute the gradients
at the same weights, and so does PyTorch in float64. Where two pixels of a pool are equal but for rounding, or what a
ReLU gets is 0 but for rounding, float32 may decide otherwise than float64: the gradient then is another one, by much
more than rounding, whichever way computed it. So each way is compared with float64 that decides as it did, and how
often it decided otherwise is counted by itself: both ways should do so as often. Ends with status 1 if a gradient of
the kernels is further from float64 than twice autograd's.

Then, trainings: many short ones each way, counted where a run dies; and whole ones of the published recipe, paired.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import itertools
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy, max_pool2d

from bench.common import show
from fmnist.compare.statistics import difference
from fmnist.data import files
from fmnist.data.catalog import DEFAULT, SAMPLE
from fmnist.models.chain import Layer, chain
from fmnist.models.inference import build
from fmnist.recipe import Recipe
from fmnist.training import kernels, loop
from fmnist.training.compiled import CompiledGradients
from fmnist.training.events import Finished
from fmnist.training.gradients import Gradients
from fmnist.training.images import on_device
from fmnist.training.kernels import LANES
from fmnist.training.randomness import order

TIMES = 2.0  # What the kernels' error may be, in autograd's.
DEAD = 0.15  # Accuracy up to which a run has learnt nothing: ten classes make 0.1.
CPU = torch.device("cpu")

Decisions = list[torch.Tensor]
"""Shaped as its output: of each ReLU where it lets through (bool), of each pool which pixels it takes (int64)."""


@dataclass(frozen=True)
class Step:
    """Both ways' errors at one step, relative to the largest gradient, and decisions that differ from float64's."""

    compiled: float
    autograd: float
    compiled_otherwise: int
    autograd_otherwise: int

    @property
    def ratio(self) -> float:
        """How many times autograd's error the kernels' is; an error below float32's own resolution counts as that."""
        return self.compiled / max(self.autograd, float(np.finfo(np.float32).eps))


def random_chain(random: np.random.Generator) -> nn.Sequential:
    """1 to 4 convolutions of 1 to 32 channels, with pooling and ReLU here and there."""
    modules: list[nn.Module] = []
    channels, side = 1, 28
    for _ in range(random.integers(1, 5)):
        after = int(random.integers(1, 33))
        modules.append(nn.Conv2d(channels, after, 3, padding=1, bias=bool(random.random() < 0.7)))
        channels = after
        if random.random() < 0.7:
            modules.append(nn.ReLU(inplace=bool(random.random() < 0.5)))
        if side > 3 and random.random() < 0.6:
            modules.append(nn.MaxPool2d(2))
            side //= 2
    modules += [nn.Flatten(), nn.Linear(channels * side * side, 12), nn.ReLU(), nn.Linear(12, 10)]
    return nn.Sequential(*modules)


def compare(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> Step:
    """Compute the gradients of a batch both ways and in float64.

    The kernels' gradients stay set, and the model's weights lie in the kernels' memory.

    Args:
        model: a chain that the kernels know.
        images: float32 (N, 1, 28, 28), at most 2 * LANES of them.
    """
    torch.set_num_threads(1)  # As training has it: torch's threads wait for one another on a busy machine.
    layers = chain(model)
    assert layers
    parts = -(-len(images) // LANES)
    other = copy.deepcopy(model).to(memory_format=torch.channels_last)  # As Model 2 is trained by autograd.
    Gradients(other, parts, 1)(images, labels)
    theirs = _joined([_decide(chain(other) or [], some) for some in images.chunk(parts)])
    computed = CompiledGradients(layers, parts, parts)
    computed(images, labels)
    ours = _joined([_decided(computed, part, len(some)) for part, some in enumerate(images.split(LANES))])
    exact = _decide([dataclasses.replace(layer, module=_double(layer.module)) for layer in layers], images.double())
    return Step(
        _error(model, _gradients(layers, ours, images, labels)),
        _error(other, _gradients(layers, theirs, images, labels)),
        _otherwise(ours, exact),
        _otherwise(theirs, exact),
    )


def _double(module: nn.Module) -> nn.Module:
    return copy.deepcopy(module).double()


@torch.no_grad()
def _decide(layers: Sequence[Layer], images: torch.Tensor) -> Decisions:
    """What the ReLUs and pools decide in a pass through the layers."""
    found, x = [], images
    for layer in layers:
        given, x = x, layer.module(x.clone())  # It may work in place.
        if isinstance(layer.module, nn.ReLU):
            found.append(x > 0)
        elif isinstance(layer.module, nn.MaxPool2d):
            found.append(max_pool2d(given, 2, return_indices=True)[1])
    return found


def _decided(computed: CompiledGradients, part: int, count: int) -> Decisions:
    """What the kernels decided for the images of a part, read from the layers that they left."""
    found, numbers = [], computed._numbers[part]

    def pixels(begin: int, channels: int, height: int, width: int) -> torch.Tensor:
        layer = kernels._layer(numbers, begin, channels, height, width)[:, 1:-1]
        inside = layer.reshape(channels, height, width + 2, LANES)[:, :, 1:-1, :count]
        return torch.from_numpy(inside.transpose(3, 0, 1, 2).copy())

    size: tuple[int, ...] = ()
    for row in computed._table:
        kind, channels, outputs, height, width, begin = map(int, row[: kernels.OUTPUT])
        if kind == kernels.CONVOLUTION:
            size = (outputs, height, width)
        elif kind == kernels.POOLING:
            size = (channels, height // 2, width // 2)
            found.append(max_pool2d(pixels(begin, channels, height, width), 2, return_indices=True)[1])
        elif kind == kernels.RECTIFIER:
            vector = torch.from_numpy(kernels._vector(numbers, begin, size[0])[:count]) if len(size) == 1 else None
            found.append((pixels(begin, *size) if vector is None else vector) > 0)
        else:
            size = (outputs,)
    return found


def _joined(parts: Sequence[Decisions]) -> Decisions:
    return [torch.cat(some) for some in zip(*parts, strict=True)]


def _otherwise(found: Decisions, exact: Decisions) -> int:
    return sum(int((a != b).sum()) for a, b in zip(found, exact, strict=True))


def _gradients(
    layers: Sequence[Layer], decisions: Decisions, images: torch.Tensor, labels: torch.Tensor
) -> list[torch.Tensor]:
    """The gradients in float64, with decisions that were taken elsewhere."""
    x, left = images.double(), iter(decisions)
    parameters: list[nn.Parameter] = []
    for layer in layers:
        module = _double(layer.module)
        parameters += module.parameters()
        if isinstance(module, nn.ReLU):
            x = x * next(left)
        elif isinstance(module, nn.MaxPool2d):
            places = next(left)
            x = x.flatten(2).gather(2, places.flatten(2)).view(places.shape)
        else:
            x = module(x)
    cross_entropy(x, labels).backward()
    return [parameter.grad for parameter in parameters if parameter.grad is not None]


def _error(model: nn.Module, exact: Sequence[torch.Tensor]) -> float:
    pairs = [(p.grad, true) for p, true in zip(model.parameters(), exact, strict=True) if p.grad is not None]
    largest = max(true.abs().max().item() for _, true in pairs)
    return max((found.double() - true).abs().max().item() for found, true in pairs) / largest


def while_it_learns(data: files.Dataset, seed: int, steps: int) -> Iterator[Step]:
    """Model 2, by the published recipe, stepping by the kernels' gradients."""
    images, labels, _ = on_device(data, CPU)
    model = build("2", seed, CPU)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for batch in order(seed, 1, len(images)).split(2 * LANES)[:steps]:
        yield compare(model, images[batch], labels[batch])
        optimizer.step()


def on_random_chains(count: int) -> Iterator[Step]:
    """Each with a batch of 32 and a last one of 7; a third of each image is black, as around clothes."""
    for seed in range(count):
        torch.manual_seed(seed)
        model = random_chain(np.random.default_rng(seed))
        for size in (2 * LANES, 7):
            images = torch.rand((size, 1, 28, 28))
            images[:, :, :8] = 0
            yield compare(model, images, torch.randint(0, 10, (size,)))


def rounding(datasets: dict[str, files.Dataset], seeds: int, steps: int, chains: int) -> Iterator[tuple[str, ...]]:
    """The rows of the first table; raises SystemExit at the end if a gradient was too far off."""
    sources = {
        f"Model 2, {data.info.title}, seed {seed}": while_it_learns(data, seed, steps)
        for data in datasets.values()
        for seed in range(seeds)
    } | {f"{chains} random chains": on_random_chains(chains)}
    too_far = 0
    for name, source in sources.items():
        found = list(source)
        too_far += sum(step.ratio > TIMES for step in found)
        yield (
            name,
            f"{len(found):,}",
            f"{np.median([step.compiled for step in found]):.1e}",
            f"{np.median([step.autograd for step in found]):.1e}",
            f"{max(step.ratio for step in found):.2f}",
            f"{sum(step.compiled_otherwise for step in found)}",
            f"{sum(step.autograd_otherwise for step in found)}",
        )
    if too_far:
        sys.exit(f"{too_far} gradients are further from float64 than {TIMES:g} times autograd's.")


def first(data: files.Dataset, steps: int) -> files.Dataset:
    """As many training images as make so many steps of 32, and 1,000 test images."""
    count = steps * 32
    return dataclasses.replace(
        data,
        train_images=data.train_images[:count],
        train_labels=data.train_labels[:count],
        test_images=data.test_images[:1000],
        test_labels=data.test_labels[:1000],
        fingerprint=f"{data.fingerprint[:32]}-first-{count}",
    )


def accuracy(data: files.Dataset, seed: int, epochs: int, compiled: bool) -> float:
    recipe = Recipe("2", dataset=data.name, seed=seed, epochs=epochs, device="cpu")
    *_, finished = loop.train(recipe, data, compiled=compiled)
    assert isinstance(finished, Finished)
    return finished.result.test_accuracy


def trainings(datasets: dict[str, files.Dataset], seeds: int, steps: int) -> Iterator[tuple[str, ...]]:
    """The rows of the second table."""
    for data in datasets.values():
        short = first(data, steps)
        made = len(short.train_images) // 32
        ways = [np.array([accuracy(short, seed, 1, way) for seed in range(seeds)]) for way in (True, False)]
        dead = [int((way <= DEAD).sum()) for way in ways]
        yield (
            f"{data.info.title}, {seeds} seeds x {made} steps",
            *(f"{count} dead, others {way[way > DEAD].mean():.2%}" for count, way in zip(dead, ways, strict=True)),
            "",
        )


def whole(data: files.Dataset, seeds: int) -> Iterator[tuple[str, ...]]:
    """The row of whole trainings, paired by seed."""
    kernels, autograd = ({seed: accuracy(data, seed, 3, way) for seed in range(seeds)} for way in (True, False))
    found = difference(kernels, autograd)
    assert found
    yield (
        f"{data.info.title}, {seeds} seeds x 3 epochs",
        *(f"{np.mean(list(way.values())):.2%}" for way in (kernels, autograd)),
        f"{100 * found.mean:+.2f} points (95% interval {100 * found.low:.2f} to {100 * found.high:.2f})",
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="the data root (default: FMNIST_DATA or data)")
    parser.add_argument("--steps", type=int, default=200, help="of each training whose gradients are compared")
    parser.add_argument("--chains", type=int, default=100, help="random chains")
    parser.add_argument("--short", type=int, default=100, help="seeds of short trainings; 0: none")
    parser.add_argument("--whole", type=int, default=10, help="seeds of the published recipe, at least 2; 0: none")
    options = parser.parse_args()
    root = files.data_root(options.data)
    with tempfile.TemporaryDirectory() as cache:
        datasets = {name: files.load(name, root, Path(cache)) for name in (SAMPLE, DEFAULT)}
    head = ["gradients", "steps", "kernels' error", "autograd's", "largest ratio", "decided otherwise", "by autograd"]
    show(head, rounding(datasets, 3, options.steps, options.chains))
    print()
    rows = itertools.chain(
        trainings(datasets, options.short, 300) if options.short else (),
        whole(datasets[DEFAULT], options.whole) if options.whole else (),
    )
    show(["trainings", "kernels", "autograd", "difference"], rows)


if __name__ == "__main__":
    main()
