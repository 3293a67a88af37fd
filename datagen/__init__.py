"""voidgen's pipeline: counterfactual video pairs with physics run again. Imports no engine."""

from importlib.metadata import PackageNotFoundError, version

try:
    __version__ = version("voidgen")
except PackageNotFoundError:  # a source tree that was never installed
    __version__ = "0+unknown"

__all__ = ["__version__"]
