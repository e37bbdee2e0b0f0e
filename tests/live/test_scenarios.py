# SPDX-License-Identifier: GPL-2.0-only
"""Each scenario of scen_*.py: the records of both ends, with and without --whole."""
import pytest

from stage import scenarios


@pytest.mark.parametrize("name", sorted(scenarios()))
def test_scenario(world, name):
    failure = world.lab(name).failure
    assert not failure, f"the scenario itself did not play:\n{failure}"
    world.finish()
    complaints = world.complaints(name, False) + world.complaints(name, True)
    assert not complaints, complaints


def test_nothing_was_lost(world):
    """Both tracers counted every event they were given."""
    if not world:
        pytest.skip("no scenario was chosen")
    world.finish()
    for is_whole in (False, True):
        summary = world.stderr(is_whole).splitlines()
        assert len(summary) == 2, summary
        assert summary[1].endswith(", 0 lost"), summary
