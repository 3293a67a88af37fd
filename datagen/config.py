"""Run settings: defaults here, presets as differences in configs/*.toml, the last word on the command line."""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from datagen.codec import dump_json, parse_record
from datagen.errors import ConfigError, DataError, did_you_mean
from datagen.quadmask import Policy
from datagen.settings import MIXED_PACE, CameraSettings, LayerSettings, PhysicsSettings, RenderSettings
from datagen.splits import check_split
from datagen.wishes import Pace

PRESETS = Path(__file__).parent / "configs"


@dataclass(frozen=True, kw_only=True)
class ClipSettings:
    """Which stretches of a sequence become samples."""

    num_frames: int = 60
    fps: float = 12.0
    per_sequence: int = 4  # at most so many clips of one sequence
    effect_share: float = (
        0.85  # of clips in which something moves differently; the rest show no effect, where there are
    )
    touched_later_share: float = 0.2  # of those with an effect that begin while all is at rest, where there are
    max_overlap: float = 0.5  # of two clips of one sequence, as a share of the clip


@dataclass(frozen=True, kw_only=True)
class HumotoSettings:
    """Which sequences are taken, and what HUMOTO's files do not say themselves."""

    mocap_fps: float = 30.0  # the files are tagged 24; they were captured at 30
    split: str = "train"  # of sequences and environment maps: train, test or all


@dataclass(frozen=True, kw_only=True)
class KubricSettings:
    """Which collision scenes are drawn, and from what."""

    families: str = ""  # names with commas between them; "": all, in turn
    split: str = "train"  # of assets and environment maps: train, test or all
    null_share: float = 0.15  # of scenes in which the removed objects touch nothing


@dataclass(frozen=True, kw_only=True)
class LookSettings:
    """What of the user's own the rooms are made of; see `look_inputs`."""

    hdri: str = ""  # folder of environment maps; "": those of Blender's wheel
    textures: str = ""  # folder of PBR textures for floors and walls; "": procedural ones alone


@dataclass(frozen=True, kw_only=True)
class MaskSettings:
    """How the quadmask is derived from the layers."""

    policy: Policy = Policy.VOID


@dataclass(frozen=True, kw_only=True)
class PackSettings:
    """How samples become shards."""

    samples_per_shard: int = 64


@dataclass(frozen=True, kw_only=True)
class StageResources:
    """What one scene takes while a stage works on it."""

    cpus: int = 0  # cores held, and threads of the process; 0: this machine's shared among its workers
    memory_gb: float = 1.0  # reserved, so that not more scenes run at a time than fit
    memory_limit_gb: float = 6.0  # a process that holds more is killed; 0: no limit
    gpus: float = 0.0  # share of one GPU, the only one that the process sees; with Ray


@dataclass(frozen=True, kw_only=True)
class ResourceSettings:
    """Per stage; these decide how a run uses machines, not what it makes: a resumed run may change them."""

    simulate: StageResources = field(default_factory=StageResources)
    render: StageResources = field(default_factory=StageResources)
    compose: StageResources = field(default_factory=StageResources)


@dataclass(frozen=True, kw_only=True)
class Config:
    """Everything that decides what a run's samples are. Equal configs on equal inputs give equal data."""

    seed: int = 0
    clips: ClipSettings = field(default_factory=ClipSettings)
    humoto: HumotoSettings = field(default_factory=HumotoSettings)
    kubric: KubricSettings = field(default_factory=KubricSettings)
    physics: PhysicsSettings = field(default_factory=PhysicsSettings)
    render: RenderSettings = field(default_factory=RenderSettings)
    camera: CameraSettings = field(default_factory=CameraSettings)
    looks: LookSettings = field(default_factory=LookSettings)
    layers: LayerSettings = field(default_factory=LayerSettings)
    masks: MaskSettings = field(default_factory=MaskSettings)
    pack: PackSettings = field(default_factory=PackSettings)
    resources: ResourceSettings = field(default_factory=ResourceSettings)


