"""The gradients of a batch for a chain of 3 x 3 convolutions, ReLU, pooling and linear layers, compiled for the CPU.

PyTorch's convolutions are made for hundreds of channels. Ours have ten, which leaves a third of each of the processor's
vectors empty. Here the images fill the vectors: LANES of them stand side by side, as a layer's innermost dimension.

                    w = 0          w = 1          w = 2                w = W + 1
        row h  | 0 0 ... 0 0 | x x ... x x | x x ... x x |    ...    | 0 0 ... 0 0 |
                   border    pixel (h, 1) of                             border
                             LANES images

A layer is float32 (C, H + 2, (W + 2) * LANES): a border of zeros, and the pixels inside it. Whatever the image, the
neighbour on a pixel's right is LANES numbers further on. So a convolution is, row by row, nine shifted rows times a
weight each, added up (`_convolve`). Its gradient by the input is a convolution too, with the kernel turned round; its
gradient by a weight is the sum, over all pixels, of a shifted row times the gradient's row (`_weight_gradients`).
A layer without pixels, of F numbers an image, is float32 (LANES, F): there the numbers fill the vectors.

All layers of a model lie in one array, one behind the other; so do their gradients, and all weights. A model is a table
of integers, a row for each layer, which `part` goes through forwards and backwards: it is compiled once, not for each
model. `compiled` makes the table.

Numba compiles what it sees here to machine code. What makes vectors of these loops: LANES is a constant; rows are taken
whole (`row = layer[c, h]`, then `row[i + LANES]`), never from their middle; and there is no `if` in an inner loop.
"""

from __future__ import annotations

import numpy as np
from numba import njit

LANES = 16
"""Images side by side: 16 numbers are a vector of 512 bits, and a line of the cache."""

CONVOLUTION, RECTIFIER, POOLING, FLATTENING, LINEAR = range(5)
KIND, CHANNELS, OUTPUTS, HEIGHT, WIDTH, INPUT, OUTPUT, WEIGHTS, BIAS = range(9)
"""A model's table has these columns: what the layer does; the channels (or numbers) that it takes and gives; height and
width of what it takes; where its input and output begin among the numbers, its weights and bias among the weights."""

# What is no number stays none, by which a training that runs away is noticed. Sums are taken as they are written: equal
# pixels have equal neighbours in flat parts of a picture, and pooling has to see that they are equal.
_compile = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
# What is added up over all pixels may be added in any order, or it could not be done in vectors.
_compile_sums = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@_compile
def part(table, numbers, deltas, weights, gradients, images, labels, share, logits):
    """Logits of images, and the gradients of their summed loss times `share`.

    Args:
        table: int64 (layers, 9), the model.
        numbers, deltas: float32 arrays with room for all layers, zeros at first: what is between the borders is written
            anew each time.
        weights: float32, those of all layers.
        gradients: float32, of the same size: becomes their gradients.
        images: float32 (N, C, H, W), contiguous.
        labels: int64 (N,).
        share: float32, what a single image's loss counts; 1 / batch size for their mean.
        logits: float32 (N, classes): becomes the logits.
    """
    gradients[:] = 0
    for first in range(0, len(images), LANES):
        some = slice(first, min(first + LANES, len(images)))
        _forwards(table, numbers, weights, images[some])
        end = table[-1, OUTPUT]
        found, delta = _vector(numbers, end, logits.shape[1]), _vector(deltas, end, logits.shape[1])
        logits[some] = found[: len(labels[some])]
        _loss(found, labels[some], share, delta)
        _backwards(table, numbers, deltas, weights, gradients)


@_compile
def answers(table, numbers, weights, images, logits):
    """The logits alone; the arguments as for `part`."""
    for first in range(0, len(images), LANES):
        some = slice(first, min(first + LANES, len(images)))
        _forwards(table, numbers, weights, images[some])
        logits[some] = _vector(numbers, table[-1, OUTPUT], logits.shape[1])[: len(images[some])]


