# SPDX-License-Identifier: GPL-2.0-only
"""What can't be told in full is told as such: nothing is dropped in silence or made up."""
import collections
import threading
import time

from load import run_storm
from stage import close_client_first
from tracer import finished

WHOLE_PATHS = {
    ("SYN_SENT", "ESTABLISHED", "FIN_WAIT1", "FIN_WAIT2"),
    ("SYN_SENT", "ESTABLISHED", "FIN_WAIT1", "CLOSING"),
    ("SYN_RECV", "ESTABLISHED", "CLOSE_WAIT", "LAST_ACK"),
}


def states(record):
    return tuple(step["state"] for step in record["states"])


def test_full_ring(lab, trace):
    """A ring far too small: losses are counted, and no half life is told as a whole one."""
    tracer = trace("small", "life", "--json", "--ring-size", "4096", "--netns", lab.c.name)
    run_storm(lab.c, 3000)
    time.sleep(2.5)  # it looks again at what is there after a loss
    for number in range(5):  # one of them in peace, if others are busy on this host
        pair = lab.pair(cport=5001 + number)
        pair.say(3)
        close_client_first(pair)
        time.sleep(0.2)
    finished(tracer)
    assert tracer.lost() > 0, tracer.stderr()
    records = [record for record in tracer.records() if record["netns"] == lab.c.inode]
    # closed before the last ACK came, a server may also go from SYN_RECV to a later state
    wrong = [record for record in records if record["complete"] and
             states(record) not in WHOLE_PATHS]
    assert not wrong, wrong[:3]
    doubled = collections.Counter((record["cookie"], record["role"]) for record in records
                                  if record["cookie"] and record["complete"])
    assert not doubled or max(doubled.values()) == 1
    assert any("lost_events" in record["incomplete_because"] for record in records)
    after = [record for record in records if record["lport"] in range(5001, 5006)]
    assert any(record["complete"] and record["tx_bytes"] == 3 for record in after), after


def test_full_table(lab, trace):
    """More connections than it may track: it says so."""
    tracer = trace("narrow", "life", "--json", "--max-connections", "10", "--netns", lab.c.name)
    listener = lab.listen(backlog=64)
    pairs = [lab.pair(cport=5001 + number, listener=listener) for number in range(30)]
    listener.close()
    for pair in pairs:
        pair.client.close()
        pair.server.close()
    time.sleep(0.2)
    finished(tracer)
    assert "table was full" in tracer.stderr()
    records = [record for record in tracer.records() if record["netns"] == lab.c.inode]
    assert 10 <= len(records) <= 30
    assert not [record for record in records if record["complete"] and
                states(record) not in WHOLE_PATHS]


def test_start_amid_traffic(lab, trace):
    """Whatever is under way when it starts is told once, in full or as preexisting."""
    stop = threading.Event()
    listener = lab.listen(backlog=64)
    played = []

    def play():
        while not stop.is_set():
            pair = lab.pair(listener=listener)
            pair.say(1)
            played.append((time.time_ns(), pair.cport))
            pair.client.close()
            pair.server.close()

    thread = threading.Thread(target=play)
    thread.start()
    try:
        time.sleep(0.2)
        tracer = trace("amid", "life", "--json")
        time.sleep(0.5)
        ready_ns = time.time_ns()
        time.sleep(0.5)
    finally:
        stop.set()
        thread.join(10)
    time.sleep(0.3)
    finished(tracer)
    listener.close()
    inodes = (lab.c.inode, lab.s.inode)
    records = [record for record in tracer.records() if record["netns"] in inodes]
    ends = collections.Counter((record["cookie"], record["netns"]) for record in records)
    assert max(ends.values()) == 1
    for record in records:
        whole = record["complete"] and states(record)[0] in ("SYN_SENT", "SYN_RECV")
        preexisting = record["incomplete_because"] == ["preexisting"]
        assert whole or preexisting, record
    after = {port for when, port in played if when > ready_ns}
    complete = collections.Counter(record["lport"] for record in records
                                   if record["netns"] == lab.c.inode and record["complete"])
    assert after and after <= complete.keys()
