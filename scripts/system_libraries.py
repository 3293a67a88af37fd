"""See whether Blender can be loaded; as root on Debian or Ubuntu install the libraries that it lacks, else say how."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

PACKAGES = [
    f"lib{name}" for name in ("x11-6", "xrender1", "xfixes3", "xi6", "xkbcommon0", "xext6", "sm6", "ice6", "gl1")
]


def blender_error() -> str:
    """Last line of what `import bpy` says, or "" when it works."""
    result = subprocess.run([sys.executable, "-c", "import bpy"], capture_output=True, text=True, check=False)
    return "" if result.returncode == 0 else (result.stderr.strip().splitlines() or ["import bpy failed"])[-1]


def main() -> None:
    """Exit code 0 if Blender loads in the end."""
    error = blender_error()
    if error and "cannot open shared object" in error and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Blender needs system libraries ({error}); installing them with apt-get")
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES], check=True)
        error = blender_error()
    if error:
        sys.exit(f"Blender cannot be loaded: {error}\non Debian or Ubuntu: sudo apt-get install {' '.join(PACKAGES)}")


if __name__ == "__main__":
    main()
