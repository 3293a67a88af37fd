"""From what a user typed to a job: settings, weights and names are checked before anything is loaded."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

from datagen.codec import dump_json, parse_record
from datagen.errors import ConfigError, did_you_mean
from inference.checkpoints import check_transformer, is_untrained, read_base
from inference.inputs import Clip
from inference.memory import MemoryMode
from inference.outputs import clean_partials, fingerprint
from inference.run import PASS1_FOLDER, RunJob, Weights
from inference.settings import Settings
from inference.speed import Speed, check_speed, default_speed

AUTO = "auto"


def make_job(
    clips: list[Clip],
    out: Path,
    base: Path | None,
    pass1: Path | None,
    pass2: Path | None,
    baseline: str,
    overrides: list[str],
    seed: int,
    memory: str,
    device: str,
    speed: str = AUTO,
) -> RunJob:
    """The job of a command line; `UserError` with one line for whatever is wrong with it."""
    mode = _memory(memory)
    weights = None if baseline else _weights(base, pass1, pass2)
    if baseline:
        _check_baseline(baseline)
    if out.is_file():
        raise ConfigError(f"--out {out} is a file; expected a folder")
    job = RunJob(
        clips=tuple(clips),
        out=out.resolve(),
        settings=parse_settings(overrides, seed),
        weights=weights,
        baseline=baseline,
        memory=mode,
        speed=Speed.EXACT if baseline else _speed(speed, device),
        device=device,
    )
    for folder in (job.out, job.out / PASS1_FOLDER):
        clean_partials(folder)
    return job


def parse_settings(overrides: list[str], seed: int) -> Settings:
    """Defaults, then each `name=value`; raises `ConfigError` or `DataError` for what no setting takes."""
    values = asdict(Settings(seed=seed))
    for override in overrides:
        name, separator, value = override.partition("=")
        if not separator or name not in values:
            raise ConfigError(f"--set {override}: expected NAME=VALUE{did_you_mean(name, values)}")
        values[name] = value if isinstance(values[name], str) else _json_value(value)
    return parse_record(Settings, dump_json(values), "--set")


def _json_value(text: str) -> object:
    try:
        return json.loads(text.lower())
    except json.JSONDecodeError:
        return text


def _weights(base: Path | None, pass1: Path | None, pass2: Path | None) -> Weights:
    """The user's files, every header checked."""
    if base is None or pass1 is None:
        lacking = "--base" if base is None else "--pass1"
        raise ConfigError(
            f"{lacking} is missing: name the folder CogVideoX-Fun-V1.5-5b-InP and void_pass1.safetensors (docs/VOID.md "
            "says where they are), make untrained ones with `python -m inference tiny-model DIR`, or use --baseline"
        )
    config = read_base(base)
    checkpoints = [path for path in (pass1, pass2) if path is not None]
    for path in checkpoints:
        check_transformer(config, path)
    return Weights(
        base=base.resolve(),
        pass1=pass1.resolve(),
        pass2=pass2.resolve() if pass2 else None,
        fingerprints=tuple(fingerprint(path) for path in checkpoints),
        untrained=config.untrained or any(is_untrained(path) for path in checkpoints),
    )


def _check_baseline(name: str) -> None:
    from inference.baselines import BASELINES

    if name not in BASELINES:
        raise ConfigError(f"unknown baseline '{name}'{did_you_mean(name, BASELINES)}")


def _memory(name: str) -> MemoryMode:
    try:
        return MemoryMode(name)
    except ValueError:
        raise ConfigError(f"--memory {name}{did_you_mean(name, [str(mode) for mode in MemoryMode])}") from None


def _speed(name: str, device: str) -> Speed:
    """The speed asked for, or what suits the device."""
    if name == AUTO:
        return default_speed(device)
    try:
        speed = Speed(name)
    except ValueError:
        raise ConfigError(f"--speed {name}{did_you_mean(name, [AUTO, *map(str, Speed)])}") from None
    check_speed(speed, device)
    return speed
