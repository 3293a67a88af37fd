"""Say what Cycles could compute on: `python -m blender_scripts.list_devices JOB.json OUT` writes OUT/devices.json.

{"version": Blender's version, "gpus": {kind: [names]}}
"""

from __future__ import annotations

from pathlib import Path

import bpy

from blender_scripts.devices import GPUS, devices_of
from datagen.codec import write_json
from datagen.entry import serve


def main(_: Path, out: Path) -> None:
    """Serve one `ListDevicesJob`."""
    gpus = {str(kind): names for kind in GPUS if (names := devices_of(kind))}
    write_json(out / "devices.json", {"version": bpy.app.version_string, "gpus": gpus})


if __name__ == "__main__":
    serve(main)
