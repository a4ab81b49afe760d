"""All tunings of a study, made or read: what is finished outlives a kill, what is frozen is worked out once a cut."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from stgcn_lens.data.dataset import ClipSet
from stgcn_lens.models.checkpoints import Loaded
from stgcn_lens.parts import Parts
from stgcn_lens.studies.transfer import tuning
from stgcn_lens.studies.transfer.config import FULL, TransferConfig
from stgcn_lens.studies.transfer.findings import INPUT, SCRATCH
from stgcn_lens.studies.transfer.frozen import Material, freeze, write_clips
from stgcn_lens.studies.transfer.label_errors import errors_of_layers
from stgcn_lens.studies.transfer.target import Sides, draw, neighbours
from stgcn_lens.training.config import TrainConfig
from stgcn_lens.training.prepared import Prepared

_LAYER = 10  # label errors of a layer take as long as so many steps of tuning one block (ours, about)
_NUMBERS = ("loss", "epochs", "steps", "parameters", "seconds")


@dataclass(frozen=True)
class Cell:
    """One tuning: frozen up to `cut` ("scratch": all weights at random), so many shots, a seed."""

    cut: str
    shots: str
    seed: int

    @property
    def name(self) -> str:
        """Of its part."""
        return f"{self.cut}-{self.shots}-{self.seed}"


@dataclass(frozen=True, eq=False)
class Work:
    """A study's inputs, and where its finished parts are."""

    loaded: Loaded
    clips: ClipSet
    prepared: Prepared
    sides: Sides
    cuts: tuple[str, ...]
    config: TransferConfig
    parts: Parts
    device: str
    progress: Callable[[int, int], None] | None

    def label_errors(self) -> dict[str, dict[str, np.ndarray]]:
        """Side -> measure -> (L, n), see `errors_of_layers`; test clips have neighbours among test clips."""
        found = {}
        for number, side in enumerate(("train", "test")):

            def said(layers: int, number: int = number) -> None:
                self._said(_LAYER * (number * len(self.loaded.model.layers) + layers))

            rows, room = getattr(self.sides, side), self.parts.inside(f"label_errors_{side}")
            found[side] = errors_of_layers(
                self.loaded, self.clips, rows, self.k(side), self.config.window, self.device, room, said
            )
        return found

    def k(self, side: str) -> int:
        """Neighbours in the label errors of a side; the test side may have fewer clips than that."""
        return min(neighbours(self.sides, self.config), len(getattr(self.sides, side)) - 1)

    def tunings(self) -> Iterator[tuple[Cell, tuning.Tuned]]:
        """Every cell of the study, cut by cut, those that were there already included."""
        done = 2 * _LAYER * len(self.loaded.model.layers)
        for cut, cells in self._plan().items():
            material: Material | None = None
            for cell in cells:
                part = self.parts.read(cell.name)
                if part is None:
                    material = material or self._frozen(cut)
                    tuned = self._tune(cell, material, done)
                    numbers = {name: np.array(getattr(tuned, name)) for name in _NUMBERS}
                    self.parts.write(cell.name, predicted=tuned.predicted, **numbers)
                else:
                    tuned = tuning.Tuned(part["predicted"], **{name: part[name].item() for name in _NUMBERS})
                done += self._cost(cell)
                self._said(done)
                yield cell, tuned
            (self.parts.folder / f"{cut}.npy").unlink(missing_ok=True)

    def _plan(self) -> dict[str, list[Cell]]:
        """Cut -> its cells; those from scratch stand with the input, whose clips they share."""
        plan = {
            cut: [Cell(cut, shots, seed) for shots in self.config.shots for seed in self.config.seeds]
            for cut in self.cuts
        }
        if self.config.scratch:
            plan.setdefault(INPUT, []).extend(Cell(SCRATCH, FULL, seed) for seed in self.config.seeds)
        return plan

    def _frozen(self, cut: str) -> Material:
        file = self.parts.folder / "clips.npy"
        if not file.is_file():
            self.parts.folder.mkdir(parents=True, exist_ok=True)
            write_clips(file, self.clips, self.prepared, self.sides, self.config.copies)
        model, at = self.loaded.model, self.parts.folder / f"{cut}.npy"
        return freeze(at, model, cut, file, self.sides, self.config.copies, self.device)  # type: ignore[arg-type]

    def clips_of(self, cell: Cell) -> int:
        """Training clips of a cell."""
        return len(self._chosen(cell))

    def _chosen(self, cell: Cell) -> np.ndarray:
        return draw(self.sides.labels[self.sides.train], cell.shots, cell.seed)

    def _training(self, cell: Cell) -> TrainConfig:
        """A cell's recipe, with its passes."""
        if cell.cut == SCRATCH:
            return self.config.recipe(cell.seed)
        config = self.config
        epochs = tuning.passes(self.clips_of(cell), config.batch, config.epochs, config.least_steps)
        return config.training(epochs, cell.seed)

    def _tune(self, cell: Cell, material: Material, done: int) -> tuning.Tuned:
        scratch, chosen = cell.cut == SCRATCH, self._chosen(cell)
        model = tuning.network(self.loaded, len(self.clips.classes), cell.seed, weights=not scratch)
        labels, blocks = self.sides.labels[self.sides.train][chosen], self._blocks(cell)

        def said(step: int) -> None:
            self._said(done + blocks * step)

        return tuning.tune(model, material, chosen, labels, self._training(cell), self.device, said)

    def _blocks(self, cell: Cell) -> int:
        """What is trained, counted in blocks, the head as one."""
        layers = list(self.loaded.model.layers)
        return len(layers) - layers.index(INPUT if cell.cut == SCRATCH else cell.cut)

    def _cost(self, cell: Cell) -> int:
        training = self._training(cell)
        return self._blocks(cell) * training.epochs * tuning.steps(self.clips_of(cell), training.batch)

    def _said(self, done: int) -> None:
        if self.progress is not None:
            self.progress(done, self._total)

    @cached_property
    def _total(self) -> int:
        cells = [cell for cells in self._plan().values() for cell in cells]
        return 2 * _LAYER * len(self.loaded.model.layers) + sum(map(self._cost, cells))
