"""One self-contained page about a run, and `results.json` with every number on it."""

from stgcn_lens.report.build import ReportConfig, build

__all__ = ["ReportConfig", "build"]
