"""Rolling sums, deviations and co-moments by doubling: no drift, and the same bits in whatever pieces they are computed.

A running sum that adds the newest and subtracts the oldest value drifts, and its last bits depend on where it began.
Here the sums of 2, 4, 8, ... neighbours are built from the sums of half as many, and a window of n is put together from
the binary digits of n, smallest block first. So each result is a fixed tree of additions over its own window: it
depends on nothing before the window, errors grow with log2(n), and a value that is not finite spoils exactly the
windows that hold it. Second moments are merged by the same tree with Chan's pairwise formula,
`M2 = M2a + M2b + (mean_b - mean_a)^2 * na*nb/(na + nb)`.

The work is about log2(n) additions a bar, over blocks of about a thousand bars that stay in the first-level cache.
Blocks are laid out by where a window begins (reads go forward only) and doubling goes from one row of a two-row scratch
array to the other: LLVM vectorizes that, and neither index expressions that may be negative nor swapped array variables.

All `..._into(..., out, start)` kernels fill `out[start:]` and read inputs from index `start - window + 1` on only; what
lies in `out` before `start` is left alone. `window` is at least 1 and counts elements. Results before index `window - 1`
are NaN. Arrays have shape (bars,).

Counters begin as `np.int64(0)`: a plain literal would have numba compile every helper once more, for that constant.

Source: Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances" (1979).
"""

import numpy as np

from gridcore.compile import kernel

# Results computed at a time.
BLOCK = 1024


@kernel
def block_length(window, results):
    """How many of `results` to compute at a time; a long window needs longer blocks, or their overlap would be most of the work."""
    return min(max(BLOCK, 2 * window), results)


@kernel
def scratch_rows(block, window):
    """Two uninitialized rows for the inputs of `block` windows; the row length is odd, as a power of two would thrash the cache."""
    return np.empty((2, (block + window) | 1))


@kernel
def copy_into(source, target):
    """Copy `source` to the beginning of `target` (a loop compiles several times faster than a slice assignment)."""
    for k in range(source.size):
        target[k] = source[k]


@kernel
def _clear(target, length):
    for k in range(length):
        target[k] = 0.0


@kernel
def _double_sums(level, width, target, length):
    later = level[width : width + length]
    for k in range(length):
        target[k] = level[k] + later[k]


@kernel
def _double_products(first, second, products, width, next_first, next_second, next_products, length):
    later_first = first[width : width + length]
    later_second = second[width : width + length]
    later_products = products[width : width + length]
    weight = 0.5 * width
    for k in range(length):
        first_gap = later_first[k] - first[k]
        second_gap = later_second[k] - second[k]
        next_first[k] = first[k] + 0.5 * first_gap
        next_second[k] = second[k] + 0.5 * second_gap
        next_products[k] = products[k] + later_products[k] + first_gap * second_gap * weight


@kernel
def _merge_products(first, second, products, width, total_first, total_second, total_products, offset, size):
    share = width / (offset + width)
    weight = offset * share
    for k in range(size):
        first_gap = first[k] - total_first[k]
        second_gap = second[k] - total_second[k]
        total_first[k] += first_gap * share
        total_second[k] += second_gap * share
        total_products[k] += products[k] + first_gap * second_gap * weight


@kernel
def _double_squares(mean, squares, width, next_mean, next_squares, length):
    later_mean = mean[width : width + length]
    later_squares = squares[width : width + length]
    weight = 0.5 * width
    for k in range(length):
        gap = later_mean[k] - mean[k]
        next_mean[k] = mean[k] + 0.5 * gap
        next_squares[k] = squares[k] + later_squares[k] + gap * gap * weight


@kernel
def _merge_squares(mean, squares, width, total_mean, total_squares, offset, size):
    share = width / (offset + width)
    weight = offset * share
    for k in range(size):
        gap = mean[k] - total_mean[k]
        total_mean[k] += gap * share
        total_squares[k] += squares[k] + gap * gap * weight


