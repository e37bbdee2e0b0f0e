# SPDX-License-Identifier: GPL-2.0-only
"""Each scenario of scen_*.py: the records of both ends, with and without --whole."""
import pytest

from stage import scenarios
from tracer import kernel_hides_hooks


@pytest.mark.parametrize("name", sorted(scenarios()))
def test_scenario(played, name):
    failure = played.lab(name).failure
    assert not failure, f"the scenario itself did not play:\n{failure}"
    played.finish()
    complaints = played.complaints(name, False) + played.complaints(name, True)
    assert not complaints, complaints


def test_nothing_was_lost(world):
    """Both tracers counted every event they were given."""
    if not world:
        pytest.skip("no scenario was chosen")
    world.finish()
    for is_whole in (False, True):
        tracer = world.tracer(is_whole)
        unseen = tracer.unseen() if kernel_hides_hooks() else 0
        assert tracer.lost() == unseen, tracer.stderr()
        assert len(tracer.stderr().splitlines()) == 2 + bool(unseen), tracer.stderr()
