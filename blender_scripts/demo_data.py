"""Write the demo data set in HUMOTO's layout: `python -m blender_scripts.demo_data JOB.json OUT`.

OUT receives `<sequence>/<sequence>.fbx` and `.yaml`.
"""

import json
from pathlib import Path

import numpy as np

from blender_scripts.demo_acts import ACTS, make_take
from blender_scripts.demo_fbx import write_fbx
from blender_scripts.demo_take import Take
from datagen.codec import read_record
from datagen.entry import serve
from datagen.errors import DataError, did_you_mean
from datagen.jobs import DemoJob

__all__ = ["main"]


def main(job: Path, out: Path) -> None:
    """Serve one `DemoJob`; raises `DataError` for a name that does not exist."""
    wanted = read_record(DemoJob, job)
    for name in wanted.sequences if wanted.sequences is not None else tuple(ACTS):
        if name not in ACTS:
            raise DataError(f"no demo sequence '{name}'{did_you_mean(name, ACTS)}")
        take = make_take(name, np.random.default_rng([wanted.seed, list(ACTS).index(name)]))
        folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        write_fbx(take, folder / f"{name}.fbx")
        (folder / f"{name}.yaml").write_text(description(take))


def description(take: Take) -> str:
    """HUMOTO's description of a sequence; JSON strings are YAML strings."""
    fields = {
        "name": take.name,
        "data_set": "demo",
        "license": "CC0-1.0",
        "description": take.long_script,
        "short_script": take.short_script,
        "long_script": take.long_script,
        "objects": [prop.name for prop in take.props],
    }
    return "".join(f"{key}: {json.dumps(value)}\n" for key, value in fields.items())


if __name__ == "__main__":
    serve(main)
