# SPDX-License-Identifier: GPL-2.0-only
"""connlife states: every step of both ends, in its order."""
import os
import time

from netlab import CLIENT4, SERVER4, reset_close
from stage import PORT, close_client_first, own_comm, read_reset
from tracer import REBIRTH_S, finished


def steps_of(tracer, side, lport):
    """(old, new) of one socket, and the whole steps."""
    found = [record["step"] for record in tracer.records()
             if record["step"]["netns"] == side.inode and record["step"]["lport"] in (lport, 0)]
    return [(step["old_state"], step["new_state"]) for step in found], found


def play(lab):
    pair = lab.pair(cport=5001)
    pair.say(5)
    close_client_first(pair)
    time.sleep(0.1)
    return pair


CLIENT_STEPS = [("CLOSE", "SYN_SENT"), ("SYN_SENT", "ESTABLISHED"), ("ESTABLISHED", "FIN_WAIT1"),
                ("FIN_WAIT1", "FIN_WAIT2")]
SERVER_STEPS = [("LISTEN", "SYN_RECV"), ("SYN_RECV", "ESTABLISHED"), ("ESTABLISHED", "CLOSE_WAIT"),
                ("CLOSE_WAIT", "LAST_ACK"), ("LAST_ACK", "CLOSE")]


def test_steps(lab, trace):
    """FIN_WAIT2 that goes on without a socket is no step to CLOSE."""
    tracer = trace("states", "states", "--json")
    play(lab)
    finished(tracer)
    client, details = steps_of(tracer, lab.c, 5001)
    assert client == CLIENT_STEPS
    for step in details:
        assert (step["laddr"], step["raddr"], step["rport"]) == (CLIENT4, SERVER4, PORT), step
        assert (step["pid"], step["comm"]) == (os.getpid(), own_comm()), step
        assert step["family"] == 4
    assert details[0]["in_old_ns"] is None
    assert all(step["in_old_ns"] > 0 for step in details[1:])
    assert [step["ts"] for step in details] == sorted(step["ts"] for step in details)
    assert len({step["sock"] for step in details}) == 1
    server, details = steps_of(tracer, lab.s, PORT)
    assert server == SERVER_STEPS
    assert len({step["sock"] for step in details}) == 1


def test_steps_of_minisock(lab, trace):
    """With --whole the steps of what remains are told as they happen."""
    tracer = trace("states", "states", "--json", "--whole")
    play(lab)
    lab.c.wait_sockets("time-wait")
    lab.c.run("ss", "-K", "-t", "state", "time-wait", "sport", "=", ":5001")
    lab.c.wait_sockets("time-wait", 0)
    time.sleep(REBIRTH_S)
    finished(tracer)
    client, details = steps_of(tracer, lab.c, 5001)
    assert client == CLIENT_STEPS + [("FIN_WAIT2", "TIME_WAIT"), ("TIME_WAIT", "CLOSE")]
    # from the server's close on, 0.1 s after the client's FIN at most
    assert 0 < details[4]["in_old_ns"] < 10 ** 9
    assert steps_of(tracer, lab.s, PORT)[0] == SERVER_STEPS


def test_steps_of_reset(lab, trace):
    tracer = trace("states", "states", "--json")
    pair = lab.pair(cport=5001)
    reset_close(pair.client)
    read_reset(pair.server)
    pair.server.close()
    finished(tracer)
    assert steps_of(tracer, lab.c, 5001)[0] == [
        ("CLOSE", "SYN_SENT"), ("SYN_SENT", "ESTABLISHED"), ("ESTABLISHED", "CLOSE")]
    assert steps_of(tracer, lab.s, PORT)[0] == [
        ("LISTEN", "SYN_RECV"), ("SYN_RECV", "ESTABLISHED"), ("ESTABLISHED", "CLOSE")]


def test_filtered_steps_are_whole(lab, trace):
    """The filter knows the local port of a client only after its first step; no step is missing."""
    wanted = trace("wanted", "states", "--json", "-L", "5001", "--netns", lab.c.name)
    unwanted = trace("unwanted", "states", "--json", "-L", "5002", "--netns", lab.c.name)
    play(lab)
    finished(wanted, unwanted)
    assert steps_of(wanted, lab.c, 5001)[0] == CLIENT_STEPS
    assert unwanted.records() == []
