"""Tries the models of a user's file before anybody trains them: `python -m fmnist.models.custom_check`. Imports torch.

A process of its own, started by `custom`, since the file may do anything: import torch for seconds, print, end the
process, never end. It takes the file's text on standard input, with the ids of models that need not be tried, and
answers on standard output, a line of JSON as soon as something is known, so that the one who waits knows how far it
came:

    {"trying": "norm-cnn"}                                       it is being tried
    {"id": "norm-cnn", "name": ..., "layers": ..., ...}          it can be used, and this is how it is shown;
                                                                 "remark" says what makes it learn badly, if anything
    {"id": "wide", "name": ..., "fault": "It gives ..."}         it can't, and why
    {"fault": "my_models.py can't be read: ..."}                 nothing of the file can
    {"end": true}                                                that was all
"""

from __future__ import annotations

import copy
import io
import json
import os
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from safetensors.torch import load, save
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.parameter import is_lazy

from fmnist import metrics
from fmnist.data.framing import SIDE
from fmnist.models import inference
from fmnist.models.chain import convolves
from fmnist.models.custom import registered
from fmnist.models.registry import MAX_LAYERS, Architecture, ModelError, in_short
from fmnist.models.source import Source

T = TypeVar("T")

IMAGES = 2
STEPS = 2
MAX_FILE = 200 * 2**20
"""Bytes of what a file writes while it is tried, what it prints included."""
MANY = 20
"""Images whose answers tell whether they are logits: 200 logits are hardly all between 0 and 1 by chance."""


def main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # What the file prints is no answer.
    _bound_files()
    order = json.load(sys.stdin)
    sys.stdin = io.StringIO()  # The file is not to be asked anything.
    torch.set_num_threads(1)
    for answer in check(Source(**order["source"]), order["known"]):
        print(json.dumps(answer), file=answers, flush=True)
    os._exit(0)  # Threads that the file may have started are not waited for.


def _bound_files() -> None:
    """Let no file grow beyond `MAX_FILE`: one that prints without end would fill the disk in its minute."""
    try:
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        most = MAX_FILE if hard == resource.RLIM_INFINITY else min(MAX_FILE, hard)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, hard))
    except (ImportError, OSError, ValueError):  # Windows has none.
        pass


def check(source: Source, known: Sequence[str] = ()) -> Iterator[dict[str, Any]]:
    """Execute a file and try each model that it registers, but those known already; yields the answers above."""
    settings = _settings()
    try:
        found = registered(source)
    except ModelError as error:
        yield {"fault": str(error)}
        return
    if not found:
        yield {
            "fault": f"{source.name} registers no model: put @register(...) of fmnist.models above a class or function."
        }
    for id, model in found.items():
        if id in known:
            continue
        yield {"trying": id, "name": model.name}
        answer = {"id": id, "name": model.name}
        try:
            module, remark = _try(model, source.path)
            modules, rectified = _told("It can't be inspected", source.path, lambda: passed(module))  # noqa: B023
            if _settings() != settings:
                raise ModelError("It changes a setting of PyTorch for all models, such as the default dtype or device.")
        except ModelError as error:
            yield answer | {"fault": str(error)}
            continue
        layers = model.layers or describe(module)
        shown = {"layers": layers, "color": model.color, "symbol": model.symbol}
        made = {"channels_last": model.channels_last, "parts": model.parts, "modules": modules, "rectified": rectified}
        made["compiled"] = convolves(module)
        yield answer | shown | made | {"remark": remark}
    yield {"end": True}


def _settings() -> tuple[object, ...]:
    return torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled(), torch.get_num_threads()


