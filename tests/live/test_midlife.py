# SPDX-License-Identifier: GPL-2.0-only
"""Connections, listeners and minisocks that were there before the tracer."""
import os
import socket
import time

import pytest

from netlab import CLIENT4, SERVER4, read_fin, wait_state, TCP_CLOSE
from stage import PORT, own_comm, read_end
from tracer import REBIRTH_S, finished

PREEXISTING = {"opened": "preexisting", "complete": False, "incomplete_because": ["preexisting"],
               "start": None, "duration_ns": None, "handshake_ns": None}


def find(tracer, side, lport, rport):
    found = [record for record in tracer.records()
             if (record["netns"], record["lport"], record["rport"]) == (side.inode, lport, rport)]
    assert len(found) == 1, found
    return found[0]


def must_be(record, **fields):
    wrong = {name: (record[name], wanted) for name, wanted in fields.items()
             if record[name] != wanted}
    assert not wrong, f"(is, must be): {wrong} in {record}"


def states(record):
    return [step["state"] for step in record["states"]]


def test_established(lab, trace):
    """Role, owner and bytes of the whole life are known; when it began is not."""
    pair = lab.pair()
    pair.say(1000)
    pair.answer(300)
    tracer = trace("midlife", "life", "--json")
    time.sleep(0.3)
    pair.say(5)
    pair.answer(7)
    pair.client.close()
    read_end(pair.server)
    pair.server.close()
    finished(tracer)
    own = {**PREEXISTING, "pid": os.getpid(), "comm": own_comm()}
    client = find(tracer, lab.c, pair.cport, PORT)
    must_be(client, role="client", closed="fin", closed_first="local", remains="fin_wait2",
            tx_bytes=1005, rx_bytes=307, laddr=CLIENT4, raddr=SERVER4, family=4, **own)
    assert states(client) == ["ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2"]
    assert client["states"][0]["ns"] is None, "nobody knows how long it was there"
    assert client["pid_source"] in ("fd_table", "read")
    server = find(tracer, lab.s, PORT, pair.cport)
    must_be(server, role="server", closed="fin", closed_first="remote", tx_bytes=307,
            rx_bytes=1005, **own)
    assert states(server) == ["ESTABLISHED", "CLOSE_WAIT", "LAST_ACK"]
    assert server["pid_source"] in ("fd_table", "read")


def test_reset_after_start(lab, trace):
    pair = lab.pair()
    pair.say(3)
    tracer = trace("midlife", "life", "--json")
    pair.server.sendall(b"d")
    time.sleep(0.05)
    pair.client.close()
    time.sleep(0.05)
    pair.server.close()
    finished(tracer)
    must_be(find(tracer, lab.c, pair.cport, PORT), role="client", closed="rst_sent",
            closed_first="local", **PREEXISTING)
    must_be(find(tracer, lab.s, PORT, pair.cport), role="server", closed="rst_received",
            closed_first="remote", error="ECONNRESET", **PREEXISTING)


@pytest.mark.parametrize("closer", ["client", "server"])
def test_half_closed(lab, trace, closer):
    """Found in FIN_WAIT2 and CLOSE_WAIT: who closed first shows, and who opened."""
    pair = lab.pair()
    pair.say(11)
    first, second = (pair.client, pair.server) if closer == "client" else (pair.server, pair.client)
    first.shutdown(socket.SHUT_WR)
    read_end(second)
    tracer = trace("midlife", "life", "--json")
    second.close()
    read_fin(first)
    first.close()
    finished(tracer)
    client = find(tracer, lab.c, pair.cport, PORT)
    server = find(tracer, lab.s, PORT, pair.cport)
    is_client = closer == "client"
    must_be(client, role="client", closed="fin", closed_first="local" if is_client else "remote",
            tx_bytes=11, rx_bytes=0, **PREEXISTING)
    must_be(server, role="server", closed="fin", closed_first="remote" if is_client else "local",
            tx_bytes=0, rx_bytes=11, **PREEXISTING)
    active, passive = (client, server) if is_client else (server, client)
    assert states(active) == ["FIN_WAIT2"]
    assert states(passive) == ["CLOSE_WAIT", "LAST_ACK"]


