"""One clip of a synthetic scene: a stick is removed, and the box that it held falls instead of staying up."""

from __future__ import annotations

import pytest

from datagen.evalset_files import read_evalset
from inference.cases import load_case
from inference.metrics.api import Case
from tests.inference.tiny_evalset import make_evalset


@pytest.fixture(scope="session")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    root = make_evalset(tmp_path_factory.mktemp("metrics") / "evalset", ("falling_a",))
    return load_case(read_evalset(root)[1][0])
