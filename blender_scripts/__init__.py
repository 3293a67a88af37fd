"""Everything that imports bpy. Entry points run as `python -m blender_scripts.<name> JOB OUT`, one scene a process."""
