# SPDX-License-Identifier: GPL-2.0-only
"""
The live tests: real connections in network namespaces, told by connlife.
Run as root: /usr/bin/python3 -m pytest tests/live

Without root, the program or a tool they skip and say why.
"""
import os
import shutil
import signal
import stat
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from netlab import DEVICE, remove_stale  # noqa: E402
from stage import Lab  # noqa: E402
from tracer import PROGRAM, Tracer, kernel_hides_hooks  # noqa: E402
from watching import Watch  # noqa: E402
from wire import Tap  # noqa: E402
from world import World  # noqa: E402

TOOLS = ("ip", "ss", "nft", "unshare", "setpriv", "mount")

# The scenarios are judged when their TIME_WAITs are over: nearly last. The
# storm comes after them, so that nobody else's events are lost in it; the tests
# of packets, which make much traffic of their own, disturb neither. What looks
# at all sockets of the host again and again comes when few namespaces are left.
LATE_MODULES = {"test_scenarios": 1, "test_storm": 2, "test_twin": 2,
                "test_openings": 3, "test_releases": 3, "test_packets": 3,
                "test_stuck": 4, "test_top": 4, "test_top_unread": 4, "test_export": 4,
                "test_export_files": 4, "test_prometheus": 4, "test_hist": 4,
                "test_faults": 5, "test_faults_ring": 5, "test_faults_pipe": 5,
                "test_faults_others": 5, "test_faults_owners": 5}


def missing_condition():
    """Why nothing can be tested here, or None."""
    if os.geteuid():
        return "needs root: network namespaces and BPF"
    if not os.access(PROGRAM, os.X_OK):
        return f"{PROGRAM} is not built (make)"
    if not os.path.exists("/sys/kernel/btf/vmlinux"):
        return "this kernel has no BTF (/sys/kernel/btf/vmlinux)"
    tools = [tool for tool in TOOLS if not shutil.which(tool)]
    if tools:
        return f"missing: {' '.join(tools)}"
    return None


def pytest_configure(config):
    """
    A SIGTERM ends the session as Ctrl-C does: what was made is removed. Where the
    kernel itself hides events from every tracer, a test has two more tries.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    if kernel_hides_hooks() and not config.getoption("reruns", True):
        config.option.reruns = 2


def pytest_collection_modifyitems(items):
    reason = missing_condition()
    items.sort(key=lambda item: LATE_MODULES.get(item.module.__name__, 0))
    for item in items:
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(scope="session", autouse=True)
def world(request, tmp_path_factory):
    """The chosen scenarios, played when the session begins; None if none is chosen."""
    names = [item.callspec.params["name"] for item in request.session.items
             if item.module.__name__ == "test_scenarios" and hasattr(item, "callspec")]
    remove_stale()
    if not names:
        yield None
        return
    world = World(str(tmp_path_factory.mktemp("world")), names)
    yield world
    world.end()


@pytest.fixture
def played(request, world, tmp_path):
    """The world of the chosen scenarios; in a second try one with this scenario only."""
    if getattr(request.node, "execution_count", 1) == 1:
        yield world
        return
    again = World(str(tmp_path), [request.node.callspec.params["name"]])
    yield again
    again.end()


@pytest.fixture(scope="session")
def public_program(tmp_path_factory):
    """A copy that anybody may run, wherever the build lies."""
    directory = tmp_path_factory.mktemp("public")
    for part in (directory, directory.parent, directory.parent.parent):
        os.chmod(part, stat.S_IMODE(os.stat(part).st_mode) | 0o055)
    return shutil.copy(PROGRAM, directory / "connlife")


@pytest.fixture
def lab(request):
    """Two namespaces for one test."""
    lab = Lab(request.node.name)
    yield lab
    lab.end()


@pytest.fixture
def trace(tmp_path):
    """trace(name, *arguments) starts connlife and waits until it traces."""
    tracers = []

    def start(name, *arguments, ready=True):
        tracer = Tracer(str(tmp_path), name, *arguments)
        tracers.append(tracer)
        return tracer.wait_ready() if ready else tracer

    yield start
    for tracer in tracers:
        tracer.kill()


@pytest.fixture
def watch(lab, trace, tmp_path):
    """watch(way, *arguments) starts connlife in both namespaces of the lab."""
    return lambda way, *arguments: Watch(lab, trace, way, arguments, str(tmp_path))


@pytest.fixture
def tap(lab):
    """tap(side) sees what the device there sends and receives."""
    taps = []

    def start(side, device=DEVICE):
        taps.append(Tap(side, device))
        return taps[-1]

    yield start
    for one in taps:
        one.close()
