"""How much arithmetic a model's answer takes. Imports torch.

PyTorch's counter knows matrix products, convolutions and attention, and gives 0 for everything else: for an LSTM that
one kernel computes, for distances to learnt centres, for a product written out as multiplications and a sum. So each
operation that an image passes is looked at, and where one may have multiplied what nobody has counted, there is no
number instead of a wrong one.

A plain chain of layers is counted without it: to watch a model, PyTorch loads its compiler, which takes a second; its
counter is imported for no other, for it loads Triton.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from fmnist.models.chain import Layer, chain
from fmnist.models.inference import evaluating

_NAMES = """
    _softmax _safe_softmax _log_softmax logsumexp cumsum sort topk max min argmax argmin
    native_batch_norm _native_batch_norm_legit _native_batch_norm_legit_no_training cudnn_batch_norm
    native_layer_norm native_group_norm _fused_rms_norm linalg_vector_norm var_mean std_mean
    avg_pool2d _adaptive_avg_pool2d avg_pool3d _adaptive_avg_pool3d max_pool2d max_pool2d_with_indices
    max_pool3d_with_indices adaptive_max_pool2d adaptive_max_pool3d
    _prelu_kernel hardswish rrelu_with_noise glu native_dropout _thnn_fused_lstm_cell _thnn_fused_gru_cell
    upsample_nearest2d constant_pad_nd reflection_pad2d replication_pad2d pixel_shuffle
    cat stack unsafe_split unsafe_chunk copy _to_copy clone contiguous index _unsafe_index index_select gather repeat
    flip roll im2col unfold_copy embedding _local_scalar_dense _unsafe_view resize fill zero
    channel_shuffle native_channel_shuffle _assert_async is_same_size equal lift_fresh
"""
FEW = frozenset(_NAMES.split())
"""Operations that move numbers, compare them, or compute a few times as many as there are: as is usual, none of their
arithmetic is counted. `torch.Tag` tells the same of element-wise ones and reductions."""
SHAPES = ("new_", "zeros_like", "ones_like", "full_like", "empty_like", "rand_like", "randn_like")
"""How operations are called that take nothing but its shape from a tensor."""


def multiply_adds(model: nn.Module, image: torch.Tensor) -> int | None:
    """Multiplications with an addition in one image's forward pass: half of PyTorch's count of operations.

    Args:
        image: float32 (1, 1, 28, 28).

    Returns:
        None where the model does something that PyTorch's counter does not know.
    """
    if layers := chain(model, (image.shape[1], image.shape[2], image.shape[3])):
        return sum(map(_products, layers)) or None
    return _watched(model, image)


def _products(layer: Layer) -> int:
    """Multiplications of one layer of a chain: each weight is used once for each place of the result."""
    weight = getattr(layer.module, "weight", None)
    return weight.numel() * math.prod(layer.gives[1:]) if weight is not None else 0


def _watched(model: nn.Module, image: torch.Tensor) -> int | None:
    from torch.utils.flop_counter import FlopCounterMode

    watch = _Watch(model, image)
    try:
        counter = FlopCounterMode(display=False)
        with evaluating(model), torch.no_grad(), _step_by_step(), watch, counter:  # It watches what the counter does.
            logits = model(image)
    except Exception:  # Of code that goes round PyTorch's dispatcher: no reason to refuse the model.
        return None
    if watch.unknown or not watch.follows(logits):
        return None
    return counter.get_total_flops() // 2 or None


@contextmanager
def _step_by_step() -> Iterator[None]:
    """Without the kernels that compute a whole layer, an LSTM for example, and tell the counter nothing of it."""
    fast = torch.backends.mha.get_fastpath_enabled()
    with ExitStack() as stack:
        stack.callback(torch.backends.mha.set_fastpath_enabled, fast)
        torch.backends.mha.set_fastpath_enabled(False)
        # Its own `flags` warns.
        stack.callback(setattr, torch.backends.mkldnn, "enabled", torch.backends.mkldnn.enabled)
        setattr(torch.backends.mkldnn, "enabled", False)  # noqa: B010 - The stubs have another type.
        stack.enter_context(torch.backends.cudnn.flags(enabled=False))
        stack.enter_context(sdpa_kernel(SDPBackend.MATH))
        yield


class _Watch(TorchDispatchMode):
    """Notes whether an image passes an operation with arithmetic that the counter does not know."""

    def __init__(self, model: nn.Module, image: torch.Tensor) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        from torch.utils.flop_counter import flop_registry

        self._counted = flop_registry
        self.unknown = False
        self._matrices = {_memory(weight) for weight in model.parameters() if _dimensions(weight) > 1}
        self._kept = [image]  # So that nothing else gets their memory.
        self._passed = {_memory(image)}

    def follows(self, value: object) -> bool:
        """Whether a tensor was computed from the image, as far as PyTorch saw it."""
        return isinstance(value, torch.Tensor) and _memory(value) in self._passed

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        given = [value for value in tree_leaves((args, kwargs)) if isinstance(value, torch.Tensor)]
        images = [value for value in given if self.follows(value)]
        if images and not func.__name__.startswith(SHAPES):
            made = [value for value in tree_leaves(result) if isinstance(value, torch.Tensor)]
            weights = [value for value in given if not self.follows(value)]
            self._kept += made
            self._passed |= {_memory(value) for value in made}
            self.unknown |= not self._is_known(func, images, weights, made)
        return result

    def _is_known(
        self, func: Any, images: list[torch.Tensor], weights: list[torch.Tensor], made: list[torch.Tensor]
    ) -> bool:
        """Whether an operation's multiplications are counted, or so few that they need not be.

        Args:
            images: its arguments that were computed from the image; weights: the others; made: its results.
        """
        name = func.overloadpacket
        if name in self._counted:
            return True
        if _is_element_wise(func):
            # Batch norm and an activation take a step for each number. A product of each with each, or with a matrix
            # of weights, is a matrix product in other words.
            spread = max(map(_numbers, made), default=0) > max(map(_numbers, images))
            matrix = "mul" in name.__name__ and any(
                _dimensions(value) > 1 or _memory(value) in self._matrices for value in weights
            )
            return not (spread or matrix)
        moves = func.is_view or not {torch.Tag.inplace_view, torch.Tag.reduction}.isdisjoint(func.tags)
        return moves or (func.namespace in ("aten", "prims") and name.__name__.removesuffix("_") in FEW)


def _is_element_wise(func: Any) -> bool:
    """Whether an operation computes each number of its result from one of each argument, in place or not."""
    elsewhere = getattr(torch.ops.aten, func.overloadpacket.__name__.removesuffix("_"), func.overloadpacket)
    tags = {tag for name in elsewhere.overloads()[:1] for tag in getattr(elsewhere, name).tags} | {*func.tags}
    return torch.Tag.pointwise in tags and not func.is_view


def _memory(tensor: torch.Tensor) -> int:
    """What a tensor and all views of it have in common."""
    return tensor.untyped_storage().data_ptr()


def _numbers(tensor: torch.Tensor) -> int:
    """How many numbers it has, those that an expansion repeats once."""
    return math.prod(size for size, stride in zip(tensor.shape, tensor.stride(), strict=True) if stride)


def _dimensions(tensor: torch.Tensor) -> int:
    """How many of its dimensions have more than one place."""
    return sum(size > 1 for size in tensor.shape)
