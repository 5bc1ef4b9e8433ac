"""Plug-ins: a file is a name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from autolect.core import registry
from autolect.core.config import Section
from autolect.core.errors import UserError


@pytest.mark.parametrize("group", sorted(registry.GROUPS))
def test_every_file_is_a_plug_in_with_settings_of_its_own_name(group: str) -> None:
    assert registry.names(group)
    for name in registry.names(group):
        plugin = registry.load(group, name)
        assert issubclass(plugin.config, Section)
        assert plugin.config.model_fields["kind"].default == name
        assert plugin.config.__doc__


def test_an_unknown_name_suggests_a_near_one_and_lists_the_others() -> None:
    with pytest.raises(UserError, match=r"did you mean 'gru'\? known: .*gru"):
        registry.load("encoders", "gruu")


def test_listing_names_imports_none_of_them() -> None:
    code = (
        "import sys\nfrom autolect.core import registry\n"
        "[registry.names(group) for group in registry.GROUPS]\nsys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
