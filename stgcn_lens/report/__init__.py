"""Self-contained pages: about one run (`build`), about several (`several`), each with every number beside it."""

from stgcn_lens.report.build import ReportConfig, build
from stgcn_lens.report.several import several

__all__ = ["ReportConfig", "build", "several"]
