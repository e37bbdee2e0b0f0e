# SPDX-License-Identifier: GPL-2.0-only
"""
What others do while connlife runs: a second connlife that comes and is killed, programs
that want its interface, namespaces that are deleted, owners that are killed.
"""
import os
import signal
import socket
import subprocess
import sys

import pytest

import bpf
from load import end_storm, start_storm
from netlab import DEVICE, SERVER4, SYN, eventually, read_fin, reset_close
from stage import PORT, close_client_first, read_reset
from test_command_line import programs_of
from test_faults import links_of, of, states
from test_packets import foreign, own_record, says, watch_one  # noqa: F401: one is a fixture
from tracer import finished

# fields that hold a moment or a time, read by each tracer's own hooks
TIMES = {"start", "end", "duration_ns", "handshake_ns", "half_close_ns", "states"}
NEAR_NS = 100_000  # apart at most, unless a hook was interrupted


# ---- a second connlife ----


def check_alike(one, other):
    """Gives how far apart their durations are."""
    assert {name: one[name] for name in one if name not in TIMES} == {
        name: other[name] for name in other if name not in TIMES}
    assert states(one) == states(other)
    return abs(one["duration_ns"] - other["duration_ns"])


def test_two_at_once(lab, trace):
    """They tell the same of every connection, and are not disturbed by a third that is killed."""
    arguments = ["life", "--json", "--netns", lab.c.name]
    tracers = [trace(name, *arguments) for name in ("first", "second")]
    storm = start_storm(lab.c, 3000)
    try:
        trace("third", *arguments).kill()
    finally:
        end_storm(storm)
    finished(*tracers)
    first, second = [{(record["cookie"], record["role"]): record for record in of(lab.c, tracer)}
                     for tracer in tracers]
    assert first.keys() == second.keys() and len(first) == 6000
    assert all(record["complete"] for record in first.values())
    apart = sorted(check_alike(record, second[key]) for key, record in first.items())
    assert apart[len(apart) * 9 // 10] < NEAR_NS, apart[-3:]
    assert [tracer.lost() for tracer in tracers] == [0, 0]


# ---- others on the interface ----


def fin_seen(lab, tracer, cport):
    """Whether what the interface received of a connection is told of it."""
    eventually(lambda: any(one["rport"] == cport for one in of(lab.s, tracer)), "its record")
    flags = own_record(tracer, lab.s, PORT, cport)["flags_rx"]
    return flags is not None and (flags["syn"], flags["fin"]) == (1, 1)


def live_on(lab, cport):
    close_client_first(lab.pair(cport=cport))


def test_xdp_of_others_comes_later(lab, trace, foreign):  # noqa: F811
    """The kernel refuses it, by link and by netlink, and ours goes on."""
    tracer = watch_one(trace, lab.s, "--flags", "--packets", "xdp")
    _mode, ours = bpf.xdp_on(lab.s, DEVICE)
    assert ours in programs_of(tracer.pid)
    theirs = foreign(bpf.XDP, bpf.XDP_PASS)
    with pytest.raises(OSError, match="bpf"):
        theirs.link(lab.s, DEVICE, bpf.ON_XDP, bpf.XDP_DRIVER)
    for command in (["xdpdrv", "id", str(theirs.id)], ["xdpgeneric", "id", str(theirs.id)]):
        with pytest.raises(RuntimeError, match="(?i)error"):
            lab.s.run(bpf.BPFTOOL, "net", "attach", *command, "dev", DEVICE, "overwrite")
    with pytest.raises(RuntimeError, match="replace active"):
        lab.s.run("ip", "link", "set", "dev", DEVICE, "xdp", "off")
    assert bpf.xdp_on(lab.s, DEVICE) == ("native", ours)
    live_on(lab, 5001)
    assert fin_seen(lab, tracer, 5001)
    finished(tracer)
    theirs.link(lab.s, DEVICE, bpf.ON_XDP, bpf.XDP_DRIVER)
    assert bpf.xdp_on(lab.s, DEVICE) == ("native", theirs.id)


def test_xdp_of_others_beside_tc(lab, trace, foreign):  # noqa: F811
    """There is room for both: theirs stays when ours goes."""
    tracer = watch_one(trace, lab.s, "--flags", "--packets", "tc")
    theirs = foreign(bpf.XDP, bpf.XDP_PASS).link(lab.s, DEVICE, bpf.ON_XDP, bpf.XDP_DRIVER)
    before = foreign(bpf.SCHED_CLS, bpf.TC_NEXT).link(lab.s, DEVICE, bpf.ON_TCX_INGRESS)
    live_on(lab, 5001)
    assert fin_seen(lab, tracer, 5001)
    finished(tracer)
    assert bpf.xdp_on(lab.s, DEVICE) == ("native", theirs.id)
    assert bpf.tcx_on(lab.s, DEVICE) == [before.id]


# ---- namespaces that go ----


def test_namespace_deleted(lab, trace):
    """
    With connections in it and an interface that is watched at their other end: that one
    is gone at once; the peers' connections live on until they are reset here.
    """
    with lab.s.entered():
        tracer = trace("peer", "life", "--json", "-i", DEVICE, "--flags")
    listener = lab.listen()
    pairs = [lab.pair(cport=5001 + number, listener=listener) for number in range(3)]
    for pair in pairs:
        pair.say(5)
    gone = lab.c.inode
    reset_close(pairs[0].client)  # told before its namespace goes
    read_reset(pairs[0].server)
    pairs[0].server.close()
    for pair in pairs[1:]:
        pair.client.close()
        read_fin(pair.server)
    lab.c.unname()
    lab.c.forget()
    says(tracer, f"no longer watching {DEVICE}")
    for pair in pairs[1:]:
        reset_close(pair.server)
    finished(tracer)
    # one that was reset is told a moment later, when it is sure by whom
    records = sorted(tracer.records(), key=lambda one: max(one["lport"], one["rport"]))
    clients = [one for one in records if one["netns"] == gone]
    servers = [one for one in records if one["netns"] == lab.s.inode]
    assert [one["closed"] for one in clients] == ["rst_sent", "fin", "fin"], clients
    assert sorted(one["remains"] or "" for one in clients) == ["", "fin_wait2", "fin_wait2"]
    assert [one["closed"] for one in servers] == ["rst_received", "rst_sent", "rst_sent"], servers
    for one in clients + servers:
        assert one["complete"] and one["tx_bytes"] + one["rx_bytes"] == 5, one
    assert tracer.lost() == 0


def test_namespace_loses_its_name(lab, trace):
    """Only connlife still holds the namespace whose interface it watches: it lets go of it."""
    tracer = watch_one(trace, lab.c)
    says(tracer, f"watching {DEVICE} (native XDP)")
    lab.c.unname()
    lab.c.forget()
    says(tracer, f"--netns {lab.c.name} is gone, its interfaces are no longer watched")
    eventually(lambda: DEVICE not in lab.s.run("ip", "-o", "link"), "the namespace is gone")
    finished(tracer)


# ---- programs that are taken away ----


@pytest.mark.parametrize("way, kind", (("xdp", "xdp"), ("tc", "tcx")))
def test_detached_by_number(lab, trace, way, kind):
    """Said, and not put back: whoever did it meant it."""
    tracer = watch_one(trace, lab.s, "--packets", way)
    numbers = [number for number, found in links_of(tracer.pid).items() if found == kind]
    if not numbers:
        pytest.skip(f"this kernel has no links of {way}")
    assert len(numbers) == 1
    lab.s.run(bpf.BPFTOOL, "link", "detach", "id", str(numbers[0]))
    says(tracer, f"no longer watching {DEVICE}: somebody detached the program")
    assert bpf.is_clean(lab.s, DEVICE)
    pair = lab.pair()
    pair.say(5)
    close_client_first(pair)
    finished(tracer)
    [record] = of(lab.s, tracer)
    assert record["complete"] and record["rx_bytes"] == 5


# ---- owners that are killed ----


OWNER = ("pid", "comm", "pid_source")


def owner_of(record):
    return tuple(record[name] for name in OWNER)


def test_client_killed_when_connected(lab, trace):
    tracer = trace("owners", "life", "--json")
    listener = lab.listen()
    actor = lab.actor("short-lived", lab.c)
    cport = actor.connect(key="a", address=SERVER4, port=PORT)
    actor.kill()
    pair = lab.accepted(listener, None, cport)
    read_fin(pair.server)
    pair.server.close()
    finished(tracer)
    record = own_record(tracer, lab.c, cport, PORT)
    assert owner_of(record) == (actor.pid, "short-lived", "connect")
    assert (record["closed"], record["closed_first"], record["complete"]) == ("fin", "local", True)


def test_client_killed_while_connecting(lab, trace):
    drop = lab.s.drop(SYN)
    tracer = trace("owners", "life", "--json", "--netns", lab.c.name)
    actor = lab.actor("hasty", lab.c)
    cport = actor.start_connect(key="a", address=SERVER4, port=PORT)
    drop.wait_count(1)
    actor.kill()
    eventually(lambda: of(lab.c, tracer), "its record")
    finished(tracer)
    record = own_record(tracer, lab.c, cport, PORT)
    assert owner_of(record) == (actor.pid, "hasty", "connect")
    assert (record["opened"], states(record)) == ("aborted", ["SYN_SENT"])


@pytest.mark.parametrize("unread", [0, 5])
def test_server_killed_when_accepted(lab, trace, unread):
    """Accepted by a worker that dies at once: it is the closer, and its parent only listens."""
    tracer = trace("owners", "life", "--json", "--netns", lab.s.name)
    parent = lab.actor("listening")
    parent.listen(key="listener", address=SERVER4, port=PORT)
    worker = lab.also_end(parent.fork("accepting"))
    client = lab.connect(cport=5001)
    client.sendall(b"u" * unread)
    worker.accept(listener="listener", key="a")
    os.kill(worker.pid, signal.SIGKILL)
    (read_reset if unread else read_fin)(client)
    client.close()
    eventually(lambda: of(lab.s, tracer), "its record")
    finished(tracer)
    record = own_record(tracer, lab.s, PORT, 5001)
    assert owner_of(record) == (worker.pid, "accepting", "close")
    assert (record["closed"], record["closed_first"]) == ("rst_sent" if unread else "fin", "local")


# accepts one, and dies with it in a queue of Unix sockets that only refer to each other
CYCLE = """
import os, signal, socket, sys
listener = socket.socket(fileno=int(sys.argv[1]))
sock, _peer = listener.accept()
one, other = socket.socketpair()
socket.send_fds(one, [b"x"], [sock.fileno(), other.fileno()])
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_closed_by_the_kernel(lab, trace):
    """The owner died, and the kernel collects what it sent to nobody: that is no owner."""
    tracer = trace("owners", "life", "--json", "--netns", lab.s.name)
    listener = lab.listen()
    client = lab.connect(cport=5001)
    with subprocess.Popen([sys.executable, "-c", CYCLE, str(listener.fileno())],
                          pass_fds=[listener.fileno()]) as process:
        assert process.wait(10) == -signal.SIGKILL
    socket.socketpair()[0].close()  # a reason for older kernels to look for garbage
    read_fin(client)
    client.close()
    listener.close()
    eventually(lambda: of(lab.s, tracer), "its record")
    finished(tracer)
    record = own_record(tracer, lab.s, PORT, 5001)
    assert record["complete"] and record["closed"] == "fin", record
    assert record["pid"] in (process.pid, os.getpid()), record
    assert record["pid_source"] == ("listen" if record["pid"] == os.getpid() else "close")