def _try(model: Architecture, path: str) -> tuple[nn.Module, str]:
    """Take a model through all that training, storing and predicting will do to it.

    Args:
        path: of its file.

    Returns:
        The model, and what makes it learn badly though it works: a sentence, or nothing.

    Raises:
        ModelError: something does not work; the sentence says what.
    """
    module = _told("It raises when it is built", path, lambda: _built(model))
    _check_parameters(module)
    images = torch.rand((IMAGES, 1, SIDE, SIDE), generator=torch.Generator().manual_seed(0))
    images[0] = 0  # Black is where an explanation starts, and what an empty drawing is.
    for name, mode in (("training", True), ("evaluation", False)):
        module.train(mode)
        _told(f"It raises in its forward pass in {name} mode", path, lambda: _check_logits(module, images))
    _told(
        "It raises in its forward pass for a single image, as Predict gives it",
        path,
        lambda: _check_logits(module, images[:1]),
    )
    if not torch.equal(module(images), module(images)):
        raise ModelError(
            "It answers differently each time, even in evaluation mode: draw random numbers only in training."
        )
    _told("It can't be copied", path, lambda: copy.deepcopy(module))
    trained = _told("It raises when it is trained", path, lambda: _trained(_built(model), images))
    again = _trained(_built(model), images)
    if not torch.equal(_answers(trained, images), _answers(again, images)):
        raise ModelError(
            "Trained twice with the same seed, it is not the same: draw random numbers from torch alone, not from "
            "NumPy or Python."
        )
    _told("Its weights can't be stored", path, lambda: _check_state(model, trained, images))
    if model.parts > 1 and (any(True for _ in module.buffers()) or _draws(module, images)):
        raise ModelError(
            "It has buffers (as batch norm has) or draws random numbers (as dropout does), so its steps can't be "
            "computed in parts: leave parts out."
        )
    _told("It can't be inspected", path, lambda: inference.zero_layers(trained, images))
    return module, _told("It raises in its forward pass for a batch", path, lambda: _remark(trained))


def _told(what: str, path: str, do: Callable[[], T]) -> T:
    """Make a sentence of what is raised."""
    try:
        return do()
    except ModelError:
        raise
    except (Exception, SystemExit) as error:
        raise ModelError(f"{what}: {in_short(error, path)}.") from error


def _built(model: Architecture) -> nn.Module:
    """With the initial weights of a seed, in training mode."""
    random.seed(torch.seed())
    np.random.seed(torch.seed() % 2**32)  # Other numbers each time, as in other processes.
    torch.manual_seed(0)
    module = model.build()
    if not isinstance(module, nn.Module):
        raise ModelError(f"It is a {type(module).__name__}, where a torch.nn.Module is needed.")
    return module.train()


def _check_parameters(module: nn.Module) -> None:
    parameters = list(module.parameters())
    if any(map(is_lazy, [*parameters, *module.buffers()])):
        raise ModelError("It has a lazy module, whose size is unknown until it is used: give the size.")
    if not any(parameter.requires_grad for parameter in parameters):
        raise ModelError("It has no parameters that can be trained.")
    if any(parameter.device.type != "cpu" for parameter in parameters):
        raise ModelError("It puts itself on a device: leave that to the recipe.")


def _check_logits(module: nn.Module, images: torch.Tensor) -> None:
    given = images.clone()
    logits = module(given)
    needed = (len(images), metrics.CLASSES)
    if not isinstance(logits, torch.Tensor):
        raise ModelError(f"It gives a {type(logits).__name__}, where a tensor of shape {needed} is needed.")
    if tuple(logits.shape) != needed:
        raise ModelError(
            f"It gives {tuple(logits.shape)} where {needed} is needed: for each image a number for each of "
            f"{metrics.CLASSES} classes."
        )
    if not logits.is_floating_point():
        raise ModelError(f"It gives numbers of type {logits.dtype}, where floating point numbers are needed.")
    if not torch.isfinite(logits).all():
        black = "a black image" if not torch.isfinite(logits[0]).all() else "an image"
        raise ModelError(f"Its logits for {black} are not finite numbers.")
    if not torch.equal(given, images):
        raise ModelError("It changes the images that it is given: compute new ones, x = x - 0.5 and not x -= 0.5.")


def _trained(module: nn.Module, images: torch.Tensor) -> nn.Module:
    """A few steps of training, with whatever random numbers dropout draws from torch."""
    torch.manual_seed(1)
    for _ in range(STEPS):
        module.zero_grad()
        cross_entropy(module(images.clone()), torch.arange(IMAGES)).backward()
        with torch.no_grad():  # torch.optim would take two seconds to be imported.
            for parameter in module.parameters():
                if parameter.grad is not None:
                    parameter.sub_(0.01 * parameter.grad)
    return module


