"""Render passes as data: what each shows of a scene, and how Cycles is set for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum

from datagen.light_change import fine_samples, first_samples
from datagen.settings import RenderSettings
from datagen.spec import World

RED = (1.0, 0.0, 0.0)
LUMINANCE = (0.2126, 0.7152, 0.0722)
LIGHT_BOUNCES = 1
TAPS = 3  # a pixel's side, of marks, rendered as pixels of a larger picture: see `datagen.regions.footprint`
FILTER_PX = 1.5  # Cycles' default Blackman-Harris width
CENTRE_PX = 0.01  # narrowest filter that Cycles takes: rays go through pixel centres


class Kind(StrEnum):
    """What a pass sees."""

    LOOK = "look"  # the picture
    LIGHT = "light"  # the picture in little: direct light, one bounce, one reflection
    MARKS = "marks"  # red: id of the first object that stays, green: surfaces of removed objects in front of it


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Everything of Cycles that differs between passes."""

    kind: Kind
    width: int
    height: int
    samples: int
    bounces: int
    filter_px: float
    denoise: bool
    blue_noise: bool = False  # errors of neighbours cancel: for what is blurred afterwards


@dataclass(frozen=True, kw_only=True)
class Pass:
    """A layer to render: which world, what is hidden, and how."""

    layer: str
    world: World
    hide_removed: bool
    settings: Settings
    weights: tuple[float, float, float] = RED  # what of the float picture is kept: a sum of its channels
    twin: str = ""  # a layer of equal settings, made before: its picture is copied where it shows the same state


def standard_passes(render: RenderSettings, *, on_gpu: bool = False) -> tuple[Pass, ...]:
    """The passes that make `datagen.layers.standard_layers`, those of equal settings together.

    The pictures come last: what the other layers say decides where the counterfactual one has to be rendered. Likewise
    H's light after that of F and C. Finer light comes by few samples and then, where these leave it open, by
    many; on a GPU, where a render costs more than its samples, by many at once.
    """
    small = (-(-render.width // render.light_scale), -(-render.height // render.light_scale))
    look = Settings(
        kind=Kind.LOOK,
        width=render.width,
        height=render.height,
        samples=render.samples,
        bounces=render.max_bounces,
        filter_px=FILTER_PX,
        denoise=render.denoise,
    )
    light = Settings(
        kind=Kind.LIGHT,
        width=small[0],
        height=small[1],
        samples=render.light_samples,
        bounces=LIGHT_BOUNCES,
        filter_px=FILTER_PX,
        denoise=False,
    )
    fine = replace(
        look,
        kind=Kind.LIGHT,
        samples=fine_samples(render.fine_light_samples, render.width, render.height),
        denoise=False,
        blue_noise=True,
    )
    first = replace(fine, samples=first_samples(fine.samples))
    factual, counterfactual = World.FACTUAL, World.COUNTERFACTUAL
    return (
        Pass(layer="light_factual", world=factual, hide_removed=False, settings=light, weights=LUMINANCE),
        Pass(layer="light_counterfactual", world=counterfactual, hide_removed=True, settings=light, weights=LUMINANCE),
        Pass(
            layer="light_hidden",
            world=factual,
            hide_removed=True,
            settings=light,
            weights=LUMINANCE,
            twin="light_counterfactual",
        ),
        *(
            Pass(layer=layer, world=world, hide_removed=True, settings=level, weights=LUMINANCE)
            for level in ((fine,) if on_gpu or first == fine else (first, fine))
            for layer, world in (("fine_hidden", factual), ("fine_counterfactual", counterfactual))
        ),
        Pass(layer="rgb_factual", world=factual, hide_removed=False, settings=look),
        Pass(layer="rgb_counterfactual", world=counterfactual, hide_removed=True, settings=look),
    )


def mark_settings(render: RenderSettings) -> tuple[Settings, Settings]:
    """How marks are rendered: at pixel centres, and with `TAPS` taps a pixel's side, those in the centre included."""
    centre = Settings(
        kind=Kind.MARKS,
        width=render.width,
        height=render.height,
        samples=1,
        bounces=0,
        filter_px=CENTRE_PX,
        denoise=False,
    )
    return centre, replace(centre, width=TAPS * render.width, height=TAPS * render.height)
