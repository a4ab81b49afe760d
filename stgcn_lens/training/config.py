"""How a network is trained; one frozen object that is also the command's flags and the manifest's record."""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from stgcn_lens.errors import LensError

PRECISIONS = ("fp32", "bf16")
NOISE_DB = 40.0  # of a training with noise the least of it (ours): a hundredth of the clip's own strength


@dataclass(frozen=True)
class TrainConfig:
    """Optimisation of a network.

    The defaults train an ST-GCN of width 16 on a few hundred clips in minutes on two CPU cores. Near the released
    ST-GCN's recipe come ``--width 64 --dropout 0.5 --partition spatial-release --frames 300
    --fit replay --no-scale --no-augment --schedule step --warmup 0 --batch 64 --weight-decay 1e-4 --label-smoothing 0``
    (there, biases and masks decay too).
    """

    epochs: int = 80
    """Passes over the training clips (released code: 80)."""
    batch: int = 16
    """Clips per step, over all processes together (ours; released code: 64 on several GPUs)."""
    lr: float = 0.1
    """Peak learning rate (released code; paper: 0.01)."""
    momentum: float = 0.9
    """Nesterov momentum (released code)."""
    weight_decay: float = 5e-4
    """On weights, not on biases, norms and edge importance (ours; released code: 1e-4 on all)."""
    schedule: str = "cosine"
    """cosine (ours) or step (x0.1 at each milestone)."""
    milestones: tuple[int, ...] = (10, 50)
    """Epochs at which the step schedule divides the rate by ten (released code: 10, 50; paper: every 10)."""
    warmup: int = 5
    """Epochs of linear warm-up (STGAT: 5)."""
    label_smoothing: float = 0.1
    """Probability mass spread over all classes (ours)."""
    augment: bool = True
    """Random rotation, scale, temporal crop and joint jitter on training clips (ours; after [S] section 3.6)."""
    random_moving: bool = False
    """Interpolated random affine motion over the clip ([S] section 3.6, used there on Kinetics)."""
    flip: bool = False
    """Mirror half of the clips, left and right joints swapped; wrong where classes name a side."""
    seed: int = 0
    """Initial weights, order of clips, augmentation and dropout."""
    precision: str = "fp32"
    """fp32; or bf16: convolutions and products in bfloat16; weights, sums of the norms and loss stay in fp32."""
    clip_norm: float = 0.0
    """Largest length of the gradient over all weights; a longer one is shortened to it (0: never)."""
    compile: bool = False
    """Compile the network with torch.compile; where that fails, it is said and the network trained as it is."""
    ema: float = 0.0
    """Decay of a running mean of the weights, which is then what is tested and saved, such as 0.999 (0: none)."""
    noise_db: float | None = None
    """Gaussian noise on training clips, of a ratio drawn for each between this one (the weakest signal, such as 10) and
    40 dB, relative to the clip's own power about its centre (ours); by default none."""
    init: Path | None = None
    """Start from the weights of this run or checkpoint folder (fine-tuning)."""
    new_head: bool = False
    """With --init: a new last layer, for other classes than those of the checkpoint."""
    freeze_below: str | None = None
    """Keep this layer and all before it as they are, such as block_5."""
    sync_norm: bool = True
    """With several processes: batch norm over the clips of all of them, as one process has it."""
    shuffle_labels: bool = False
    """Control: the labels of the training clips permuted among themselves by the seed."""

    def __post_init__(self) -> None:
        if self.schedule not in ("cosine", "step"):
            raise LensError("unknown schedule", got=repr(self.schedule), expected="cosine or step")
        if self.epochs < 1 or self.batch < 1 or not 0 < self.lr < 1e38 or self.warmup < 0:
            raise LensError(
                "impossible training",
                got=f"epochs {self.epochs}, batch {self.batch}, lr {self.lr}, warmup {self.warmup}",
                expected="epochs >= 1, batch >= 1, 0 < lr < 1e38, warmup >= 0",
            )
        if not 0 < self.momentum < 1 or not 0 <= self.weight_decay < float("inf"):
            raise LensError(
                "impossible optimiser",
                got=f"momentum {self.momentum}, weight decay {self.weight_decay}",
                expected="0 < momentum < 1, weight decay >= 0",
            )
        if not 0 <= self.label_smoothing < 1:
            raise LensError("impossible label smoothing", got=self.label_smoothing, expected="0 <= value < 1")
        if self.precision not in PRECISIONS:
            raise LensError("unknown precision", got=repr(self.precision), expected=" or ".join(PRECISIONS))
        if not 0 <= self.clip_norm < float("inf") or not 0 <= self.ema < 1:
            raise LensError(
                "impossible training",
                got=f"clip norm {self.clip_norm}, ema {self.ema}",
                expected="clip norm >= 0, 0 <= ema < 1",
            )
        if self.noise_db is not None and not -100 <= self.noise_db <= NOISE_DB:
            raise LensError("impossible noise", got=f"{self.noise_db} dB", expected=f"-100 to {NOISE_DB:g} dB")
        if self.new_head and self.init is None:
            raise LensError("a new head on nothing", got="--new-head alone", fix="say with --init what to start from")

    def told(self) -> dict[str, Any]:
        """The settings as the manifest keeps them.

        Those that came later are left out at their default: trainings that were told before are still the same.
        """
        names = [field.name for field in fields(self)]
        later = names[names.index("seed") + 1 :]
        values = {name: getattr(self, name) for name in names}
        return {name: value for name, value in values.items() if name not in later or value != getattr(_PLAIN, name)}


_PLAIN = TrainConfig()