@torch.inference_mode()
def _answers(module: nn.Module, images: torch.Tensor) -> torch.Tensor:
    with inference.evaluating(module):
        return module(images.clone())


def _check_state(model: Architecture, trained: nn.Module, images: torch.Tensor) -> None:
    """Stored and loaded again, the weights give the same answers."""
    state = trained.state_dict()
    if not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ModelError("Its state_dict holds something other than tensors: only tensors can be stored.")
    again = _built(model)
    again.load_state_dict(load(save(inference.as_plain(state))))
    if not torch.equal(_answers(again, images), _answers(trained, images)):
        raise ModelError(
            "Saved and loaded, it answers differently: what changes in training must be in its state_dict, as "
            "parameters and registered buffers are."
        )


def _remark(trained: nn.Module) -> str:
    """What makes a model learn badly that works: its answers are no logits, or have nothing to do with the image."""
    many = torch.rand((MANY, 1, SIDE, SIDE), generator=torch.Generator().manual_seed(1))
    answers = torch.cat([_answers(trained, images) for images in many.split(IMAGES)])
    if torch.equal(answers, answers[:1].expand_as(answers)):
        return "It gives every image the same logits: check that its forward pass uses the image."
    if (answers >= 0).all() and torch.allclose(answers.sum(1), torch.ones(MANY), atol=1e-3):
        given = "probabilities, which sum to 1, as after a softmax"
    elif ((answers > 0) & (answers < 1)).all():
        given = "numbers between 0 and 1 alone, as after a sigmoid"
    else:
        return ""
    return (
        f"It gives {given}, and so learns badly: leave that out, because CrossEntropyLoss takes logits and applies "
        "softmax itself."
    )


def _draws(module: nn.Module, images: torch.Tensor) -> bool:
    """Whether a model draws random numbers in training."""
    before = torch.get_rng_state()
    module.train()(images.clone())
    return not torch.equal(before, torch.get_rng_state())


# --- What it consists of ---


@torch.inference_mode()
def passed(module: nn.Module) -> tuple[list[tuple[str, str]], bool]:
    """What an image passes: `Architecture.modules` and `Architecture.rectified`."""
    names = {layer: name for name, layer in module.named_modules() if not any(layer.children())}
    found: list[tuple[str, str]] = []
    last: list[object] = []

    def note(layer: nn.Module, _inputs: object, output: object) -> None:
        found.append((names[layer], _kind(layer)))
        last[:] = [output]

    hooks = [layer.register_forward_hook(note) for layer in names]
    with inference.evaluating(module):
        logits = module(torch.zeros(1, 1, SIDE, SIDE))
    for hook in hooks:
        hook.remove()
    return found, bool(last) and last[0] is logits and found[-1][1] == "ReLU"


def _kind(layer: nn.Module) -> str:
    """The class of a module; that of PyTorch's own for a class that somebody has derived from it."""
    return next(
        (kind.__name__ for kind in (nn.ReLU, nn.Conv2d, nn.Linear) if isinstance(layer, kind)), type(layer).__name__
    )


def describe(module: nn.Module) -> str:
    """A model's layers in a line, in the order in which they were made: "Conv2d(16), ReLU, Flatten, Linear(9, 10)"."""
    words = [_word(layer) for layer in module.modules() if not any(layer.children())]
    text = ", ".join(words)
    return text if len(text) <= MAX_LAYERS else f"{text[: MAX_LAYERS - 2].rpartition(',')[0]} …"


def _word(layer: nn.Module) -> str:
    match layer:
        case nn.Linear():
            numbers = f"({layer.in_features}, {layer.out_features})"
        case nn.Conv2d():
            numbers = f"({layer.out_channels})"
        case nn.MaxPool2d() | nn.AvgPool2d():
            numbers = f"({layer.kernel_size})"
        case nn.Dropout() | nn.Dropout2d():
            numbers = f"({layer.p:g})"
        case _:
            numbers = ""
    return type(layer).__name__ + numbers


if __name__ == "__main__":
    main()
