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

from gridcore.compile import kernel, machine_kernel

# Results computed at a time.
BLOCK = 1024
# Fewer blocks than this are summed at once instead of doubling them further.
FEW = 8


@machine_kernel
def block_length(window, results):
    """How many of `results` to compute at a time; a long window needs longer blocks, or their overlap would be most of the work."""
    return min(max(BLOCK, 2 * window), results)


@machine_kernel
def _row_length(block, window):
    """More than both, an odd number of cache lines: every row begins on one, and a power of two would thrash the cache."""
    return 8 * (((block + window) // 8 + 1) | 1)


@kernel
def scratch_rows(block, window):
    """Two uninitialized rows for the inputs of `block` windows."""
    return np.empty((2, _row_length(block, window)))


@kernel
def working_rows(block, window):
    """Four such pairs, for the kernels that share them: the levels of window sums, two pairs for inputs and results, and a spare one."""
    return np.empty((4, 2, _row_length(block, window)))


@machine_kernel
def copy_into(source, target):
    """Copy `source` to the beginning of `target` (a loop compiles several times faster than a slice assignment)."""
    for k in range(source.size):
        target[k] = source[k]


@machine_kernel
def _clear(target, length):
    for k in range(length):
        target[k] = 0.0


@machine_kernel
def _double_sums(level, width, target, length):
    later = level[width : width + length]
    for k in range(length):
        target[k] = level[k] + later[k]


@machine_kernel
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


@machine_kernel
def _merge_products(first, second, products, width, total_first, total_second, total_products, offset, size):
    share = width / (offset + width)
    weight = offset * share
    for k in range(size):
        first_gap = first[k] - total_first[k]
        second_gap = second[k] - total_second[k]
        total_first[k] += first_gap * share
        total_second[k] += second_gap * share
        total_products[k] += products[k] + first_gap * second_gap * weight


@machine_kernel
def _double_squares(mean, squares, width, next_mean, next_squares, length):
    later_mean = mean[width : width + length]
    later_squares = squares[width : width + length]
    weight = 0.5 * width
    for k in range(length):
        gap = later_mean[k] - mean[k]
        next_mean[k] = mean[k] + 0.5 * gap
        next_squares[k] = squares[k] + later_squares[k] + gap * gap * weight


@machine_kernel
def _merge_squares(mean, squares, width, total_mean, total_squares, offset, size):
    share = width / (offset + width)
    weight = offset * share
    for k in range(size):
        gap = mean[k] - total_mean[k]
        total_mean[k] += gap * share
        total_squares[k] += squares[k] + gap * gap * weight


@machine_kernel
def _add_into(values, target):
    for k in range(target.size):
        target[k] += values[k]


@machine_kernel
def _add_few(level, width, count, target):
    """Sum `count` (1 to 7) neighbouring blocks at once: memory is written once, not once for each addition."""
    b = level[width:]
    c = level[2 * width :]
    d = level[3 * width :]
    e = level[4 * width :]
    f = level[5 * width :]
    g = level[6 * width :]
    size = target.size
    if count == 1:
        copy_into(level[:size], target)
    elif count == 2:
        for k in range(size):
            target[k] = level[k] + b[k]
    elif count == 3:
        for k in range(size):
            target[k] = (level[k] + b[k]) + c[k]
    elif count == 4:
        for k in range(size):
            target[k] = (level[k] + b[k]) + (c[k] + d[k])
    elif count == 5:
        for k in range(size):
            target[k] = ((level[k] + b[k]) + (c[k] + d[k])) + e[k]
    elif count == 6:
        for k in range(size):
            target[k] = ((level[k] + b[k]) + (c[k] + d[k])) + (e[k] + f[k])
    else:
        for k in range(size):
            target[k] = ((level[k] + b[k]) + (c[k] + d[k])) + ((e[k] + f[k]) + g[k])


@machine_kernel
def window_sums(values, levels, window, total):
    """Sums of `window` neighbours: `total[k] = sum(values[k : k + window])`, for every k of `total`.

    `levels` comes from `scratch_rows` and needs no contents.
    """
    size = total.size
    if window < FEW:
        _add_few(values, np.int64(1), window, total)
        return
    offset = window & 1
    if offset == 1:
        copy_into(values[:size], total)
    length = size + window - 2
    _double_sums(values, np.int64(1), levels[0], length)
    width = np.int64(2)
    row = np.int64(0)
    while window >= FEW * width:
        if window & width:
            block = levels[row, offset : offset + size]
            if offset == 0:
                copy_into(block, total)
            else:
                _add_into(block, total)
            offset += width
        length -= width
        _double_sums(levels[row], width, levels[1 - row], length)
        row = 1 - row
        width *= 2
    if offset == 0:
        _add_few(levels[row], width, window // width, total)
    else:
        last = levels[1 - row, :size]
        _add_few(levels[row, offset:], width, window // width, last)
        _add_into(last, total)


@machine_kernel
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


@machine_kernel
def _square_into(values, target):
    for k in range(values.size):
        target[k] = values[k] * values[k]


@machine_kernel
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


@machine_kernel
def _merge_deviations(values, work, window, total):
    """Put the deviations that are -1 into `total`, by merging."""
    merged = work[2, 1, : total.size]
    copy_into(values, work[0, 0])
    window_squares(work[0], work[1], window, work[2, 0, : total.size], merged)
    for k in range(total.size):
        if total[k] == -1.0:
            total[k] = np.sqrt(merged[k] / (window - 1.0))


@machine_kernel
def window_deviations(values, work, window, total):
    """Sample standard deviations of `window` neighbours: `total[k]` is that of `values[k : k + window]`.

    `work` comes from `working_rows` and needs no contents; `values` may be its last row. The squares are summed as they
    are, which is exact enough unless the mean is larger than the deviation; such windows, and those that are not finite,
    are merged.
    """
    squares = work[1, 0, : values.size]
    sums = work[1, 1, : total.size]
    _square_into(values, squares)
    window_sums(values, work[0], window, sums)
    window_sums(squares, work[0], window, total)
    if _plain_deviations(sums, total, window) > 0:
        _merge_deviations(values, work, window, total)


@machine_kernel
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


@machine_kernel
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
        window_sums(values[begin - window + 1 : end], levels, window, out[begin:end])


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
    work = working_rows(block, window)
    for begin in range(first, size, max(block, 1)):
        end = min(begin + block, size)
        window_deviations(values[begin - window + 1 : end], work, window, out[begin:end])


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
