"""What `import autolect` promises: these names, all of them there, none of them heavy before its use."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import version

import pytest

import autolect


def test_the_public_names_are_these() -> None:
    assert sorted(autolect.__all__) == ["__version__", "load", "read_recipe", "run"]
    assert dir(autolect) == sorted(autolect.__all__)


@pytest.mark.parametrize("name", ["load", "read_recipe", "run"])
def test_every_public_name_is_documented_and_callable(name: str) -> None:
    found = getattr(autolect, name)
    assert callable(found)
    assert found.__doc__


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'lode'"):
        autolect.lode  # noqa: B018


def test_the_version_is_the_installed_one() -> None:
    assert version("autolect") == autolect.__version__


def test_importing_autolect_imports_no_torch() -> None:
    code = "import sys, autolect; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
