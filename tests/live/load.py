# SPDX-License-Identifier: GPL-2.0-only
"""The tests' side of the load generator: storms of connections in a namespace."""
import os
import subprocess

import pytest

from tracer import PROGRAM

LOAD = os.path.join(os.path.dirname(PROGRAM), "load")
STORM_S = 90


def start_storm(side, connections, *arguments):
    if not os.access(LOAD, os.X_OK):
        pytest.skip(f"{LOAD} is not built")
    with side.entered():
        return subprocess.Popen([LOAD, "--connections", str(connections), *arguments],
                                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def end_storm(process):
    try:
        _out, errors = process.communicate(timeout=STORM_S)
    finally:
        process.kill()
    assert process.returncode == 0, errors


def run_storm(side, connections, *arguments):
    end_storm(start_storm(side, connections, *arguments))
