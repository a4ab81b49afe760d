"""The recursion of window DTW in Triton."""

import triton
import triton.language as tl


# The plain numbers differ from tile to tile: without this, each kind of number would be compiled for.
@triton.jit(do_not_specialize=["width", "clips", "band"])
def accumulate(  # type: ignore[no-untyped-def]
    table,
    row_lengths,
    row_starts,
    column_lengths,
    column_starts,
    width,
    clips,
    band,
    BANDED: tl.constexpr,
    LANES: tl.constexpr,
):
    """Local costs become sums along the best path, in place; one program warps one row clip onto LANES column clips.

    Every lane walks its own table row by row. Columns lie by time, so lanes that are neighbours read and write
    neighbouring numbers, and a clip may have any number of windows. What a lane reads of the row above it wrote itself.

    Parameters
    ----------
    table : (R, width), axes as in `clips.Axis`.
    row_lengths, row_starts, column_lengths, column_starts : int64, of the two axes.
    clips : number of column clips.
    band : half-width of the band, used if BANDED.
    """
    p = tl.program_id(1)
    q = tl.program_id(0).to(tl.int64) * LANES + tl.arange(0, LANES)
    n = tl.load(row_lengths + p)
    m = tl.load(column_lengths + q, mask=q < clips, other=0)
    below = band + tl.maximum(n - m, 0)
    beyond = band + tl.maximum(m - n, 0)
    nothing = tl.full((LANES,), float("inf"), table.dtype.element_ty)
    longest = tl.max(m, axis=0)
    for i in range(0, n):
        here = table + (tl.load(row_starts + i) + p) * width + q
        above = table + (tl.load(row_starts + tl.maximum(i - 1, 0)) + p) * width + q
        left = nothing
        corner = nothing
        for j in range(0, longest):
            column = tl.load(column_starts + j)
            inside = j < m
            cost = tl.load(here + column, mask=inside, other=0.0)
            up = tl.load(above + column, mask=inside & (i > 0), other=float("inf"))
            best = tl.minimum(tl.minimum(left, up), corner)
            value = cost + tl.where(i + j == 0, 0.0, best)
            if BANDED:
                value = tl.where((i - j <= below) & (j - i <= beyond), value, nothing)
            tl.store(here + column, value, mask=inside)
            left = value
            corner = up