@kernel
def window_sums(levels, window, total):
    """Sums of `window` neighbours: `total[k] = sum(levels[0, k : k + window])`, for every k of `total`.

    `levels` comes from `scratch_rows`, with total.size + window - 1 inputs in row 0; both rows are overwritten.
    """
    size = total.size
    length = size + window - 1
    width = np.int64(1)
    offset = np.int64(0)
    row = np.int64(0)
    while True:
        if window & width:
            block = levels[row, offset : offset + size]
            if offset == 0:
                copy_into(block, total)
            else:
                for k in range(size):
                    total[k] += block[k]
            offset += width
        if 2 * width > window:
            return
        length -= width
        _double_sums(levels[row], width, levels[1 - row], length)
        row = 1 - row
        width *= 2


@kernel
def window_squares(means, squares, window, total_mean, total_squares):
    """Means, and sums of squared deviations from them, of `window` neighbours of `means[0]`; layout as in `window_sums`.

    `squares` comes from `scratch_rows` too and needs no contents.
    """
    size = total_mean.size
    length = size + window - 1
    _clear(squares[0], length)
    width = np.int64(1)
    offset = np.int64(0)
    row = np.int64(0)
    while True:
        if window & width:
            mean = means[row, offset : offset + size]
            square = squares[row, offset : offset + size]
            if offset == 0:
                copy_into(mean, total_mean)
                copy_into(square, total_squares)
            else:
                _merge_squares(mean, square, width, total_mean, total_squares, offset, size)
            offset += width
        if 2 * width > window:
            return
        length -= width
        _double_squares(means[row], squares[row], width, means[1 - row], squares[1 - row], length)
        row = 1 - row
        width *= 2


@kernel
def _square_into(values, target, length):
    for k in range(length):
        target[k] = values[k] * values[k]


@kernel
def _plain_deviations(sums, total, window):
    """Turn sums and sums of squares (in `total`) into deviations; -1 where digits cancelled. Returns how many are -1."""
    share = 1.0 / window
    degrees = 1.0 / (window - 1.0)
    open_ones = 0
    for k in range(total.size):
        squares = total[k]
        left = squares - sums[k] * sums[k] * share
        good = left >= 0.5 * squares
        total[k] = np.sqrt(left * degrees) if good else -1.0
        open_ones += 0 if good else 1
    return open_ones


@kernel
def window_deviations(levels, squares, window, sums, total):
    """Sample standard deviations of `window` neighbours of `levels[0]`, or -1; layout as in `window_squares`.

    Returns the number of -1: windows with a mean larger than about their deviation, in which the plain sum of squares
    loses digits (or which are not finite). They are left to `merge_deviations`. `sums` is a row to work in.
    """
    size = total.size
    _square_into(levels[0], squares[0], size + window - 1)
    window_sums(levels, window, sums[:size])
    window_sums(squares, window, total)
    return _plain_deviations(sums, total, window)


@kernel
def merge_deviations(means, squares, window, total_mean, total):
    """Put the deviations that `window_deviations` left open into `total`, by merging; the inputs are in `means[0]` again."""
    merged = np.empty(total.size)
    window_squares(means, squares, window, total_mean[: total.size], merged)
    for k in range(total.size):
        if total[k] == -1.0:
            total[k] = np.sqrt(merged[k] / (window - 1.0))


@kernel
def window_products(firsts, seconds, products, window, total_first, total_second, total_products):
    """Means of `firsts[0]` and `seconds[0]` and sums of products of their deviations; layout as in `window_squares`."""
    size = total_first.size
    length = size + window - 1
    _clear(products[0], length)
    width = np.int64(1)
    offset = np.int64(0)
    row = np.int64(0)
    while True:
        if window & width:
            first = firsts[row, offset : offset + size]
            second = seconds[row, offset : offset + size]
            product = products[row, offset : offset + size]
            if offset == 0:
                copy_into(first, total_first)
                copy_into(second, total_second)
                copy_into(product, total_products)
            else:
                _merge_products(first, second, product, width, total_first, total_second, total_products, offset, size)
            offset += width
        if 2 * width > window:
            return
        length -= width
        other = 1 - row
        _double_products(firsts[row], seconds[row], products[row], width, firsts[other], seconds[other], products[other], length)
        row = other
        width *= 2


