"""Triton's kernels of attention within windows: one forward, two backward.

`brew.models.fused_window_attention` checks arguments, starts these kernels and says what they are for. That module
imports this one at first use, since not every machine has Triton. Arrays are contiguous. Sizes are constants of a
compiled kernel: QUERIES, KEYS and WIDTH as they are, their blocks as powers of two. One block holds all keys, except in
`backward_of_keys`. What a block has too much is masked.

A pair is a window's place in an image and a head. A row of a grid belongs to a pair, so its bias is read once and
serves a share of the images. No two programs write to the same place, and nothing is added atomically.
"""

from typing import no_type_check

import triton
import triton.language as tl

#: Whether Triton's interpreter runs the kernels, on the CPU, instead of a device. It is decided when they are defined.
INTERPRETED: bool = triton.knobs.runtime.interpret
_INTERPRETED = tl.constexpr(INTERPRETED)


@triton.jit
@no_type_check
def _read(start, first, rows, ROWS: tl.constexpr, WIDTH: tl.constexpr, WIDTH_BLOCK: tl.constexpr):
    """ROWS vectors from the one numbered `first`; zeros beyond `rows` vectors and beyond WIDTH."""
    row, column = first + tl.arange(0, ROWS), tl.arange(0, WIDTH_BLOCK)
    inside = (row < rows)[:, None] & (column < WIDTH)[None, :]
    return tl.load(start + row[:, None] * WIDTH + column[None, :], mask=inside, other=0.0)


@triton.jit
@no_type_check
def _write(start, values, first, rows, ROWS: tl.constexpr, WIDTH: tl.constexpr, WIDTH_BLOCK: tl.constexpr):
    row, column = first + tl.arange(0, ROWS), tl.arange(0, WIDTH_BLOCK)
    inside = (row < rows)[:, None] & (column < WIDTH)[None, :]
    tl.store(start + row[:, None] * WIDTH + column[None, :], values.to(start.dtype.element_ty), mask=inside)


@triton.jit
@no_type_check
def _logits(queries, keys, bias, scale):
    return _product(queries, tl.trans(keys)) * scale + bias


@triton.jit
@no_type_check
def _product(one, other):
    """Summed in float32. Triton's interpreter multiplies bfloat16's bits, so there both factors are float32 first."""
    if _INTERPRETED:
        one, other = one.to(tl.float32), other.to(tl.float32)
    return tl.dot(one, other, input_precision="ieee")


@triton.jit
@no_type_check
def _read_bias(
    start, query, key, QUERIES: tl.constexpr, KEYS: tl.constexpr, QUERY_BLOCK: tl.constexpr, KEY_BLOCK: tl.constexpr
):
    """A block of the bias in float32 from this query and key; minus infinity takes keys out that are not there."""
    row, column = query + tl.arange(0, QUERY_BLOCK), key + tl.arange(0, KEY_BLOCK)
    inside = (row < QUERIES)[:, None] & (column < KEYS)[None, :]
    values = tl.load(start + row[:, None] * KEYS + column[None, :], mask=inside, other=0.0).to(tl.float32)
    return tl.where((column < KEYS)[None, :], values, float("-inf"))


@triton.jit
@no_type_check
def forward(
    q, k, v, bias, out, logsumexp, images, scale, QUERIES: tl.constexpr, KEYS: tl.constexpr, WIDTH: tl.constexpr,
    QUERY_BLOCK: tl.constexpr, KEY_BLOCK: tl.constexpr, WIDTH_BLOCK: tl.constexpr,
):  # fmt: skip
    """A block of queries in a pair, in every so many-th image. Grid: pairs, blocks of queries, shares of the images."""
    pair, pairs = tl.program_id(0).to(tl.int64), tl.num_programs(0).to(tl.int64)
    first = tl.program_id(1) * QUERY_BLOCK
    row = first + tl.arange(0, QUERY_BLOCK)
    added = _read_bias(bias + pair * QUERIES * KEYS, first, 0, QUERIES, KEYS, QUERY_BLOCK, KEY_BLOCK)
    for image in range(tl.program_id(2), images, tl.num_programs(2)):
        window = image * pairs + pair
        queries = _read(q + window * QUERIES * WIDTH, first, QUERIES, QUERY_BLOCK, WIDTH, WIDTH_BLOCK)
        keys = _read(k + window * KEYS * WIDTH, 0, KEYS, KEY_BLOCK, WIDTH, WIDTH_BLOCK)
        values = _read(v + window * KEYS * WIDTH, 0, KEYS, KEY_BLOCK, WIDTH, WIDTH_BLOCK)
        logits = _logits(queries, keys, added, scale)
        highest = tl.max(logits, 1)
        weights = tl.exp(logits - highest[:, None])
        total = tl.sum(weights, 1)
        y = _product(weights.to(values.dtype), values) / total[:, None]
        _write(out + window * QUERIES * WIDTH, y, first, QUERIES, QUERY_BLOCK, WIDTH, WIDTH_BLOCK)
        tl.store(logsumexp + window * QUERIES + row, highest + tl.log(total), mask=row < QUERIES)


