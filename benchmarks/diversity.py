"""How different planned scenes look: spread of every drawn value, values within limits, no two scenes alike.

    .venv/bin/python benchmarks/diversity.py [--data DIR] [--gso DIR] [--hdri DIR] [--textures DIR] [--count 100]
                                             [--into docs/LOOK.md]

Plans `--count` scenes of each source through the command line and reads their specs; the embedded demo data and
objects where no folder is given. Exits with 1 when two scenes look alike or a value is beyond its limits. With `--into`
the table replaces what stands between the two marks of that file.
"""

from __future__ import annotations

import argparse
import json
import math
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from datagen.looks import FLOORS, LIGHTS, SURFACE_SHARES, WALLS
from datagen.wishes import LightKind, Pace, RoomKind

BEGIN, END = "<!-- table -->", "<!-- end of table -->"
PARTS = ("camera", "light", "room", "floor", "wall", "people")
HIDDEN = (
    "seed",
    "path_seed",
    "sha256",
    "environment_sha256",
    "file",
    "node",
    "name",
    "path",
    "mocap_fps",
    "sensor_width_mm",
)
# a planning of many scenes from few recordings: short clips that may overlap
MANY = ("clips.num_frames=24", "clips.per_sequence=1000", "clips.max_overlap=0.98", "clips.effect_share=1.0")
TURN = (-math.pi, math.pi)


def span(values: list[tuple[float, float]]) -> tuple[float, float]:
    """The range that holds all of some ranges."""
    return min(low for low, _ in values), max(high for _, high in values)


ELEVATIONS = [kind.elevation_deg for kind in LIGHTS.values()]
LIMITS: Mapping[str, tuple[float, float]] = {
    "camera.focal_length_mm": (24.0, 60.0),
    "camera.height_m": (0.5, 2.0),
    "camera.azimuth_rad": TURN,
    "light.key_azimuth_rad": TURN,
    "light.key_elevation_rad": span([(math.radians(a), math.radians(b)) for a, b in ELEVATIONS]),
    "light.key_temperature_k": span([kind.temperature_k for kind in LIGHTS.values()]),
    "light.key_size_m": span([kind.size_m for kind in LIGHTS.values()]),
    "light.key_strength": span([kind.strength for kind in LIGHTS.values()]),
    "light.fill_strength": span([kind.fill for kind in LIGHTS.values()]),
    "floor.roughness": span([ranges[2] for ranges in FLOORS.values()]),
    "wall.roughness": span([ranges[2] for ranges in WALLS.values()]),
    **{f"{part}.color (luminance)": (0.04, 0.8) for part in ("floor", "wall")},
}
KNOWN: Mapping[str, set[str]] = {
    "camera.pace": {pace.value for pace in Pace},
    "light.kind": {kind.value for kind in LightKind},
    "room.kind": {kind.value for kind in RoomKind},
    "floor.kind": set(FLOORS),
    "wall.kind": set(WALLS),
}


def plan(options: argparse.Namespace, scratch: Path) -> list[dict[str, Any]]:
    """Specs of both sources, as plain JSON."""
    data = options.data
    if data is None:
        data = scratch / "demo"
        subprocess.run([sys.executable, "-m", "datagen.cli", "demo-data", str(data)], check=True, capture_output=True)
    own = [
        part
        for name in ("hdri", "textures")
        if getattr(options, name)
        for part in (f"--{name}", getattr(options, name))
    ]
    many = [part for setting in MANY for part in ("--set", setting)]
    sources = {
        "humoto": ["--data", str(data), *many, "--set", "humoto.split=all"],
        "kubric": [*(["--gso", options.gso] if options.gso else []), "--set", "kubric.split=all"],
    }
    specs = []
    for source, arguments in sources.items():
        out = scratch / source
        command = [sys.executable, "-m", "datagen.cli", "plan", source, "--out", str(out), *arguments, *own]
        subprocess.run([*command, "--limit", str(options.count)], check=True, capture_output=True)
        specs += [json.loads(path.read_text()) for path in sorted((out / "specs").glob("*.json"))]
    return specs


def values_of(node: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and values of a spec's looks; a colour (linear RGB) is its luminance."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key not in HIDDEN:
                yield from values_of(value, f"{name}.{key}" if name else key)
    elif isinstance(node, list) and len(node) == 3 and all(isinstance(channel, float) for channel in node):
        yield f"{name} (luminance)", float(np.dot(node, (0.2126, 0.7152, 0.0722)))
    elif isinstance(node, list):
        for value in node:
            yield from values_of(value, name)
    elif isinstance(node, (str, int, float)) and not isinstance(node, bool):
        yield name, node


def faults(specs: list[dict[str, Any]]) -> list[str]:
    """Values beyond their limits, and scenes that look alike."""
    found = []
    for spec in specs:
        for name, value in values_of({part: spec[part] for part in PARTS}):
            if name in LIMITS and not LIMITS[name][0] - 1e-9 <= value <= LIMITS[name][1] + 1e-9:
                found.append(f"{spec['key']}: {name} is {value}, expected {LIMITS[name][0]:g} to {LIMITS[name][1]:g}")
            if name in KNOWN and value not in KNOWN[name]:
                found.append(f"{spec['key']}: {name} is '{value}', expected one of {sorted(KNOWN[name])}")
        room = RoomKind(spec["room"]["kind"])
        for part in ("floor", "wall"):
            if spec[part]["kind"] not in SURFACE_SHARES[part][room]:
                found.append(f"{spec['key']}: a {room} has no {part} of {spec[part]['kind']}")
    looks = Counter(json.dumps([spec[part] for part in PARTS if part != "people"]) for spec in specs)
    alike = sum(count - 1 for count in looks.values())
    return found + ([f"{alike} scenes look like another one"] if alike else [])


def table(specs: list[dict[str, Any]]) -> str:
    """One row a drawn value: its spread, or how often each word comes."""
    gathered: dict[str, list[Any]] = {}
    for spec in specs:
        for name, value in values_of({part: spec[part] for part in PARTS}):
            gathered.setdefault(name, []).append(value)
    rows = ["| drawn | distinct | spread |", "|---|---|---|"]
    for name, values in gathered.items():
        distinct = len(set(values))
        if isinstance(values[0], str):
            words = Counter(Path(value).name or "plain sky" for value in values)
            spread = ", ".join(f"{word} {count}" for word, count in words.most_common(9))
        else:
            low, tenth, middle, ninetieth, high = np.quantile(np.array(values, dtype=float), (0, 0.1, 0.5, 0.9, 1))
            spread = f"{low:.3g} .. {tenth:.3g} .. **{middle:.3g}** .. {ninetieth:.3g} .. {high:.3g}"
        if distinct > 1:
            rows.append(f"| {name} | {distinct} | {spread} |")
    return "\n".join(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--gso", default="")
    parser.add_argument("--hdri", default="")
    parser.add_argument("--textures", default="")
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--into", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        specs = plan(options, Path(scratch))
    text = table(specs)
    print(f"{len(specs)} scenes: least, tenth, median, ninetieth of a hundred, greatest\n\n{text}")
    if options.into is not None:
        before, rest = options.into.read_text().split(BEGIN)
        options.into.write_text(f"{before}{BEGIN}\n{text}\n\n{END}{rest.split(END)[1]}")
    found = faults(specs)
    print("\n".join(found) or "no two scenes alike; every value within its limits")
    sys.exit(1 if found or len(specs) < 2 * options.count else 0)


if __name__ == "__main__":
    main()
