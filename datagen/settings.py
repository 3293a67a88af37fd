"""How scenes are simulated, filmed and rendered: settings of a run, which their specs carry."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

MIXED_PACE = "mixed"


class Engine(StrEnum):
    """What draws the pictures; the layers behind a mask are Cycles' in any case."""

    CYCLES = "cycles"
    EEVEE = "eevee"


class Device(StrEnum):
    """What Cycles computes on; EEVEE takes the GPU that the system gives it."""

    AUTO = "auto"  # the first kind of GPU that is there, or the CPU
    CPU = "cpu"
    CUDA = "cuda"
    OPTIX = "optix"
    HIP = "hip"
    METAL = "metal"
    ONEAPI = "oneapi"


@dataclass(frozen=True, kw_only=True)
class PhysicsSettings:
    """How physics is run again, and what a trajectory must satisfy. Limits are explained in `physics.certificate`."""

    substep_hz: int = 480
    gravity_m_s2: float = 9.81
    contact_mm: float = 5.0  # body-to-object distance that counts as touching
    settle_s: float = 0.5  # how long an object is set free to see whether the person held it
    settle_mm: float = 20.0
    settle_deg: float = 5.0
    max_penetration_p95_mm: float = 2.0
    max_penetration_mm: float = 8.0
    max_speed_m_s: float = 12.0
    max_bystander_mm: float = 1.0
    max_free_fall_error: float = 0.01
    min_effect_mm: float = 50.0
    min_effect_deg: float = 10.0
    perturbed: int = 4  # simulations from a start jittered within measurement noise: the spread of the true outcome
    timeout_s: float = 600.0


@dataclass(frozen=True, kw_only=True)
class RenderSettings:
    """How a scene is rendered. Two runs with equal settings on one machine give equal pixels."""

    engine: Engine = Engine.CYCLES
    device: Device = Device.AUTO
    width: int = 672
    height: int = 384
    samples: int = 4
    denoise: bool = True
    max_bounces: int = 2
    light_samples: int = 4  # of the layers of light, which find shadows
    fine_light_samples: int = 128  # where those cannot tell, in a picture of 224x128; fewer in larger ones
    light_scale: int = 2  # the layers of light are this many times smaller than the picture
    reuse_unchanged: bool = True  # render the counterfactual only where it differs; the rest is the factual picture
    timeout_s: float = 7200.0


@dataclass(frozen=True, kw_only=True)
class PaceShares:
    """How often each pace is drawn, relative to the others."""

    static: float = 0.55
    dolly: float = 0.11
    pan: float = 0.11
    orbit: float = 0.11
    handheld: float = 0.12


@dataclass(frozen=True, kw_only=True)
class CameraSettings:
    """How cameras move, and what of a real lens and shutter their pictures have (off in all layers of masks)."""

    pace: str = MIXED_PACE  # drawn by `paces`; or the name of one of them for all scenes
    paces: PaceShares = field(default_factory=PaceShares)
    aperture_f: float = 0.0  # as in `CameraWish`
    shutter: float = 0.0


@dataclass(frozen=True, kw_only=True)
class LayerSettings:
    """What a sample holds beside its two videos: geometry of both worlds (see `geometry_layers`), and more worlds."""

    segmentation: bool = False
    depth: bool = False
    flow: bool = False
    hidden: bool = False  # the factual motion with the removed objects hidden, as a video
    perturbed: int = 0  # so many of the perturbed simulations (`PhysicsSettings.perturbed`), as videos

    @property
    def wanted(self) -> tuple[str, ...]:
        """Names of the kinds of geometry that are asked for."""
        return tuple(name for name in ("segmentation", "depth", "flow") if getattr(self, name))
