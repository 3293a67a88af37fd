"""Everything that imports kubric: assets, scene sampling, simulation of collision scenes."""