@triton.jit
@no_type_check
def backward_of_queries(
    q, k, v, bias, logsumexp, dout, dq, dk, dv, dbias, means, images, scale,
    QUERIES: tl.constexpr, KEYS: tl.constexpr, WIDTH: tl.constexpr,
    QUERY_BLOCK: tl.constexpr, KEY_BLOCK: tl.constexpr, WIDTH_BLOCK: tl.constexpr, WHOLE: tl.constexpr,
):  # fmt: skip
    """Gradients of queries, and of the bias summed over a share of the images. Grid: as that of `forward`.

    WHOLE: one block holds all queries. Then gradients of keys and values are written too. Else what `backward_of_keys`
    needs is written to `means`: of each query, the mean of its weights' gradients, weighted by these weights.
    """
    pair, pairs = tl.program_id(0).to(tl.int64), tl.num_programs(0).to(tl.int64)
    first = tl.program_id(1) * QUERY_BLOCK
    row = first + tl.arange(0, QUERY_BLOCK)
    added = _read_bias(bias + pair * QUERIES * KEYS, first, 0, QUERIES, KEYS, QUERY_BLOCK, KEY_BLOCK)
    summed = tl.zeros((QUERY_BLOCK, KEY_BLOCK), tl.float32)
    for image in range(tl.program_id(2), images, tl.num_programs(2)):
        window = image * pairs + pair
        queries = _read(q + window * QUERIES * WIDTH, first, QUERIES, QUERY_BLOCK, WIDTH, WIDTH_BLOCK)
        keys = _read(k + window * KEYS * WIDTH, 0, KEYS, KEY_BLOCK, WIDTH, WIDTH_BLOCK)
        values = _read(v + window * KEYS * WIDTH, 0, KEYS, KEY_BLOCK, WIDTH, WIDTH_BLOCK)
        dy = _read(dout + window * QUERIES * WIDTH, first, QUERIES, QUERY_BLOCK, WIDTH, WIDTH_BLOCK)
        total = tl.load(logsumexp + window * QUERIES + row, mask=row < QUERIES, other=0.0)
        weights = tl.exp(_logits(queries, keys, added, scale) - total[:, None])
        dweights = _product(dy, tl.trans(values))
        mean = tl.sum(weights * dweights, 1)
        dlogits = weights * (dweights - mean[:, None])
        summed += dlogits
        rounded = dlogits.to(keys.dtype)
        dqueries = _product(rounded, keys) * scale
        _write(dq + window * QUERIES * WIDTH, dqueries, first, QUERIES, QUERY_BLOCK, WIDTH, WIDTH_BLOCK)
        if WHOLE:
            dkeys = _product(tl.trans(rounded), queries) * scale
            dvalues = _product(tl.trans(weights.to(dy.dtype)), dy)
            _write(dk + window * KEYS * WIDTH, dkeys, 0, KEYS, KEY_BLOCK, WIDTH, WIDTH_BLOCK)
            _write(dv + window * KEYS * WIDTH, dvalues, 0, KEYS, KEY_BLOCK, WIDTH, WIDTH_BLOCK)
        else:
            tl.store(means + window * QUERIES + row, mean, mask=row < QUERIES)
    share = tl.program_id(2) * pairs + pair
    _write(dbias + share * QUERIES * KEYS, summed, first, QUERIES, QUERY_BLOCK, KEYS, KEY_BLOCK)


@triton.jit
@no_type_check
def backward_of_keys(
    q, k, v, bias, logsumexp, dout, dk, dv, means, pairs, scale,
    QUERIES: tl.constexpr, KEYS: tl.constexpr, WIDTH: tl.constexpr,
    QUERY_BLOCK: tl.constexpr, KEY_BLOCK: tl.constexpr, WIDTH_BLOCK: tl.constexpr,
):  # fmt: skip
    """Gradients of a block of keys and values. Grid: pairs of all images, blocks of keys."""
    window, first = tl.program_id(0).to(tl.int64), tl.program_id(1) * KEY_BLOCK
    added_to = bias + window % pairs * QUERIES * KEYS
    keys = _read(k + window * KEYS * WIDTH, first, KEYS, KEY_BLOCK, WIDTH, WIDTH_BLOCK)
    values = _read(v + window * KEYS * WIDTH, first, KEYS, KEY_BLOCK, WIDTH, WIDTH_BLOCK)
    dkeys = tl.zeros((KEY_BLOCK, WIDTH_BLOCK), tl.float32)
    dvalues = tl.zeros((KEY_BLOCK, WIDTH_BLOCK), tl.float32)
    for start in range(0, QUERIES, QUERY_BLOCK):
        row = start + tl.arange(0, QUERY_BLOCK)
        queries = _read(q + window * QUERIES * WIDTH, start, QUERIES, QUERY_BLOCK, WIDTH, WIDTH_BLOCK)
        dy = _read(dout + window * QUERIES * WIDTH, start, QUERIES, QUERY_BLOCK, WIDTH, WIDTH_BLOCK)
        total = tl.load(logsumexp + window * QUERIES + row, mask=row < QUERIES, other=0.0)
        mean = tl.load(means + window * QUERIES + row, mask=row < QUERIES, other=0.0)
        added = _read_bias(added_to, start, first, QUERIES, KEYS, QUERY_BLOCK, KEY_BLOCK)
        weights = tl.exp(_logits(queries, keys, added, scale) - total[:, None])
        dlogits = weights * (_product(dy, tl.trans(values)) - mean[:, None])
        dvalues += _product(tl.trans(weights.to(dy.dtype)), dy)
        dkeys += _product(tl.trans(dlogits.to(queries.dtype)), queries)
    _write(dk + window * KEYS * WIDTH, dkeys * scale, first, KEYS, KEY_BLOCK, WIDTH, WIDTH_BLOCK)
    _write(dv + window * KEYS * WIDTH, dvalues, first, KEYS, KEY_BLOCK, WIDTH, WIDTH_BLOCK)
