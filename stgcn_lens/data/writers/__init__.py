"""Formats that clips can be written in: `WRITERS` lists them; together with the readers they convert."""

from stgcn_lens.data.writers import ctr_gcn, native, ntu, pyskl, st_gcn
from stgcn_lens.data.writers.target import Writer

WRITERS: tuple[Writer, ...] = (native.WRITER, ntu.WRITER, st_gcn.WRITER, ctr_gcn.WRITER, pyskl.WRITER)
