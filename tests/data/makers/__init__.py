"""Small folders of every format, made by the tests themselves: one module a reader, named like it.

Each has `make(folder)`, which writes a small sound set and returns nothing that the contract tests use, and
`SUFFIX`, the suffix of a file that can be read by itself (None where a set is one thing).
"""

from importlib import import_module

from stgcn_lens.data import READERS

MODULES = {reader.name: import_module(f"{__name__}.{reader.name.replace('-', '_')}") for reader in READERS}
MAKERS = {name: module.make for name, module in MODULES.items()}
