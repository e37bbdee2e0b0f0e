# SPDX-License-Identifier: GPL-2.0-only
"""RFC 9293 3.5.2: a SYN meets what the peer still has of a former connection."""
import time

from netlab import RST, reset_close
from stage import close_client_first, read_reset
from tracer import finished


def test_half_open_peer(lab, trace):
    """The RST that answers the peer's ACK ends the former connection, not the new one."""
    tracer = trace("peer", "life", "--json", "--localport", "5001")
    drop = lab.s.drop(RST)
    listener = lab.listen()
    former = lab.pair(cport=5001, listener=listener)
    reset_close(former.client)  # the server never hears of that
    drop.lift()
    second = lab.pair(cport=5001, listener=listener)
    read_reset(former.server)
    former.server.close()
    listener.close()
    second.say(4)
    close_client_first(second)
    time.sleep(0.3)
    finished(tracer)
    first, last = [one for one in tracer.records() if one["netns"] == lab.c.inode]
    assert (first["closed"], first["reason"]) == ("rst_sent", "linger0"), first
    assert (last["opened"], last["closed"], last["closed_first"]) == ("handshake", "fin", "local")
    assert last["reset_reason"] is None and "R" not in last["history"], last
    assert last["syn_retrans"] >= 1 and last["handshake"] == ["syn_again"], last