MIN_APERTURE_F = 0.95  # the fastest lenses that are sold
RESOURCES = "resources"  # the one table that no sample depends on

LIMITS: Mapping[str, tuple[float, float]] = {
    "seed": (0, 2**32 - 1),
    "clips.num_frames": (2, 100_000),
    "clips.fps": (0.1, 1000),
    "clips.per_sequence": (1, 10_000),
    "clips.effect_share": (0, 1),
    "clips.touched_later_share": (0, 1),
    "clips.max_overlap": (0, 1),
    "humoto.mocap_fps": (1, 1000),
    "kubric.null_share": (0, 1),
    "physics.substep_hz": (120, 100_000),
    "physics.settle_s": (0.05, 10),
    "physics.perturbed": (0, 64),
    "physics.timeout_s": (1, math.inf),
    "layers.perturbed": (0, 64),
    "render.width": (32, 8192),
    "render.height": (32, 8192),
    "render.samples": (1, 65_536),
    "render.max_bounces": (0, 64),
    "render.light_samples": (1, 65_536),
    "render.fine_light_samples": (1, 65_536),
    "render.light_scale": (1, 8),
    "render.timeout_s": (1, math.inf),
    "camera.aperture_f": (0, 64),
    "camera.shutter": (0, 1),
    **{f"camera.paces.{pace}": (0, math.inf) for pace in Pace},
    "pack.samples_per_shard": (1, 1_000_000),
    **{
        f"{RESOURCES}.{stage}.{name}": limits
        for stage in ("simulate", "render", "compose")
        for name, limits in {
            "cpus": (0.0, 1024.0),
            "memory_gb": (0.0, 4096.0),
            "memory_limit_gb": (0.0, 4096.0),
            "gpus": (0.0, 1.0),
        }.items()
    },
}


def resolve_config(
    presets: str | Sequence[str] = "standard", overrides: Sequence[str] = (), seed: int | None = None
) -> Config:
    """Defaults, then presets or TOML files in order, then `--set key=value` in order, then `--seed`.

    Raises `ConfigError` for an unknown key (with the nearest one), a wrong type or a value out of range.
    """
    values = _plain(Config())
    names = []
    for preset in [presets] if isinstance(presets, str) else presets:
        name, differences = load_preset(preset)
        _merge(values, differences, name)
        names.append(name)
    for override in overrides:
        _merge(values, _parse_override(override), f"--set {override}")
    if seed is not None:
        values["seed"] = seed
    return check_limits(_build(values, ", ".join(names)))