@_compile
def _forwards(table, numbers, weights, images):
    channels, height, width = images.shape[1:]
    inputs = _layer(numbers, 0, channels, height, width)
    for n in range(len(images)):
        for c in range(channels):
            for h in range(height):
                row, pixels = inputs[c, h + 1], images[n, c, h]
                for w in range(width):
                    row[(w + 1) * LANES + n] = pixels[w]
    for place in range(len(table)):
        kind, channels, outputs, height, width, begin, end, at, bias = table[place]
        if kind == CONVOLUTION:
            kernels = weights[at : at + outputs * channels * 9].reshape((outputs, channels, 9))
            inputs, out = _layer(numbers, begin, channels, height, width), _layer(numbers, end, outputs, height, width)
            _convolve(inputs, kernels, weights[bias : bias + outputs], out)
        elif kind == RECTIFIER:
            some = numbers[begin : begin + outputs]
            for i in range(outputs):
                some[i] = np.float32(0) if some[i] < 0 else some[i]
        elif kind == POOLING:
            out = _layer(numbers, end, channels, height // 2, width // 2)
            _pool(_layer(numbers, begin, channels, height, width), out)
        elif kind == FLATTENING:
            inputs, out = _layer(numbers, begin, channels, height, width), _vector(numbers, end, outputs)
            for c in range(channels):
                for h in range(height):
                    for w in range(width):
                        for n in range(LANES):
                            out[n, (c * height + h) * width + w] = inputs[c, h + 1, (w + 1) * LANES + n]
        else:
            matrix = weights[at : at + outputs * channels].reshape((outputs, channels))
            inputs, out = _vector(numbers, begin, channels), _vector(numbers, end, outputs)
            _multiply(inputs, matrix, weights[bias : bias + outputs], out)


@_compile
def _backwards(table, numbers, deltas, weights, gradients):
    """From the gradients by the last layer to those by all weights, which are added to `gradients`."""
    for place in range(len(table) - 1, -1, -1):
        kind, channels, outputs, height, width, begin, end, at, bias = table[place]
        first = begin == 0  # It has the images before it, whose gradients nobody needs.
        if kind == CONVOLUTION:
            inputs, delta = _layer(numbers, begin, channels, height, width), _layer(deltas, end, outputs, height, width)
            found = gradients[at : at + outputs * channels * 9].reshape((outputs, channels, 9))
            _weight_gradients(inputs, delta, found, gradients[bias : bias + outputs])
            if not first:
                turned = np.empty((channels, outputs, 9), np.float32)
                for o in range(outputs):
                    for c in range(channels):
                        for k in range(9):
                            turned[c, o, 8 - k] = weights[at + (o * channels + c) * 9 + k]
                _convolve(delta, turned, np.zeros(channels, np.float32), _layer(deltas, begin, channels, height, width))
        elif kind == RECTIFIER:
            some, delta = numbers[begin : begin + outputs], deltas[begin : begin + outputs]
            for i in range(outputs):
                delta[i] *= np.float32(some[i] > 0)
        elif kind == POOLING:
            if not first:
                inputs, back = (
                    _layer(numbers, begin, channels, height, width),
                    _layer(deltas, begin, channels, height, width),
                )
                out = _layer(numbers, end, channels, height // 2, width // 2)
                _unpool(inputs, out, _layer(deltas, end, channels, height // 2, width // 2), back)
        elif kind == FLATTENING:
            if not first:
                delta, back = _vector(deltas, end, outputs), _layer(deltas, begin, channels, height, width)
                for c in range(channels):
                    for h in range(height):
                        for w in range(width):
                            for n in range(LANES):
                                back[c, h + 1, (w + 1) * LANES + n] = delta[n, (c * height + h) * width + w]
        else:
            inputs, delta = _vector(numbers, begin, channels), _vector(deltas, end, outputs)
            matrix, back = weights[at : at + outputs * channels], _vector(deltas, begin, channels)
            found = gradients[at : at + outputs * channels].reshape((outputs, channels))
            for o in range(outputs):
                gradients[bias + o] += delta[:, o].astype(np.float64).sum()
            back[:] = 0
            for n in range(LANES):
                image, to = inputs[n], back[n]
                for o in range(outputs):
                    by, row, changes = delta[n, o], matrix[o * channels : (o + 1) * channels], found[o]
                    for f in range(channels):
                        changes[f] += by * image[f]
                        to[f] += by * row[f]


@_compile
def _layer(numbers, begin, channels, height, width):
    size = channels * (height + 2) * (width + 2) * LANES
    return numbers[begin : begin + size].reshape((channels, height + 2, (width + 2) * LANES))


@_compile
def _vector(numbers, begin, count):
    return numbers[begin : begin + count * LANES].reshape((LANES, count))


@_compile
def _convolve(inputs, kernels, bias, outputs):
    """(C, H + 2, ...) -> (O, H + 2, ...) by kernels (O, C, 9) and bias (O,)."""
    inside = inputs.shape[2] - 2 * LANES
    for h in range(1, inputs.shape[1] - 1):
        for o in range(outputs.shape[0]):
            out = outputs[o, h]
            for i in range(LANES, LANES + inside):
                out[i] = bias[o]
        for c in range(inputs.shape[0]):
            above, at, below = inputs[c, h - 1], inputs[c, h], inputs[c, h + 1]
            for o in range(outputs.shape[0]):  # Inside: three rows and all that they are added to fit the first cache.
                out, k = outputs[o, h], kernels[o, c]
                k0, k1, k2, k3, k4, k5, k6, k7, k8 = k[0], k[1], k[2], k[3], k[4], k[5], k[6], k[7], k[8]
                for left in range(inside):
                    i, right = left + LANES, left + 2 * LANES
                    # One after the other: there is one way alone to make multiply-adds of it, also at a row's end.
                    total = out[i] + k0 * above[left] + k1 * above[i] + k2 * above[right]
                    total = total + k3 * at[left] + k4 * at[i] + k5 * at[right]
                    out[i] = total + k6 * below[left] + k7 * below[i] + k8 * below[right]


@_compile_sums
def _multiply(inputs, matrix, bias, outputs):
    """(LANES, F) -> (LANES, O) by a matrix (O, F) and bias (O,)."""
    for n in range(LANES):
        image = inputs[n]
        for o in range(matrix.shape[0]):
            row, total = matrix[o], np.float32(0)
            for f in range(len(row)):
                total += row[f] * image[f]
            outputs[n, o] = total + bias[o]


@_compile_sums
def _weight_gradients(inputs, deltas, kernels, bias):
    """What `_convolve` has to change: added to the gradients by its kernels and its bias."""
    inside = inputs.shape[2] - 2 * LANES
    for o in range(deltas.shape[0]):
        for c in range(inputs.shape[0]):
            s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = np.float32(0)
            for h in range(1, inputs.shape[1] - 1):
                above, at, below, delta = inputs[c, h - 1], inputs[c, h], inputs[c, h + 1], deltas[o, h]
                for left in range(inside):
                    i, right = left + LANES, left + 2 * LANES
                    d = delta[i]
                    s0, s1, s2 = s0 + d * above[left], s1 + d * above[i], s2 + d * above[right]
                    s3, s4, s5 = s3 + d * at[left], s4 + d * at[i], s5 + d * at[right]
                    s6, s7, s8 = s6 + d * below[left], s7 + d * below[i], s8 + d * below[right]
            found = kernels[o, c]
            for k, total in enumerate((s0, s1, s2, s3, s4, s5, s6, s7, s8)):
                found[k] += total
        for h in range(1, inputs.shape[1] - 1):
            bias[o] += deltas[o, h].sum()


@_compile
def _pool(inputs, outputs):
    """The largest of 2 x 2 pixels; a row or column that is left over is left out."""
    inputs, outputs = _pixels(inputs), _pixels(outputs)
    for c in range(outputs.shape[0]):
        for h in range(1, outputs.shape[1] - 1):
            for w in range(1, outputs.shape[2] - 1):
                upper, lower, out = inputs[c, 2 * h - 1], inputs[c, 2 * h], outputs[c, h, w]
                first, second, third, fourth = upper[2 * w - 1], upper[2 * w], lower[2 * w - 1], lower[2 * w]
                for n in range(LANES):
                    above = second[n] if second[n] > first[n] else first[n]
                    below = fourth[n] if fourth[n] > third[n] else third[n]
                    out[n] = below if below > above else above


@_compile
def _unpool(inputs, outputs, deltas, back):
    """The gradient goes to the first of the four pixels that is the largest, as PyTorch has it."""
    inputs, outputs, deltas, back = _pixels(inputs), _pixels(outputs), _pixels(deltas), _pixels(back)
    none = np.float32(0)
    for c in range(outputs.shape[0]):
        for h in range(1, outputs.shape[1] - 1):
            upper, lower = inputs[c, 2 * h - 1], inputs[c, 2 * h]
            to_upper, to_lower = back[c, 2 * h - 1], back[c, 2 * h]
            for w in range(1, outputs.shape[2] - 1):
                i, j, out, delta = 2 * w - 1, 2 * w, outputs[c, h, w], deltas[c, h, w]
                for n in range(LANES):
                    left = delta[n]  # What none of those before has got.
                    first = left if upper[i, n] == out[n] else none
                    left -= first
                    second = left if upper[j, n] == out[n] else none
                    left -= second
                    third = left if lower[i, n] == out[n] else none
                    to_upper[i, n], to_upper[j, n], to_lower[i, n], to_lower[j, n] = first, second, third, left - third


@_compile
def _pixels(layer):
    """(C, H + 2, (W + 2) * LANES) -> (C, H + 2, W + 2, LANES)."""
    return layer.reshape((layer.shape[0], layer.shape[1], layer.shape[2] // LANES, LANES))


@_compile
def _loss(logits, labels, share, deltas):
    """Set the gradient of the cross-entropy by each of the logits: softmax minus 1 for the true class.

    In float64, as all else follows from it, and it is done in no time.
    """
    deltas[:] = 0  # Of lanes without an image.
    for n in range(len(labels)):
        delta = np.exp(logits[n].astype(np.float64) - logits[n].max())
        delta /= delta.sum()
        delta[labels[n]] -= 1
        deltas[n] = share * delta
