# SPDX-License-Identifier: GPL-2.0-only
"""What can't be told in full is told as such: nothing is dropped in silence or made up."""
import collections
import re
import socket
import threading
import time

import pytest

from load import run_storm
from losses import EV_MINISOCK_TIMER, Book, booked  # noqa: F401: one is a fixture
from netlab import SERVER4, reset_close, wait_state
from stage import close_client_first
from tracer import finished

TCP_CLOSE = 7
TCP_LINGER2 = 8

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


def without_storage(netns):
    """No socket there may hold storage of BPF programs."""
    try:
        netns.sysctl(**{"../core/optmem_max": 1})
    except FileNotFoundError:
        pytest.skip("the memory of sockets has no limit for a namespace alone (6.8)")


def records_of(tracer, lab):
    return [record for record in tracer.records()
            if record["netns"] in (lab.c.inode, lab.s.inode)]


def test_no_room_for_storage(lab, trace):
    """What the filter wants is noted with the socket: where the kernel lets it have no more
    memory, the connection is left out, and that is said."""
    without_storage(lab.s)
    tracer = trace("unstored", "life", "--json", "--localport", "5001,80")
    close_client_first(lab.pair(cport=5001))
    time.sleep(0.2)
    finished(tracer)
    assert [end["role"] for end in records_of(tracer, lab)] == ["client"], tracer.stderr()
    assert re.search(r"\b1 sockets without storage: .* a filter leaves them out", tracer.stderr())


def test_no_storage_at_all(lab, trace):
    """Where none can be made at the start, it is noted beside the sockets, of older ones too."""
    without_storage(lab.s)
    broker, worker = lab.actor("broker"), lab.actor("worker")
    broker.listen(key="listener", address=SERVER4, port=80)
    older = lab.connect(cport=5001)
    broker.accept(listener="listener", key="older")
    with lab.s.entered():
        tracer = trace("beside", "life", "--json", "--localport", "5001,5002,80")
    later = lab.connect(cport=5002)
    broker.accept(listener="listener", key="later")
    broker.pass_to(worker, "later")
    broker.close(key="later")
    later.sendall(b"12")
    worker.read(key="later", count=2)
    later.close()
    worker.read_fin(key="later")
    worker.close(key="later")
    reset_close(older)  # nobody's step at the other end
    time.sleep(0.2)
    finished(tracer)
    ends = [record for record in tracer.records() if record["netns"] == lab.s.inode]
    assert [(end["opened"], end["comm"], end["pid"], end["pid_source"]) for end in ends] == [
        ("handshake", "worker", worker.pid, "read"),
        ("preexisting", "broker", broker.pid, "fd_table")], tracer.stderr()
    assert len(records_of(tracer, lab)) == 4
    assert " 0 lost" in tracer.stderr() and "without storage" not in tracer.stderr()


def test_reset_after_its_socket(lab, trace):
    """A reset may follow the end of the socket at once: what the filter wanted is still known
    where that is noted beside the sockets."""
    without_storage(lab.s)
    with lab.s.entered():
        tracer = trace("after", "life", "--json", "--localport", "5001")
    pair = lab.pair(cport=5001)
    pair.client.setsockopt(socket.IPPROTO_TCP, TCP_LINGER2, -1)
    pair.client.close()
    wait_state(pair.server, TCP_CLOSE)
    pair.server.close()
    time.sleep(0.2)
    finished(tracer)
    ends = records_of(tracer, lab)
    assert [(end["closed"], end["reason"]) for end in ends] == [("rst_sent", "linger2")], ends


def test_unwanted_segments(lab, trace):
    """What the filter leaves out takes no room in the ring, and is not told as left out."""
    tracer = trace("unwanted", "life", "--json", "--netns", lab.c.name, "-i", "lo", "--packets",
                   "xdp", "--remoteport", "5001", "--ring-size", "4096")
    run_storm(lab.c, 3000)
    run_storm(lab.c, 2000, "--close", "refused")
    finished(tracer)
    assert not tracer.records()
    assert " 0 lost" in tracer.stderr() and "segments left out" not in tracer.stderr()


def test_unwanted_minisocks(lab, booked):  # noqa: F811
    """Nor do the timers of minisocks that it leaves out, on which --whole looks."""
    tracer, path = booked("minisocks", "--whole", "--netns", lab.c.name, "--remoteport", "5001",
                          "--ring-size", "4096")
    run_storm(lab.c, 3000)
    finished(tracer)
    assert not tracer.records()
    assert tracer.lost() == 0 and Book(path).told[EV_MINISOCK_TIMER] == 0, tracer.stderr()