def load_preset(preset: str) -> tuple[str, dict[str, Any]]:
    """Name and differences of a preset (`preview`) or of a TOML file (`my.toml`)."""
    path = Path(preset) if preset.endswith(".toml") else PRESETS / f"{preset}.toml"
    try:
        return str(path), tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = [file.stem for file in PRESETS.glob("*.toml")]
        raise ConfigError(
            f"--config {preset}: no such preset or file{did_you_mean(preset, known)} (or the path of a .toml file)"
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
        raise ConfigError(f"--config {path}: not readable TOML: {error}") from None


def differing_keys(first: Config, second: Config) -> list[str]:
    """Dotted names of the settings in which what two configs make differs, with both values."""
    left, right = _flatten(data_settings(first)), _flatten(data_settings(second))
    return [f"{key} ({left[key]} -> {right[key]})" for key in left if left[key] != right.get(key)]


def data_settings(config: Config) -> dict[str, Any]:
    """All settings on which a run's samples depend, as plain tables; their hash names a configuration."""
    return {name: table for name, table in _plain(config).items() if name != RESOURCES}


def check_limits(config: Config) -> Config:
    """`config` itself; raises `ConfigError` for the first value that no run could use."""
    values = _flatten(_plain(config))
    for key, (low, high) in LIMITS.items():
        if not low <= values[key] <= high:
            raise ConfigError(f"'{key}': expected {low:g} to {high:g}, found {values[key]}")
    check_paces(config.camera)
    for key in ("humoto.split", "kubric.split"):
        check_split(values[key], f"'{key}'")
    if config.layers.perturbed > config.physics.perturbed:
        raise ConfigError(
            f"'layers.perturbed': cannot render {config.layers.perturbed} perturbed simulations of "
            f"{config.physics.perturbed}; set physics.perturbed to as many or more"
        )
    for key in ("render.width", "render.height"):
        if values[key] % 2:
            raise ConfigError(
                f"'{key}': expected an even number (H.264 stores colour by 2x2 pixels), found {values[key]}"
            )
    return config


def check_paces(camera: CameraSettings) -> None:
    """Raise `ConfigError` for an unknown pace, and for shares of which none is above 0."""
    known = [MIXED_PACE, *(pace.value for pace in Pace)]
    if camera.pace not in known:
        raise ConfigError(f"'camera.pace': unknown pace '{camera.pace}'{did_you_mean(camera.pace, known)}")
    if not sum(dataclasses.asdict(camera.paces).values()) > 0:
        raise ConfigError("'camera.paces': expected a share above 0 for one of them at least, found none")
    if 0 < camera.aperture_f < MIN_APERTURE_F:
        raise ConfigError(
            f"'camera.aperture_f': expected 0 (all is sharp) or an f-number from {MIN_APERTURE_F:g}, found "
            f"{camera.aperture_f:g}"
        )


def _plain(config: Config) -> dict[str, Any]:
    return dataclasses.asdict(config)


def _flatten(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, Mapping):
            flat |= _flatten(value, f"{prefix}{key}.")
        else:
            flat[prefix + key] = value
    return flat


def _parse_override(override: str) -> dict[str, Any]:
    """`render.samples=16` as nested tables; a value that is no TOML counts as a bare string."""
    key, separator, text = override.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"--set {override}: expected KEY=VALUE, e.g. --set render.samples=16")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    tables: dict[str, Any] = {}
    inner = tables
    *path, last = key.strip().split(".")
    for part in path:
        inner = inner.setdefault(part, {})
    inner[last] = value
    return tables


def _merge(values: dict[str, Any], differences: Mapping[str, Any], where: str, prefix: str = "") -> None:
    """Lay `differences` over `values` in place; unknown keys and tables in the place of values are errors."""
    for key, value in differences.items():
        name = prefix + key
        if key not in values:
            known = list(_flatten(values, prefix)) + [prefix + one for one in values]
            raise ConfigError(f"{where}: unknown key '{name}'{did_you_mean(name, known)}")
        if isinstance(values[key], dict) != isinstance(value, Mapping):
            expected = "a table of settings" if isinstance(values[key], dict) else f"a value like {values[key]!r}"
            raise ConfigError(f"{where}: '{name}': expected {expected}, found {value!r}")
        if isinstance(value, Mapping):
            _merge(values[key], value, where, f"{name}.")
        else:
            _check_type(value, values[key], name, where)
            values[key] = value


def _check_type(value: Any, default: Any, name: str, where: str) -> None:
    """A whole number does for a float; nothing else is converted."""
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        return
    if isinstance(default, StrEnum):
        known = [one.value for one in type(default)]
        if value not in known:
            raise ConfigError(f"{where}: '{name}': unknown value {value!r}{did_you_mean(str(value), known)}")
    elif type(value) is not type(default) or (isinstance(value, float) and not math.isfinite(value)):
        raise ConfigError(f"{where}: '{name}': expected {_type_name(default)} (default {default!r}), found {value!r}")


def _type_name(value: Any) -> str:
    return {bool: "true or false", int: "a whole number", float: "a number", str: "a string"}[type(value)]


def _build(values: Mapping[str, Any], where: str) -> Config:
    """The record; JSON text makes whole numbers floats where floats are wanted."""
    try:
        return parse_record(Config, dump_json(values), where)
    except (DataError, ValueError) as error:
        raise ConfigError(str(error)) from None
