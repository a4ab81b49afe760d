"""Window DTW where torch computes: on a GPU, and by the same code on a CPU, slowly.

The only part of `distances` that imports torch; `distances` itself does not import it. `nearest` for neighbours,
`pairs` and `pairs_of` for exact distances of given pairs, `cdist` for all to all.
"""

from stgcn_lens.distances.on_gpu.blocks import RELATIVE, Products, cdist
from stgcn_lens.distances.on_gpu.exact import pairs, pairs_of
from stgcn_lens.distances.on_gpu.neighbours import Nearest, nearest

__all__ = ["RELATIVE", "Nearest", "Products", "cdist", "nearest", "pairs", "pairs_of"]
