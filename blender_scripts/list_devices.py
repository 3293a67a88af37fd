"""Say what Cycles could compute on: `python -m blender_scripts.list_devices JOB.json OUT` writes OUT/devices.json.

{"version": Blender's version, "gpus": {kind: [names]}, "taken": what a render with the job's settings would use}
Fails as a render would where those settings ask for what is not there.
"""

from __future__ import annotations

from pathlib import Path

import bpy

from blender_scripts.devices import GPUS, check_engine, devices_of, take_device
from datagen.codec import read_record, write_json
from datagen.entry import serve
from datagen.jobs import ListDevicesJob
from datagen.settings import RenderSettings


def main(job_path: Path, out: Path) -> None:
    """Serve one `ListDevicesJob`."""
    settings = read_record(ListDevicesJob, job_path).settings
    if settings is not None:
        check_engine(settings.engine)
    taken = str(take_device(settings or RenderSettings(), ""))
    gpus = {str(kind): names for kind in GPUS if (names := devices_of(kind))}
    write_json(out / "devices.json", {"version": bpy.app.version_string, "gpus": gpus, "taken": taken})


if __name__ == "__main__":
    serve(main)
