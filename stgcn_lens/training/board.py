"""The course of a training for TensorBoard, an extra."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from stgcn_lens.errors import LensError
from stgcn_lens.files import cannot_write

FOLDER = "tensorboard"  # in the run folder


def require() -> None:
    """`LensError` where the package is not installed."""
    if find_spec("tensorboard") is None:
        raise LensError("TensorBoard is not installed", fix="pip install 'stgcn-lens[tensorboard]'")


class Board:
    """Scalars of every epoch in RUN/tensorboard; a training that goes on overwrites the epochs that it does again."""

    def __init__(self, run: Path, epochs_done: int) -> None:
        require()
        from torch.utils.tensorboard import SummaryWriter

        try:
            self.writer = SummaryWriter(str(run / FOLDER), purge_step=epochs_done + 1)
        except OSError as error:
            raise cannot_write(run / FOLDER, error) from error

    def epoch(self, line: dict[str, Any]) -> None:
        """All numbers of a line of the log."""
        self._write({f"train/{name}": value for name, value in line.items() if name != "epoch"}, line["epoch"])

    def scores(self, metrics: dict[str, dict[str, Any]], epoch: int) -> None:
        """The final scores of every side, and the end."""
        numbers = {
            f"final/{side}_{name}": value
            for side, values in metrics.items()
            for name, value in values.items()
            if isinstance(value, float)
        }
        self._write(numbers, epoch)
        self.writer.close()

    def _write(self, numbers: dict[str, float], epoch: int) -> None:
        for name, value in numbers.items():
            self.writer.add_scalar(name, value, epoch)
        self.writer.flush()
