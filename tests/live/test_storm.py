# SPDX-License-Identifier: GPL-2.0-only
"""A storm of connections: every one told, each end once, and nothing lost."""
import collections
import os
import re
import subprocess

import pytest

from stage import Lab
from tracer import PROGRAM, Tracer, finished

CONNECTIONS = 40_000
STORM_S = 90
LOAD = os.path.join(os.path.dirname(PROGRAM), "load")


@pytest.fixture(scope="module")
def storm(tmp_path_factory):
    if not os.access(LOAD, os.X_OK):
        pytest.skip(f"{LOAD} is not built")
    lab = Lab("storm")
    tracer = Tracer(str(tmp_path_factory.mktemp("storm")), "storm", "life", "--json")
    try:
        tracer.wait_ready()
        with lab.c.entered():
            done = subprocess.run([LOAD, "--connections", str(CONNECTIONS)], capture_output=True,
                                  text=True, timeout=STORM_S)
        assert done.returncode == 0, done.stderr
        finished(tracer)
        records = [one for one in tracer.records() if one["netns"] == lab.c.inode]
        yield records, tracer.stderr()
    finally:
        tracer.kill()
        lab.end()


def test_every_connection_once(storm):
    records, _stderr = storm
    assert len(records) == 2 * CONNECTIONS
    doubled = collections.Counter((one["cookie"], one["role"]) for one in records)
    assert max(doubled.values()) == 1
    assert collections.Counter(one["role"] for one in records) == {
        "client": CONNECTIONS, "server": CONNECTIONS}


def test_nothing_lost(storm):
    records, stderr = storm
    assert re.search(r"\b0 lost\b", stderr), stderr
    assert not [one for one in records if not one["complete"]]


def test_ends_agree(storm):
    """The two ends of each connection, found by their ports, tell the same story."""
    records, _stderr = storm
    clients = collections.defaultdict(list)
    servers = collections.defaultdict(list)
    for one in records:
        if one["role"] == "client":
            clients[one["laddr"], one["lport"], one["rport"]].append(one)
        else:
            servers[one["raddr"], one["rport"], one["lport"]].append(one)
    assert clients.keys() == servers.keys()
    for key, ends in clients.items():
        ours = sorted(ends, key=lambda one: one["start"])
        theirs = sorted(servers[key], key=lambda one: one["start"])
        for client, server in zip(ours, theirs):
            assert (client["tx_bytes"], client["rx_bytes"]) == (
                server["rx_bytes"], server["tx_bytes"]), (client, server)


def test_all_alike(storm):
    """Every life of the storm is the same: opened, echoed, closed by its client."""
    records, _stderr = storm
    odd = [one for one in records if one["opened"] != "handshake" or one["closed"] != "fin" or
           one["error"] or one["closed_first"] != ("local" if one["role"] == "client"
                                                  else "remote")]
    assert not odd, odd[:3]
