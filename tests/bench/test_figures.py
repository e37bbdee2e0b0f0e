# SPDX-License-Identifier: GPL-2.0-only
"""The bench's bars, and what it adds up, without measuring anything. Needs no root."""
import os
import subprocess
import sys

import pytest

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from figures import bars_of, spread  # noqa: E402
from machine import family_peak_kb, memory_kb  # noqa: E402
from tracers import JSON, LIFE, XDP  # noqa: E402

BPF = "BPF time, of tcplife's"
CPU = "tracer CPU, of tcplife's"
CPU_OF_JSON = "tracer CPU with a JSON record each, of tcplife's line"
SPEED = "storm speed kept"
SPEED_OF_XDP = "storm speed kept, segments by XDP on veth"
REQUESTS = "request/response speed kept"
LOST = "lost, in any run of a storm or flood"


def bar_of(name, cases):
    [found] = [one for one in bars_of(cases) if one["bar"] == name]
    return found


def cases_of(case, row, figure, value):
    return {case: {"tracers": {row: {"lost": spread([0]), figure: spread([value])}}}}


@pytest.mark.parametrize("name, case, row, figure, met, missed", [
    (BPF, "storm", LIFE, "bpf_to_tcplife", 0.166, 0.167),  # 1/6
    (CPU, "storm", LIFE, "cpu_to_tcplife", 0.25, 0.251),
    (CPU_OF_JSON, "storm", JSON, "cpu_to_tcplife", 0.5, 0.501),
    (SPEED, "storm", LIFE, "speed_kept", 0.95, 0.949),
    (SPEED_OF_XDP, "storm", XDP, "speed_kept", 0.9, 0.899),
    (REQUESTS, "rr", LIFE, "speed_kept", 0.98, 0.979),
])
def test_bars(name, case, row, figure, met, missed):
    """As promised, and no softer."""
    assert bar_of(name, cases_of(case, row, figure, met))["met"] is True
    assert bar_of(name, cases_of(case, row, figure, missed))["met"] is False


@pytest.mark.parametrize("case", ["storm", "refused", "64k", "ipv6", "flood"])
@pytest.mark.parametrize("row", [LIFE, "connlife export", XDP])
def test_nothing_may_be_lost(case, row):
    assert bar_of(LOST, cases_of(case, row, "lost", 0))["met"] is True
    assert bar_of(LOST, cases_of(case, row, "lost", 1)) == {
        "bar": LOST, "value": 1, "limit": 0, "met": False}


@pytest.mark.parametrize("case, row", [("storm", "tcplife"), ("bulk", LIFE)])
def test_lost_elsewhere(case, row):
    """By a peer, or under no storm: that is no bar."""
    assert LOST not in [one["bar"] for one in bars_of(cases_of(case, row, "lost", 1))]


def test_not_measured():
    assert bar_of(BPF, cases_of("storm", LIFE, "speed_kept", 1))["met"] is None


def test_peak_of_a_family():
    """connlife is two processes: the keeper counts too."""
    script = "import sys; held = b'x' * (32 << 20); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as child:
        child.stdout.readline()
        alone, together = memory_kb(os.getpid(), "VmHWM"), family_peak_kb(os.getpid())
        child.stdin.close()
    assert together - alone >= 32 << 10