@kernel
def fill_missing(out, start, first):
    """Write NaN to `out[start:first]`, and return where the results begin: the larger of the two, at most out.size."""
    begin = min(max(start, first), out.size)
    for i in range(start, begin):
        out[i] = np.nan
    return begin


@kernel
def rolling_sum_into(values, window, out, start):
    """Fill `out[start:]` with the sums of the last `window` values, in their unit."""
    size = out.size
    first = fill_missing(out, start, window - 1)
    block = block_length(window, size - first)
    levels = scratch_rows(block, window)
    for begin in range(first, size, max(block, 1)):
        end = min(begin + block, size)
        oldest = begin - window + 1
        copy_into(values[oldest:end], levels[0])
        window_sums(levels, window, out[begin:end])


@kernel
def rolling_sum(values, window):
    """Sums of the last `window` values, in their unit; NaN before index `window - 1`."""
    out = np.empty(values.size)
    rolling_sum_into(values, window, out, np.int64(0))
    return out


@kernel
def rolling_deviation_into(values, window, out, start):
    """Fill `out[start:]` with the sample standard deviation (ddof 1) of the last `window` values, in their unit.

    Accurate to about 1e-16 times the larger of 1 and mean/deviation, relative.
    Exactly 0 where the window is constant; NaN everywhere for a window of 1.
    """
    size = out.size
    first = fill_missing(out, start, window - 1 if window > 1 else size)
    block = block_length(window, size - first)
    rows = scratch_rows(block, window)
    squares = scratch_rows(block, window)
    sums = np.empty(block)
    for begin in range(first, size, max(block, 1)):
        end = min(begin + block, size)
        oldest = begin - window + 1
        copy_into(values[oldest:end], rows[0])
        total = out[begin:end]
        if window_deviations(rows, squares, window, sums, total) > 0:
            copy_into(values[oldest:end], rows[0])
            merge_deviations(rows, squares, window, sums, total)


@kernel
def rolling_deviation(values, window):
    """Sample standard deviation (ddof 1) of the last `window` values, in their unit; NaN before index `window - 1`."""
    out = np.empty(values.size)
    rolling_deviation_into(values, window, out, np.int64(0))
    return out


@kernel
def rolling_comoments(first, second, window):
    """Co-moments of two series over the last `window` elements: arrays (M2 of first, M2 of second, M of their products).

    Each is a sum of products of deviations from the window's means, not divided by anything.
    """
    size = first.size
    first_squares = np.empty(size)
    second_squares = np.empty(size)
    products = np.empty(size)
    start = fill_missing(first_squares, np.int64(0), window - 1)
    fill_missing(second_squares, np.int64(0), window - 1)
    fill_missing(products, np.int64(0), window - 1)
    block = block_length(window, size - start)
    rows = scratch_rows(block, window)
    other_rows = scratch_rows(block, window)
    product_rows = scratch_rows(block, window)
    mean = np.empty(block)
    other_mean = np.empty(block)
    for begin in range(start, size, max(block, 1)):
        end = min(begin + block, size)
        oldest = begin - window + 1
        count = end - begin
        copy_into(first[oldest:end], rows[0])
        window_squares(rows, product_rows, window, mean[:count], first_squares[begin:end])
        copy_into(second[oldest:end], rows[0])
        window_squares(rows, product_rows, window, mean[:count], second_squares[begin:end])
        copy_into(first[oldest:end], rows[0])
        copy_into(second[oldest:end], other_rows[0])
        window_products(rows, other_rows, product_rows, window, mean[:count], other_mean[:count], products[begin:end])
    return first_squares, second_squares, products
