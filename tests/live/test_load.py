# SPDX-License-Identifier: GPL-2.0-only
"""The load generator does what it is told, by its own count and by the kernel's."""
import json
import os
import subprocess

import pytest

from load import LOAD
from stage import Lab

LOAD_S = 60


@pytest.fixture
def side():
    lab = Lab("load")
    yield lab.c
    lab.end()


def run_load(side, *arguments):
    if not os.access(LOAD, os.X_OK):
        pytest.skip(f"{LOAD} is not built")
    with side.entered():
        done = subprocess.run([LOAD, "--clients", "2", *arguments], stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=LOAD_S, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def tcp_counts(side):
    """Of /proc/net/snmp, since the namespace was made."""
    with side.entered(), open("/proc/thread-self/net/snmp", encoding="ascii") as file:
        names, values = (line.split()[1:] for line in file if line.startswith("Tcp:"))
    return dict(zip(names, map(int, values)))


@pytest.mark.parametrize("closer, resets", [("client", 0), ("server", 0), ("reset", 100)])
def test_storms(side, closer, resets):
    said = run_load(side, "--connections", "100", "--close", closer)
    assert (said["connections"], said["requests"], said["failures"]) == (100, 100, 0)
    counts = tcp_counts(side)
    assert (counts["PassiveOpens"], counts["OutRsts"]) == (100, resets)


def test_refused(side):
    said = run_load(side, "--connections", "100", "--close", "refused")
    assert (said["connections"], said["failures"]) == (100, 0)
    counts = tcp_counts(side)
    assert (counts["AttemptFails"], counts["PassiveOpens"]) == (100, 0)


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_address_and_bytes(side, address):
    said = run_load(side, "--connections", "10", "--bytes", "65536", "--address", address)
    assert (said["connections"], said["requests"]) == (10, 10)


def test_bulk(side):
    said = run_load(side, "--bulk", "3", "--clients", "1")
    assert (said["connections"], said["mebibytes"]) == (1, 3)
    assert tcp_counts(side)["PassiveOpens"] == 1


def test_hold(side):
    said = run_load(side, "--hold", "500", "--clients", "8", "--seconds", "1")
    assert said["connections"] == 500


def test_flood(side):
    """Every SYN is one for the kernel: its checksum is right, and nobody has its address."""
    said = run_load(side, "--flood", "1000")
    assert (said["connections"], said["syns"], said["failures"]) == (0, 1000, 0)
    counts = tcp_counts(side)
    assert counts["InSegs"] >= 1000
    assert (counts["InErrs"], counts["InCsumErrors"], counts["PassiveOpens"]) == (0, 0, 0)


@pytest.mark.parametrize("arguments", [
    ("--hold", "1", "--flood", "1"), ("--bulk", "1", "--rr"), ("--flood", "1", "--ipv6"),
    ("--close", "refused", "--rr"), ("--address", "nowhere")])
def test_wrong_use(arguments):
    if not os.access(LOAD, os.X_OK):
        pytest.skip(f"{LOAD} is not built")
    done = subprocess.run([LOAD, *arguments], stdin=subprocess.DEVNULL, capture_output=True,
                          timeout=LOAD_S, check=False)
    assert done.returncode == 64 and not done.stdout