def test_owner_of_shared_descriptor(lab, trace):
    """Two processes hold it and neither does anything: no guess among them."""
    actor = lab.actor("holder")
    actor.listen(key="listener", address=SERVER4, port=PORT)
    client = lab.connect()
    cport = client.getsockname()[1]
    actor.accept(listener="listener", key="a")
    lab.also_end(actor.fork("co-holder"))
    tracer = trace("midlife", "life", "--json")
    time.sleep(0.3)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    time.sleep(0.1)
    finished(tracer)
    must_be(find(tracer, lab.s, PORT, cport), pid=None, comm=None, pid_source="unknown",
            closed="rst_received")


def test_owner_by_descriptor(lab, trace):
    """One process holds it, and does nothing either: the scan found it there."""
    actor = lab.actor("holder")
    actor.listen(key="listener", address=SERVER4, port=PORT)
    client = lab.connect()
    cport = client.getsockname()[1]
    actor.accept(listener="listener", key="a")
    tracer = trace("midlife", "life", "--json")
    time.sleep(0.3)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    time.sleep(0.1)
    finished(tracer)
    must_be(find(tracer, lab.s, PORT, cport), pid=actor.pid, comm="holder",
            pid_source="fd_table", closed="rst_received")


def test_old_listener(lab, trace):
    """A child of a listener that was there before has its whole life told, and its owner."""
    actor = lab.actor("veteran")
    actor.listen(key="listener", address=SERVER4, port=PORT)
    tracer = trace("midlife", "life", "--json")
    time.sleep(0.3)
    client = lab.connect()
    cport = client.getsockname()[1]
    actor.accept(listener="listener", key="a")
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    client.close()
    time.sleep(0.1)
    finished(tracer)
    must_be(find(tracer, lab.s, PORT, cport), opened="handshake", role="server", complete=True,
            pid=actor.pid, comm="veteran", pid_source="listen", closed="rst_received")


def test_syn_sent(lab, trace):
    """Found on its way out: a client, whose beginning was not seen."""
    drop = lab.s.drop("tcp flags syn")
    client = lab.start_connect(cport=5001)
    drop.wait_count(1)
    tracer = trace("midlife", "life", "--json")
    time.sleep(0.2)
    client.close()
    finished(tracer)
    record = find(tracer, lab.c, 5001, PORT)
    must_be(record, role="client", closed="none", closed_first="none", complete=False,
            incomplete_because=["preexisting"], tx_bytes=0, rx_bytes=0)
    assert states(record) == ["SYN_SENT"]


def test_time_wait(lab, trace):
    """With --whole a TIME_WAIT that was there is told too, when it ends."""
    pair = lab.pair(cport=5001)
    pair.client.shutdown(socket.SHUT_WR)
    read_end(pair.server)
    pair.server.close()
    read_fin(pair.client)
    wait_state(pair.client, TCP_CLOSE)
    pair.client.close()
    lab.c.wait_sockets("time-wait")
    whole = trace("whole", "life", "--json", "--whole")
    prompt = trace("prompt", "life", "--json")
    time.sleep(0.3)
    lab.c.run("ss", "-K", "-t", "state", "time-wait", "sport", "=", ":5001")
    lab.c.wait_sockets("time-wait", 0)
    time.sleep(REBIRTH_S)
    finished(whole, prompt)
    record = find(whole, lab.c, 5001, PORT)
    must_be(record, remains_end="killed", complete=False, incomplete_because=["preexisting"])
    assert states(record) == ["TIME_WAIT"]
    assert not [one for one in prompt.records() if one["netns"] == lab.c.inode]


def test_still_alive(lab, trace):
    """What did not end while it was watched is not told as ended."""
    pair = lab.pair()
    tracer = trace("midlife", "life", "--json")
    second = lab.pair(81)
    finished(tracer)
    assert not [one for one in tracer.records()
                if one["netns"] in (lab.c.inode, lab.s.inode)]
    for one in (pair, second):
        one.client.close()
        one.server.close()
