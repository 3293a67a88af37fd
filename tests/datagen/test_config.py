"""Presets, overrides and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from datagen.config import Config, differing_keys, resolve_config
from datagen.errors import ConfigError


@pytest.mark.parametrize(
    ("preset", "height", "width", "num_frames", "samples"),
    [("preview", 192, 336, 24, 2), ("standard", 384, 672, 60, 4), ("void", 384, 672, 85, 8)],
)
def test_presets(preset: str, height: int, width: int, num_frames: int, samples: int) -> None:
    config = resolve_config(preset)
    assert (config.render.height, config.render.width, config.render.samples) == (height, width, samples)
    assert (config.clips.num_frames, config.clips.fps) == (num_frames, 12.0)


def test_defaults_are_the_standard_preset() -> None:
    assert resolve_config("standard") == Config()


def test_the_last_word_wins() -> None:
    config = resolve_config(
        "preview", ["render.samples=16", "render.samples=3", "clips.fps=24", "masks.policy=effects"], 7
    )
    assert (config.render.samples, config.clips.fps, config.masks.policy, config.seed) == (3, 24.0, "effects", 7)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("render.sample=3", "did you mean 'render.samples'"),
        ("rendr.samples=3", "unknown key 'rendr'"),
        ("render.samples=lots", "expected a whole number (default 2), found 'lots'"),
        ("render.samples=2.5", "expected a whole number"),
        ("render.samples=true", "expected a whole number"),
        ("render.denoise=1", "expected true or false"),
        ("render.samples=0", "expected 1 to 65536, found 0"),
        ("clips.fps=0", "expected 0.1 to 1000"),
        ("clips.fps=nan", "expected a number (default 12.0), found nan"),
        ("render.width=97", "even number"),
        ("masks.policy=voi", "did you mean 'void'"),
        ("camera.pace=dollly", "did you mean 'dolly'"),
        ("camera.paces.pann=1", "did you mean 'camera.paces.pan'"),
        ("camera.paces={static=0, dolly=0, pan=0, orbit=0, handheld=0}", "a share above 0"),
        ("camera.aperture_f=0.3", "0 (all is sharp) or an f-number from 0.95, found 0.3"),
        ("camera.shutter=1.5", "expected 0 to 1, found 1.5"),
        ("render=3", "expected a table of settings"),
        ("samples", "expected KEY=VALUE"),
    ],
)
def test_bad_overrides(override: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_config("preview", [override])
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_bad_presets(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="did you mean 'preview'"):
        resolve_config("previw")
    with pytest.raises(ConfigError, match="no such preset or file"):
        resolve_config(str(tmp_path / "none.toml"))
    broken = tmp_path / "broken.toml"
    broken.write_text("[render\n")
    with pytest.raises(ConfigError, match="not readable TOML"):
        resolve_config(str(broken))
    unknown = tmp_path / "unknown.toml"
    unknown.write_text("[render]\nspp = 3\n")
    with pytest.raises(ConfigError, match=r"unknown key 'render\.spp'"):
        resolve_config(str(unknown))


def test_differences_are_named_with_both_values() -> None:
    assert differing_keys(resolve_config("preview"), resolve_config("preview", ["render.samples=3"])) == [
        "render.samples (2 -> 3)"
    ]
