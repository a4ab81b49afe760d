"""`python -m stgcn_lens` is the command `stgcn-lens`."""

import sys

from stgcn_lens.cli import main

sys.exit(main())
