"""See whether Blender can be loaded; as root on Debian or Ubuntu install the libraries that it lacks, else say how."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from datagen.system_libraries import INSTALL_COMMAND, PACKAGES, blender_error, lacks_library


def main() -> None:
    """Exit code 0 if Blender loads in the end."""
    error = blender_error()
    if lacks_library(error) and os.geteuid() == 0 and shutil.which("apt-get"):
        print(f"Blender needs system libraries ({error}); installing them with apt-get")
        subprocess.run(["apt-get", "update", "-qq"], check=True)
        subprocess.run(["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES], check=True)
        error = blender_error()
    if error:
        sys.exit(f"Blender cannot be loaded: {error}\non Debian or Ubuntu: {INSTALL_COMMAND}")


if __name__ == "__main__":
    main()
