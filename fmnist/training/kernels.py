"""The gradients of a batch for a chain of 3 x 3 convolutions, ReLU, pooling and linear layers, compiled for the CPU.

PyTorch's convolutions put channels side by side in the processor's vectors of 16 numbers. Our models have ten, so a
third of each vector stays empty. Here images stand side by side: LANES of them, as a layer's innermost dimension.

                   w = 0          w = 1          w = 2                  w = W + 1
      row h = 0  | 0 0 ... 0 0 | 0 0 ... 0 0 | 0 0 ... 0 0 |    ...    | 0 0 ... 0 0 |   border
      row h = 1  | 0 0 ... 0 0 | x x ... x x | x x ... x x |    ...    | 0 0 ... 0 0 |
                   border        the first pixel of LANES images         border

A layer is float32 (C, H + 2, (W + 2) * LANES): the pixels, and a border of zeros around them. Whatever the image, the
neighbour on a pixel's right is LANES numbers further on. So a row of a convolution's output is the sum, over all input
channels, of three rows (above, at, below), each shifted by a pixel to the left, not at all and to the right, times a
weight each (`_convolve`). The gradient with respect to its input is a convolution too, of the output's gradient, with
each kernel turned by 180 degrees and with input and output channels exchanged. The gradient with respect to a weight is
the sum, over all pixels and images, of the shifted input times the output's gradient (`_weight_gradients`).
A layer without pixels, of F numbers for each image, is float32 (LANES, F): there these numbers fill the vectors.
Where fewer than LANES images are left of a batch, the other lanes keep what was in them. Nobody reads their logits, and
their gradients are set to 0 at the end of the chain, so they add nothing.

All layers of a model lie one after the other in one array (`numbers`), their gradients at the same places of another
(`deltas`), all weights and biases in a third. A model is a table of integers, a row for each layer, that says where: so
everything here is compiled once, not for each model. compiled.py makes the table.

Numba compiles these functions to machine code. Three things let it use vectors: LANES is a constant; an inner loop runs
over whole rows, which were taken out of their array before (`row = layer[c, h]`); and it has no branches (`a if x else
b`, between two numbers, becomes a selection).
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

LANES = 16
"""Images side by side: 16 numbers are a vector of 512 bits, and a line of the cache."""

CONVOLUTION, RECTIFIER, POOLING, FLATTENING, LINEAR = range(5)
KIND, CHANNELS, OUTPUTS, HEIGHT, WIDTH, INPUT, OUTPUT, WEIGHTS, BIAS = range(9)
"""The columns of a model's table: what the layer does; the channels that it takes and gives (or numbers, without
pixels); height and width of what it takes; where its input and output begin in `numbers`, its weights and bias in
`weights`; 0 where that means nothing. ReLU works in place, on OUTPUTS numbers from INPUT on, borders included."""

# A weight that is NaN gives logits that are: training that diverges is noticed by it. Sums are computed in the order in
# which they are written, so that equal pixels stay equal (much of a picture is flat): pooling takes the first of them.
_compile = njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract", "nsz"})
# A single sum over many numbers can be computed in vectors only if it may be computed in any order ("reassoc").
_compile_sums = njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})


@_compile
def forwards_and_backwards(table, numbers, deltas, weights, gradients, images, labels, share, logits, learns):
    """Compute the logits of images; and, if the model `learns`, the gradients of their summed loss times `share`.

    Args:
        table: int64 (layers, 9), the model.
        numbers, deltas: float32, room for all layers. They belong to this model and begin as zeros: borders, and rows
            that pooling leaves over, are never written.
        weights: float32, those of all layers.
        gradients: float32, of the same size. Is overwritten, if the model learns.
        images: float32 (N, C, H, W), contiguous.
        labels: int64 (N,).
        share: float32, the weight of one image's loss: 1 / batch size makes the parts of a batch add up to its mean.
        logits: float32 (N, classes). Is overwritten.
    """
    if learns:
        gradients[:] = 0
    for first in range(0, len(images), LANES):
        count = min(LANES, len(images) - first)
        _forwards(table, numbers, weights, images[first : first + count])
        found = _vector(numbers, table[-1, OUTPUT], logits.shape[1])
        for n in range(count):
            for o in range(logits.shape[1]):
                logits[first + n, o] = found[n, o]
        if learns:
            delta = _vector(deltas, table[-1, OUTPUT], logits.shape[1])
            _loss_gradients(found, labels[first : first + count], share, delta)
            _backwards(table, numbers, deltas, weights, gradients)


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
    """From the gradients with respect to the last layer to those of all weights, which are added to `gradients`."""
    for place in range(len(table) - 1, -1, -1):
        kind, channels, outputs, height, width, begin, end, at, bias = table[place]
        first = begin == 0  # Before it are the images, whose gradients nobody needs.
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
                inputs = _layer(numbers, begin, channels, height, width)
                back = _layer(deltas, begin, channels, height, width)
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
                total = np.float64(0)
                for n in range(LANES):
                    total += delta[n, o]
                gradients[bias + o] += total
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
            # The output's channels are the inner loop: three rows and all that they are added to fit the L1 cache.
            for o in range(outputs.shape[0]):
                out, k = outputs[o, h], kernels[o, c]
                k0, k1, k2, k3, k4, k5, k6, k7, k8 = k[0], k[1], k[2], k[3], k[4], k[5], k[6], k[7], k[8]
                for left in range(inside):
                    i, right = left + LANES, left + 2 * LANES
                    # A chain, so that each step is one fused multiply-add, whether in a vector or in what is left of
                    # a row: otherwise a pixel at the end of a row could differ in its last bit from its neighbours.
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
    """Add the gradients with respect to the kernels and the bias of `_convolve` to `kernels` and `bias`."""
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
    """The largest of 2 x 2 pixels. An odd row or column at the end is left out."""
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
    """The gradient goes to the first of the four pixels that equals the largest, as in PyTorch."""
    inputs, outputs, deltas, back = _pixels(inputs), _pixels(outputs), _pixels(deltas), _pixels(back)
    zero = np.float32(0)
    for c in range(outputs.shape[0]):
        for h in range(1, outputs.shape[1] - 1):
            upper, lower = inputs[c, 2 * h - 1], inputs[c, 2 * h]
            to_upper, to_lower = back[c, 2 * h - 1], back[c, 2 * h]
            for w in range(1, outputs.shape[2] - 1):
                i, j, out, delta = 2 * w - 1, 2 * w, outputs[c, h, w], deltas[c, h, w]
                for n in range(LANES):
                    left = delta[n]  # Becomes 0 once a pixel has taken it.
                    first = left if upper[i, n] == out[n] else zero
                    left -= first
                    second = left if upper[j, n] == out[n] else zero
                    left -= second
                    third = left if lower[i, n] == out[n] else zero
                    to_upper[i, n], to_upper[j, n], to_lower[i, n], to_lower[j, n] = first, second, third, left - third


@_compile
def _pixels(layer):
    """(C, H + 2, (W + 2) * LANES) -> (C, H + 2, W + 2, LANES)."""
    return layer.reshape((layer.shape[0], layer.shape[1], layer.shape[2] // LANES, LANES))


@_compile
def _loss_gradients(logits, labels, share, deltas):
    """The gradients of the cross-entropy with respect to the logits: (softmax - 1 for the true class) * share.

    In float64: all other gradients are computed from these few.
    """
    deltas[:] = 0  # Of lanes without an image.
    for n in range(len(labels)):
        largest, total = logits[n, 0], np.float64(0)
        for o in range(logits.shape[1]):
            largest = max(largest, logits[n, o])
        for o in range(logits.shape[1]):
            total += math.exp(np.float64(logits[n, o]) - largest)
        for o in range(logits.shape[1]):
            likely = math.exp(np.float64(logits[n, o]) - largest) / total
            deltas[n, o] = share * (likely - (o == labels[n]))
