"""What of a network is tuned on other classes, on how many clips, and how; constants are ours unless said otherwise."""

from dataclasses import dataclass

from stgcn_lens.errors import LensError
from stgcn_lens.training.config import PRECISIONS, TrainConfig

FULL = "full"  # all training clips
MOST_NEIGHBOURS = 15  # as `GraphConfig`


@dataclass(frozen=True)
class TransferConfig:
    """Cuts, clips and optimiser; the same settings for every cut, so that cuts differ in nothing but what is tuned."""

    target_classes: tuple[str, ...] = ()
    """Classes of the target, by name or number; all that it has by default, or those that the run was trained
    without."""
    split: str = "subject"
    """How the target is divided, as in `train`: subject, view, setup, file, or a .csv file."""
    train_ids: tuple[int, ...] | None = None
    """Subjects (views, setups) of the target that train; by default its own protocol."""
    cuts: tuple[str, ...] = ()
    """Layers up to which the network is frozen, from input (everything is tuned) to the last block (the head alone);
    all by default."""
    shots: tuple[str, ...] = ("1", "5", "10", FULL)
    """Training clips of each class, or full; a class that has fewer gives all it has. Draws are nested: one seed's 5
    contain its 1."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Of the new head, the clips drawn, their order and dropout; the same for all cuts."""
    epochs: int = 20
    """Passes over the training clips (meant to fit 11 cuts, 4 numbers of shots and 3 seeds into an hour)."""
    least_steps: int = 150
    """Few clips are gone through more often, until so many steps are taken: one clip a class is two steps a pass."""
    batch: int = 16
    """Clips per step (as in `train`: norms that are tuned need that many)."""
    lr: float = 0.1
    """Peak rate, as in `train`. In one seed on held-out training subjects of MSR-Action3D it was better than 0.03 at
    each cut that was tried (input, block_8, block_10), with one clip a class and with all."""
    warmup: float = 0.1
    """Share of the passes in which the rate rises, before it falls as a cosine: the gradients of a head at random
    would else be the largest that the tuned blocks see."""
    weight_decay: float = 5e-4
    """As in `train`."""
    label_smoothing: float = 0.1
    """As in `train`."""
    copies: int = 8
    """Randomly changed copies of each training clip (rotation, scale, crop, jitter as in `train`), made once so that
    frozen layers see each once; a pass draws one of each clip. 0: the clips as they are."""
    scratch: bool = True
    """Beside, train the same network from random weights on all training clips, by the recipe of `train` on these
    copies."""
    scratch_epochs: int = TrainConfig.epochs
    """Passes of that control, at the rate of `train`."""
    k: int | None = None
    """Neighbours in the label errors; by default 15, or all but one of the smallest class's training clips if fewer."""
    window: int = 8
    """Input frames per window of the label errors (as in `embed`)."""
    resamples: int = 1000
    """Bootstrap resamples of the clips."""
    precision: str = "fp32"
    """fp32 or bf16, of what is tuned; frozen layers are run in fp32."""

    def __post_init__(self) -> None:
        for name in ("shots", "seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) < len(values):
                raise LensError(f"transfer: {name} empty or double", got=values, expected="at least one, each once")
        for word in self.shots:
            if word != FULL and not (word.isdecimal() and int(word) > 0):
                raise LensError("impossible number of shots", got=repr(word), expected="a number above 0, or full")
        least = {"epochs": 1, "least_steps": 0, "batch": 2, "copies": 0, "scratch_epochs": 1, "window": 1}
        for name, smallest in {**least, "resamples": 1}.items():
            if getattr(self, name) < smallest:
                raise LensError(f"transfer: {name} too small", got=getattr(self, name), expected=f">= {smallest}")
        if self.k is not None and self.k < 1:
            raise LensError("no neighbours to look for", got=f"k = {self.k}", expected="at least 1")
        if not 0 <= self.warmup < 1:
            raise LensError("impossible share of warm-up", got=self.warmup, expected="0 <= share < 1")
        if self.precision not in PRECISIONS:
            raise LensError("unknown precision", got=repr(self.precision), expected=" or ".join(PRECISIONS))
        self.training(1, 0)

    def training(self, epochs: int, seed: int) -> TrainConfig:
        """How a network of a cut is trained for so many passes."""
        return TrainConfig(
            epochs=epochs,
            batch=self.batch,
            lr=self.lr,
            warmup=round(self.warmup * epochs),
            weight_decay=self.weight_decay,
            label_smoothing=self.label_smoothing,
            seed=seed,
            precision=self.precision,
        )

    def recipe(self, seed: int) -> TrainConfig:
        """How the control from random weights is trained: as `train` does it by default."""
        return TrainConfig(epochs=self.scratch_epochs, batch=self.batch, seed=seed, precision=self.precision)
