"""What a render leaves: named layers, and a manifest that says what they are.

Pictures are one file a frame. Layers of values (ids, coverage, light) are one file each, which is mapped into memory:
they are read some ten times a scene, frame by frame.

Worlds: F factual, H factual motion with the removed objects hidden, C counterfactual.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from datagen.codec import read_record
from datagen.settings import LayerSettings

MANIFEST = "manifest.json"
EVIDENCE = "evidence.npz"  # what the mask follows from, in the form of a sample's layers.npz
STACK = ".npy"
PICTURE = ".bmp"  # not packed: most are read once and dropped, and to pack them costs more than a small render
HIDDEN_LAYER = "rgb_hidden"
FINE_MEANING = "luminance by all bounces and many samples, {world}, linear, where H and C may differ by 5 %; else 0"


@dataclass(frozen=True, kw_only=True)
class Layer:
    """What there is of every frame of the clip: pictures uint8 [height, width, 3], or values [height, width]."""

    name: str
    suffix: str  # ".bmp" (sRGB, a file a frame) or ".npy" (all frames)
    width: int
    height: int
    meaning: str
    values: str = ""  # numpy's name of their type, of a layer of values

    def path(self, root: Path, frame: int) -> Path:
        """File of one picture."""
        return root / self.name / f"{frame:04d}{self.suffix}"

    def stack(self, root: Path) -> Path:
        """File of all values, [num_frames, height, width]."""
        return root / f"{self.name}{self.suffix}"


@dataclass(frozen=True, kw_only=True)
class ReuseReport:
    """What it took to render a world only where it differs from another one: C from F, further worlds from C."""

    rendered_share: float  # of all pixels of the clip
    factual_share: float = 1.0  # likewise of the factual video, the key picture included
    num_renders: int
    unmasked_mean: float  # |F - C|, noise smoothed, in levels of 255, where both were rendered and the mask says KEEP
    unmasked_p999: float  # likewise, the 99.9th percentile


@dataclass(frozen=True, kw_only=True)
class RenderManifest:
    """What lies in a render's folder, and how it was made."""

    key: str
    num_frames: int
    layers: tuple[Layer, ...]
    ids: dict[str, int]  # value of each object and person in the id layers; 0 is the room
    device: str
    versions: dict[str, str]
    seconds: dict[str, float]  # wall time by stage
    cpu_seconds: dict[str, float]  # CPU time by stage
    engine_cpu_seconds: float  # of that, inside the engine's render call
    peak_rss_bytes: int
    notes: tuple[str, ...] = ()  # what had to be left out, in words
    reuse: ReuseReport | None = None  # None: all of every picture was rendered
    extra_reuse: dict[str, ReuseReport] = field(default_factory=dict)  # likewise of each layer of `extra_layers`

    def layer(self, name: str) -> Layer:
        """The layer of that name."""
        for layer in self.layers:
            if layer.name == name:
                return layer
        raise KeyError(f"render of {self.key} has no layer '{name}'; there are {[one.name for one in self.layers]}")


def standard_layers(width: int, height: int, light_scale: int) -> tuple[Layer, ...]:
    """The layers that every render leaves."""
    small = (-(-width // light_scale), -(-height // light_scale))

    def picture(name: str, world: str) -> Layer:
        return Layer(name=name, suffix=PICTURE, width=width, height=height, meaning=f"{world}, denoised, sRGB")

    def full(name: str, values: str, meaning: str) -> Layer:
        return Layer(name=name, suffix=STACK, width=width, height=height, meaning=meaning, values=values)

    def light(name: str, world: str) -> Layer:
        meaning = f"luminance by direct light, one bounce and one reflection, {world}, linear"
        return Layer(name=name, suffix=STACK, width=small[0], height=small[1], meaning=meaning, values="float32")

    return (
        picture("rgb_factual", "F"),
        picture("rgb_counterfactual", "C"),
        full("removed_coverage", "uint8", "share of the pixel's footprint that shows a removed object in F, in 255ths"),
        full("moved_hidden", "uint8", "likewise an object that is elsewhere in the other world, in H"),
        full("moved_counterfactual", "uint8", "likewise in C"),
        full("ids_hidden", "uint16", "object id at the pixel centre in H"),
        full("ids_counterfactual", "uint16", "object id at the pixel centre in C"),
        light("light_factual", "F"),
        light("light_hidden", "H"),
        light("light_counterfactual", "C"),
        full("fine_hidden", "float32", FINE_MEANING.format(world="H")),
        full("fine_counterfactual", "float32", FINE_MEANING.format(world="C")),
    )


def extra_layers(settings: LayerSettings, width: int, height: int) -> tuple[Layer, ...]:
    """The pictures of further worlds that a spec asks for."""
    meanings = {HIDDEN_LAYER: "H, denoised, sRGB"} if settings.hidden else {}
    for index in range(settings.perturbed):
        meanings[perturbed_layer(index)] = f"C from start {index} within measurement noise, denoised, sRGB"
    return tuple(
        Layer(name=name, suffix=PICTURE, width=width, height=height, meaning=meaning)
        for name, meaning in meanings.items()
    )


def perturbed_layer(index: int) -> str:
    """Name of the pictures of a perturbed counterfactual."""
    return f"rgb_perturbed_{index}"


def read_manifest(root: Path) -> RenderManifest:
    """The manifest of a finished render."""
    return read_record(RenderManifest, root / MANIFEST)
