"""What a run of VOID is asked to do; nothing here loads torch's models."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from datagen.errors import ConfigError
from inference.conditioning import MaskMode
from inference.windows import check_window

PIXELS_A_PATCH = 16  # the VAE's 8 times the transformer's 2


class NoiseResample(StrEnum):
    """How warped noise is brought to the size of the latents."""

    ALIGNED = "aligned"  # unit variance, in place
    REFERENCE = "reference"  # as the released script does it: std 0.66, shifted


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Defaults are what VOID was trained and published with."""

    height: int = 384
    width: int = 672
    steps: int = 50
    window_frames: int = 85  # denoised at once, and the least that a video is padded to
    overlap_frames: int = 16
    max_frames: int = 197  # what it was trained up to
    mask_mode: MaskMode = MaskMode.TRIMASK
    composite: bool = False  # copy KEEP pixels from the input
    noise_resample: NoiseResample = NoiseResample.ALIGNED
    raft: str = ""  # RAFT weights for the flow that pass 2's noise follows; "": OpenCV's DIS
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("height", "width"):
            value = getattr(self, name)
            if value < 2 * PIXELS_A_PATCH or value % PIXELS_A_PATCH:
                raise ConfigError(f"{name} {value}: expected a multiple of {PIXELS_A_PATCH} from {2 * PIXELS_A_PATCH}")
        if not 1 <= self.steps <= 1000:
            raise ConfigError(f"steps {self.steps}: expected 1 to 1000")
        if self.max_frames < 1:
            raise ConfigError(f"max_frames {self.max_frames}: expected at least 1")
        check_window(self.window_frames, self.overlap_frames)
