# SPDX-License-Identifier: GPL-2.0-only
"""
Watching interfaces: the programs come on and go off again however connlife
ends, nobody else's are touched, frames go on as they came, and what was seen
is counted right.
"""
import concurrent.futures
import contextlib
import hashlib
import ipaddress
import multiprocessing
import os
import signal
import socket
import time

import pytest

import bpf
from expect import Range
from netlab import (CLIENT4, DEVICE, SERVER4, TCP_CLOSE, eventually, read_exactly, read_fin,
                    reset_close, run, wait_state)
from stage import PORT, Lab, close_client_first, read_end, read_reset
from test_command_line import is_loaded, one_line, programs_of
from tracer import children_of, finished, process_state, run_program
from tun import Tun
from watching import SOME_WAYS, WAYS
from wire import ACK, FIN, PSH, RST, SYN, URG, SynMaker, send_frames, send_segment

every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: f"ipv{way[0]}-{way[1]}")
some_ways = pytest.mark.parametrize("way", SOME_WAYS, ids=lambda way: f"ipv{way[0]}-{way[1]}")
modes = pytest.mark.parametrize("mode", ["xdp", "tc"])
endings = pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL],
                                  ids=lambda how: how.name)

WAY = {"xdp": "native XDP", "tc": "tc"}
EXTRA = "extra0"  # a second link between the namespaces
EXTRA_CLIENT, EXTRA_SERVER = "10.79.0.1", "10.79.0.2"


def says(tracer, line, times=1):
    """Waits until it has said this line on stderr that often."""
    eventually(lambda: tracer.stderr().splitlines().count("connlife: " + line) == times,
               f"{times} x {line!r} in {tracer.stderr()!r}")


def watch_one(trace, side, *arguments, device=DEVICE, ready=True):
    """The command line of a user outside: a namespace by its name."""
    return trace("one", "life", "--json", "--netns", side.name, "-i", device, *arguments,
                 ready=ready)


def flags_of(segments):
    return {name: sum(1 for one in segments if one.flags & bit)
            for name, bit in (("syn", SYN), ("ack", ACK), ("fin", FIN), ("rst", RST),
                              ("psh", PSH), ("urg", URG))}


def own_record(tracer, side, lport, rport):
    found = [one for one in tracer.records() if (one["netns"], one["lport"], one["rport"]) == (
        side.inode, lport, rport)]
    assert len(found) == 1, found
    return found[0]


@pytest.fixture
def foreign():
    """Programs of somebody else, closed after the test."""
    with contextlib.ExitStack() as stack:
        yield lambda *arguments: stack.enter_context(
            contextlib.closing(bpf.Program(*arguments)))


# ---- on and off ----

@modes
@endings
def test_gone_after_the_end(lab, trace, mode, how):
    tracer = watch_one(trace, lab.s, "--packets", mode)
    says(tracer, f"watching {DEVICE} ({WAY[mode]})")
    own = programs_of(tracer.pid)
    if mode == "xdp":
        kind, program = bpf.xdp_on(lab.s, DEVICE)
        assert kind == "native" and program in own and not bpf.tcx_on(lab.s, DEVICE)
    else:
        [program] = bpf.tcx_on(lab.s, DEVICE)
        assert program in own and not bpf.xdp_on(lab.s, DEVICE)
    assert bpf.is_clean(lab.c, DEVICE)
    assert tracer.stop(how) == (0 if how != signal.SIGKILL else -how)
    eventually(lambda: bpf.is_clean(lab.s, DEVICE), "nothing of it is left")
    assert DEVICE not in lab.s.run(bpf.BPFTOOL, "net")


def test_auto_takes_native_xdp(lab, trace):
    tracer = watch_one(trace, lab.s)
    says(tracer, f"watching {DEVICE} (native XDP)")
    finished(tracer)
    assert bpf.is_clean(lab.s, DEVICE)


@endings
def test_gone_where_there_is_no_room_for_tcx(lab, trace, foreign, how):
    """Then a filter of clsact does it, which no descriptor takes away: another process does."""
    others = [foreign(bpf.SCHED_CLS, bpf.TC_NEXT).link(lab.s, DEVICE, bpf.ON_TCX_INGRESS)
              for _ in range(bpf.TCX_MOST)]
    tracer = watch_one(trace, lab.s, "--packets", "tc", "--flags")
    says(tracer, f"watching {DEVICE} (tc)")
    _is_there, [program] = bpf.clsact_on(lab.s, DEVICE)
    assert program in programs_of(tracer.pid)
    pair = lab.pair(cport=5001)
    pair.say(1)
    reset_close(pair.client)
    read_reset(pair.server)
    pair.server.close()
    assert tracer.stop(how) == (0 if how != signal.SIGKILL else -how)
    eventually(lambda: not bpf.clsact_on(lab.s, DEVICE)[0], "neither filter nor qdisc is left")
    assert bpf.tcx_on(lab.s, DEVICE) == [one.id for one in others]
    if how != signal.SIGKILL:
        assert own_record(tracer, lab.s, PORT, 5001)["flags_rx"]["rst"] == 1


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_clsact_of_others_stays(lab, trace, foreign, how):
    for _ in range(bpf.TCX_MOST):
        foreign(bpf.SCHED_CLS, bpf.TC_NEXT).link(lab.s, DEVICE, bpf.ON_TCX_INGRESS)
    lab.s.run("tc", "qdisc", "add", "dev", DEVICE, "clsact")
    lab.s.run("tc", "filter", "add", "dev", DEVICE, "egress", "protocol", "ip", "u32", "match",
              "u32", "0", "0", "flowid", "1:1")
    before = lab.s.run("tc", "filter", "show", "dev", DEVICE, "egress")
    tracer = watch_one(trace, lab.s, "--packets", "tc")
    assert len(bpf.clsact_on(lab.s, DEVICE)[1]) == 1
    tracer.stop(how)
    eventually(lambda: not bpf.clsact_on(lab.s, DEVICE)[1], "its filter is gone")
    assert bpf.clsact_on(lab.s, DEVICE)[0], "the qdisc was not ours to remove"
    assert lab.s.run("tc", "filter", "show", "dev", DEVICE, "egress") == before


def kill_all(tracer):
    """With all that it started, as a control group is killed: nobody is left to tidy up."""
    pids = [tracer.pid]
    for pid in pids:  # which grows
        pids += children_of(pid)
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    for pid in pids:
        eventually(lambda: process_state(pid) == "T", "it is stopped")
    names = [comm_of(pid) for pid in pids]
    programs = programs_of(tracer.pid)
    for pid in reversed(pids):
        os.kill(pid, signal.SIGKILL)
    tracer.wait()
    return names, programs


def comm_of(pid):
    with open(f"/proc/{pid}/comm") as comm:
        return comm.read().strip()


@contextlib.contextmanager
def pinned(program, directory):
    """A path that tc takes."""
    run(["mount", "-t", "bpf", "bpf", str(directory)])
    try:
        path = str(directory / "program")
        run([bpf.BPFTOOL, "prog", "pin", "id", str(program.id), path])
        yield path
    finally:
        run(["umount", str(directory)])


REMOVED = f"{DEVICE}: removed the tc filter of a connlife that was killed"


@pytest.fixture
def left_over(lab, trace, foreign):
    """The filter of clsact whose connlife was killed with its janitor: its program."""
    for _ in range(bpf.TCX_MOST):
        foreign(bpf.SCHED_CLS, bpf.TC_NEXT).link(lab.s, DEVICE, bpf.ON_TCX_INGRESS)

    def leave(others=()):
        tracer = trace("killed", "life", "--json", "--netns", lab.s.name, "-i", DEVICE,
                       "--packets", "tc")
        [program] = set(bpf.clsact_on(lab.s, DEVICE)[1]) - set(others)
        names, programs = kill_all(tracer)
        assert names[-1] == "connlife-tc", names
        assert program in programs
        # without its hooks, which go a little later
        eventually(lambda: not any(map(is_loaded, programs - {program})), "they are gone")
        assert set(bpf.clsact_on(lab.s, DEVICE)[1]) == {program, *others}
        return program

    return leave


@modes
def test_left_over_goes_at_the_next_start(lab, trace, left_over, mode):
    """Whichever way the next one takes; and the frames pass before."""
    program = left_over()
    close_client_first(lab.pair())
    tracer = watch_one(trace, lab.s, "--packets", mode)
    says(tracer, REMOVED)
    assert not is_loaded(program)
    assert len(bpf.clsact_on(lab.s, DEVICE)[1]) == (mode == "tc")
    finished(tracer)
    assert not bpf.clsact_on(lab.s, DEVICE)[0], "the qdisc was its own"


def test_left_over_goes_from_among_others(lab, trace, left_over, foreign, tmp_path):
    """Not one of a connlife that lives, nor somebody's that has the same name."""
    lab.s.run("tc", "qdisc", "add", "dev", DEVICE, "clsact")
    theirs = foreign(bpf.SCHED_CLS, bpf.TC_NEXT, "watch_tc")
    bpffs = tmp_path / "bpffs"
    bpffs.mkdir()
    with pinned(theirs, bpffs) as path:
        lab.s.run("tc", "filter", "add", "dev", DEVICE, "ingress", "pref", "7", "bpf", "da",
                  "object-pinned", path)
    living = watch_one(trace, lab.s, "--packets", "tc")
    [alive] = set(bpf.clsact_on(lab.s, DEVICE)[1]) - {theirs.id}
    assert REMOVED not in living.stderr()
    program = left_over({theirs.id, alive})
    tracer = trace("next", "life", "--json", "--netns", lab.s.name, "-i", DEVICE,
                   "--packets", "tc")
    says(tracer, REMOVED)
    now = set(bpf.clsact_on(lab.s, DEVICE)[1])
    assert program not in now and now > {theirs.id, alive}, now
    finished(tracer, living)
    assert bpf.clsact_on(lab.s, DEVICE) == (True, [theirs.id])


# ---- what others have on the device ----

def put_xdp(program, lab, by_link):
    if by_link:
        program.link(lab.s, DEVICE, bpf.ON_XDP, bpf.XDP_DRIVER)
    else:
        lab.s.run(bpf.BPFTOOL, "net", "attach", "xdpdrv", "id", str(program.id), "dev", DEVICE)
    assert bpf.xdp_on(lab.s, DEVICE) == ("native", program.id)


@pytest.mark.parametrize("by_link", [True, False], ids=["link", "netlink"])
def test_xdp_of_others_stays(lab, trace, foreign, by_link):
    """connlife makes do with tc then, and says so."""
    program = foreign(bpf.XDP, bpf.XDP_PASS)
    put_xdp(program, lab, by_link)
    tracer = watch_one(trace, lab.s, "--flags")
    says(tracer, f"{DEVICE}: another XDP program is there; watching by tc instead")
    assert bpf.xdp_on(lab.s, DEVICE) == ("native", program.id)
    assert len(bpf.tcx_on(lab.s, DEVICE)) == 1
    pair = lab.pair(cport=5001)
    close_client_first(pair)
    lab.settle()
    finished(tracer)
    assert own_record(tracer, lab.s, PORT, 5001)["flags_rx"]["fin"] == 1
    assert bpf.xdp_on(lab.s, DEVICE) == ("native", program.id)
    assert not bpf.tcx_on(lab.s, DEVICE)


@pytest.mark.parametrize("by_link", [True, False], ids=["link", "netlink"])
def test_xdp_of_others_and_nothing_else_will_do(lab, foreign, by_link):
    program = foreign(bpf.XDP, bpf.XDP_PASS)
    put_xdp(program, lab, by_link)
    done = run_program("life", "--json", "--netns", lab.s.name, "-i", DEVICE, "--packets", "xdp")
    assert "another XDP program is there" in one_line(done)
    assert bpf.xdp_on(lab.s, DEVICE) == ("native", program.id)


def test_tcx_of_others_stays(lab, trace, foreign):
    """Ours comes first: what theirs drops was seen."""
    program = foreign(bpf.SCHED_CLS, 2)  # TC_ACT_SHOT
    program.link(lab.s, DEVICE, bpf.ON_TCX_INGRESS)
    tracer = watch_one(trace, lab.s, "--packets", "tc")
    ours, theirs = bpf.tcx_on(lab.s, DEVICE)
    assert theirs == program.id and ours != theirs
    client = lab.c.socket()
    client.setblocking(False)
    client.connect_ex((SERVER4, PORT))
    lab.c.wait_sockets("syn-sent")
    client.close()
    time.sleep(0.2)
    finished(tracer)
    assert bpf.tcx_on(lab.s, DEVICE) == [program.id]
    # ARP is dropped too, so it may be that no SYN was sent
    assert not tracer.records()


# ---- which interfaces ----

def test_unknown_interface(lab):
    done = run_program("life", "--json", "--netns", lab.s.name, "-i", "nosuch0")
    assert one_line(done) == "connlife: -i nosuch0: no such interface"


def test_unknown_interface_beside_a_known_one(lab):
    """Nothing of the one that was there stays watched."""
    done = run_program("life", "--json", "--netns", lab.s.name, "-i", DEVICE, "-i", "nosuch0")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.splitlines()[-1] == "connlife: -i nosuch0: no such interface"
    assert bpf.is_clean(lab.s, DEVICE)


def test_interface_of_another_namespace(lab):
    """What --netns names is where interfaces are looked for."""
    lab.c.run("ip", "link", "add", "only0", "type", "ifb")
    done = run_program("life", "--json", "--netns", lab.s.name, "-i", "only0")
    assert one_line(done) == "connlife: -i only0: no such interface"


@pytest.mark.parametrize("arguments, word", [
    (["-i", ""], "-i: ''"), (["-i", "a-name-far-too-long"], "'a-name-far-too-long'"),
    (["-i", DEVICE, "--packets", "off"], "-i"), (["--flags", "--packets", "off"], "--flags"),
    (["--packets", "raw"], "'raw'"), (["-i"], "'i'")])
def test_wrong_usage(arguments, word):
    assert word in one_line(run_program("life", "--json", *arguments), 2)


def add_extra(lab, name=EXTRA):
    """A second link; its end in the server's namespace has this name."""
    run(["ip", "-n", lab.c.name, "link", "add", "extra1", "type", "veth",
         "peer", "name", name, "netns", lab.s.name])
    for side, device, address in ((lab.c, "extra1", EXTRA_CLIENT), (lab.s, name, EXTRA_SERVER)):
        side.run("ip", "addr", "add", f"{address}/24", "dev", device)
        side.run("ip", "link", "set", device, "up")


def use_extra(lab, cport):
    """Six segments from the client over the second link: SYN, ACK, data, FIN, ACK and one more."""
    listener = lab.listen(address=EXTRA_SERVER)
    client = lab.c.socket()
    client.bind((EXTRA_CLIENT, cport))
    client.connect((EXTRA_SERVER, PORT))
    pair = lab.accepted(listener, client)
    listener.close()
    pair.say(1)
    close_client_first(pair)
    lab.settle()


def saw_extra(tracer, lab, cport):
    """Whether the device was watched when this connection used it."""
    flags = own_record(tracer, lab.s, PORT, cport)["flags_rx"]
    assert flags is None or (flags["syn"], flags["psh"], flags["fin"]) == (1, 1, 1), flags
    return flags is not None


@modes
def test_interface_comes_again(lab, trace, mode):
    """One that is removed, and later there under its name, is watched again."""
    add_extra(lab)
    tracer = watch_one(trace, lab.s, "-i", EXTRA, "--packets", mode, "--flags")
    says(tracer, f"watching {EXTRA} ({WAY[mode]})")
    use_extra(lab, 5001)
    lab.s.run("ip", "link", "del", EXTRA)
    says(tracer, f"no longer watching {EXTRA}")
    add_extra(lab)
    says(tracer, f"watching {EXTRA} ({WAY[mode]})", times=2)
    use_extra(lab, 5002)
    finished(tracer)
    assert saw_extra(tracer, lab, 5001) and saw_extra(tracer, lab, 5002)
    assert bpf.is_clean(lab.s, EXTRA) and bpf.is_clean(lab.s, DEVICE)


@modes
def test_interface_is_renamed(lab, trace, mode):
    """The name decides: away from it is no longer watched, back to it is again."""
    add_extra(lab)
    tracer = watch_one(trace, lab.s, "-i", EXTRA, "--packets", mode, "--flags")
    lab.s.run("ip", "link", "set", EXTRA, "name", "other0")
    says(tracer, f"no longer watching {EXTRA}")
    assert bpf.is_clean(lab.s, "other0")
    use_extra(lab, 5001)
    lab.s.run("ip", "link", "set", "other0", "name", EXTRA)
    says(tracer, f"watching {EXTRA} ({WAY[mode]})", times=2)
    use_extra(lab, 5002)
    finished(tracer)
    assert not saw_extra(tracer, lab, 5001) and saw_extra(tracer, lab, 5002)


@modes
def test_interface_takes_the_name(lab, trace, mode):
    """Another one, that was there all the time, takes the name of one that went."""
    add_extra(lab)
    tracer = watch_one(trace, lab.s, "-i", EXTRA, "--packets", mode, "--flags")
    lab.s.run("ip", "link", "del", EXTRA)
    says(tracer, f"no longer watching {EXTRA}")
    add_extra(lab, "other0")
    use_extra(lab, 5001)
    lab.s.run("ip", "link", "set", "other0", "name", EXTRA)
    says(tracer, f"watching {EXTRA} ({WAY[mode]})", times=2)
    use_extra(lab, 5002)
    finished(tracer)
    assert not saw_extra(tracer, lab, 5001) and saw_extra(tracer, lab, 5002)


@modes
def test_interface_moves_to_another_namespace(lab, trace, mode):
    """Nothing of connlife's goes along."""
    add_extra(lab)
    tracer = watch_one(trace, lab.s, "-i", EXTRA, "--packets", mode)
    lab.s.run("ip", "link", "set", EXTRA, "netns", lab.c.name)
    says(tracer, f"no longer watching {EXTRA}")
    eventually(lambda: bpf.is_clean(lab.c, EXTRA), "it is clean")
    finished(tracer)


def test_interfaces_by_default(lab, trace):
    """
    Without -i only hardware and tunnels without a link layer are watched: no
    veth, no lo. A tunnel that comes later is, and its bare packets are understood.
    """
    with lab.s.entered():
        tracer = trace("default", "life", "--json", "--packets", "auto", "--flags")
    says(tracer, "no interface to watch so far; those that come will be watched")
    assert bpf.is_clean(lab.s, DEVICE) and bpf.is_clean(lab.s, "lo")
    with Tun(lab.s, "tun0", "10.80.0.1/24") as tun:
        says(tracer, "watching tun0 (tc)")
        listener = lab.listen(address="10.80.0.1")
        tun.send("10.80.0.2", 5001, "10.80.0.1", PORT, SYN, 1000)
        synack = tun.receive()
        tun.send("10.80.0.2", 5001, "10.80.0.1", PORT, ACK, 1001, synack.seq + 1)
        tun.send("10.80.0.2", 5001, "10.80.0.1", PORT, ACK | PSH, 1001, synack.seq + 1, b"hello")
        server, _peer = listener.accept()
        listener.close()
        assert read_exactly(server, 5) == b"hello"
        tun.send("10.80.0.2", 5001, "10.80.0.1", PORT, RST, 1006)
        read_reset(server)
        server.close()
    says(tracer, "no longer watching tun0")
    finished(tracer)
    record = own_record(tracer, lab.s, PORT, 5001)
    assert record["flags_rx"] == {"syn": 1, "ack": 2, "fin": 0, "rst": 1, "psh": 1, "urg": 0}
    assert (record["isn_local"], record["isn_remote"]) == (synack.seq, 1000)
    assert (record["closed"], record["conn_state"]) == ("rst_received", "RSTO")


@modes
def test_two_interfaces(lab, trace, tap, mode):
    add_extra(lab)
    wires = [tap(lab.s), tap(lab.s, EXTRA)]
    tracer = watch_one(trace, lab.s, "-i", EXTRA, "--packets", mode, "--flags")
    for device in (DEVICE, EXTRA):
        says(tracer, f"watching {device} ({WAY[mode]})")
    pair = lab.pair(cport=5001)
    pair.say(10)
    close_client_first(pair)
    use_extra(lab, 5002)
    lab.settle()
    finished(tracer)
    for cport, wire in zip((5001, 5002), wires):
        flags = own_record(tracer, lab.s, PORT, cport)["flags_rx"]
        assert flags == flags_of(wire.received()), cport
    assert tracer.counted("segments of interest") == 2 * 4  # SYN, ACK, FIN, ACK


# ---- flags ----

def scripted(lab, cport=0, listener=None):
    """Urgent data, answers, and a release in which both hold their sockets to the end."""
    pair = lab.pair(cport=cport, listener=listener)
    pair.say(10)
    pair.answer(20)
    pair.client.send(b"!", socket.MSG_OOB)
    pair.said(0)
    pair.say(7)
    pair.client.shutdown(socket.SHUT_WR)
    read_end(pair.server)
    pair.answer(30)
    pair.server.close()
    read_fin(pair.client)
    wait_state(pair.client, TCP_CLOSE)
    pair.client.close()
    return pair


def check_flags(watching, lab, pair, taps):
    for side, ports in ((lab.c, (pair.cport, pair.sport)), (lab.s, (pair.sport, pair.cport))):
        wanted = flags_of(taps[side].received(*ports))
        flags = watching.record(side, *ports)["flags_rx"]
        assert flags == wanted, (side.name, flags, wanted)


@every_way
def test_flags(lab, watch, tap, way):
    """Each is counted for its connection, as the device received it."""
    taps = {side: tap(side) for side in (lab.c, lab.s)}
    watching = watch(way, "--flags")
    pair = scripted(lab)
    watching.finish()
    check_flags(watching, lab, pair, taps)
    server = watching.record(lab.s, pair.sport, pair.cport)["flags_rx"]
    assert (server["syn"], server["fin"], server["rst"], server["urg"]) == (1, 1, 0, 1)


@some_ways
def test_flags_of_a_reset(lab, watch, tap, way):
    taps = {side: tap(side) for side in (lab.c, lab.s)}
    watching = watch(way, "--flags")
    pair = lab.pair()
    pair.say(10)
    reset_close(pair.client)
    read_reset(pair.server)
    pair.server.close()
    watching.finish()
    check_flags(watching, lab, pair, taps)
    assert watching.record(lab.s, pair.sport, pair.cport)["flags_rx"]["rst"] == 1


@some_ways
def test_flags_of_lives_in_a_row(lab, watch, tap, way):
    """The same ends again, one life after the other: each counts for itself."""
    wire = tap(lab.s)
    watching = watch(way, "--flags")
    listener = lab.listen()
    counted = []
    for _ in range(4):
        before = len(wire.received())
        pair = lab.pair(cport=5001, listener=listener)
        pair.say(5)
        pair.server.close()
        read_end(pair.client)
        pair.client.close()
        lab.s.wait_sockets("time-wait")
        counted.append(flags_of(wire.received()[before:]))
    listener.close()
    watching.finish()
    told = sorted((one for one in watching.records(lab.s)), key=lambda one: one["start"])
    # the FIN may come after the socket has gone, as does its end
    for one, wanted in zip(told, counted):
        wanted = {**wanted, "fin": one["flags_rx"]["fin"], "ack": one["flags_rx"]["ack"]}
        assert one["flags_rx"] == wanted and one["flags_rx"]["syn"] == 1
    assert len(told) == 4


@some_ways
def test_flags_of_an_old_connection(lab, watch, way):
    """Not counted from its SYN on: unknown, and not too low, even if a stray SYN comes later."""
    lab.version = way[0]
    pair = lab.pair()
    pair.say(10)
    watching = watch(way, "--flags")
    pair.say(10)
    send_segment(lab.c, (lab.client_address, pair.cport), (lab.server_address, PORT), SYN, 4711)
    pair.answer(10)
    close_client_first(pair)
    lab.settle()
    watching.finish()
    for side, ports in ((lab.c, (pair.cport, PORT)), (lab.s, (PORT, pair.cport))):
        record = watching.record(side, *ports)
        assert (record["opened"], record["flags_rx"]) == ("preexisting", None), record


@some_ways
def test_flags_of_an_orphan(lab, watch, way):
    """Flags are counted until the socket is gone: the peer's FIN comes later, to a minisock."""
    watching = watch(way, "--flags", "--whole")
    pair = lab.pair()
    pair.say(10)
    close_client_first(pair)
    lab.settle()
    watching.finish()
    told = [record for record in watching.tracer(lab.c).records() if record["role"] == "client"]
    flags = [record["flags_rx"] for record in told if record["flags_rx"]]
    assert [(one["syn"], one["fin"]) for one in flags] == [(1, 0)]


@pytest.mark.parametrize("addresses", [("127.77.0.1", 4), ("::1", 6)], ids=["ipv4", "ipv6"])
def test_loopback(lab, trace, tap, addresses):
    """Both ends in one namespace, over lo, which is watched because it is named."""
    address, lab.version = addresses
    wire = tap(lab.s, "lo")
    tracer = watch_one(trace, lab.s, "--flags", "--whole", device="lo")
    says(tracer, "lo: its driver has no XDP; watching by tc instead")
    listener = lab.listen(address=address)
    client = lab.socket(lab.s)
    client.bind((address, 5001))
    client.connect((address, PORT))
    pair = lab.accepted(listener, client)
    listener.close()
    pair.say(10)
    pair.client.shutdown(socket.SHUT_WR)
    read_end(pair.server)
    pair.server.close()
    read_fin(pair.client)
    wait_state(pair.client, TCP_CLOSE)
    pair.client.close()
    finished(tracer)
    own = own_record(tracer, lab.s, 5001, PORT)
    other = own_record(tracer, lab.s, PORT, 5001)
    for record in (own, other):
        wanted = [one for one in wire.received() if one.dport == record["lport"]]
        assert record["flags_rx"] == flags_of(wanted), record
        assert (record["teardown"], record["history"]) == ("four_way", "ShADFf"), record
    assert (own["cookie"], own["isn_local"], own["isn_remote"]) == (
        other["peer_cookie"], other["isn_remote"], other["isn_local"])
    assert own["peer_cookie"] == other["cookie"]


@pytest.fixture
def twin():
    """Another pair of namespaces, with the same addresses."""
    lab = Lab("twin")
    yield lab
    lab.end()


@pytest.mark.parametrize("ours_first", [True, False], ids=["ours-first", "theirs-first"])
@some_ways
def test_same_ends_elsewhere(lab, twin, watch, tap, way, ours_first):
    """
    Two connections with the same addresses and ports, in namespaces of their
    own, of which the devices of one pair are watched: nothing is mixed up.
    """
    taps = {side: tap(side) for side in (lab.c, lab.s)}
    watching = watch(way, "--flags", "--whole")
    twin.version = lab.version
    pairs = {}
    for one in ((lab, twin) if ours_first else (twin, lab)):
        pairs[one] = one.pair(cport=5001)
    for one, count in ((twin, 5), (lab, 3)):
        pairs[one].say(count)
        close_client_first(pairs[one])
        one.settle()
    watching.finish()
    complaints = [f"not watched, {name} is {record[name]}: {record}"
                  for side in (lab.c, lab.s) for record in watching.tracer(side).records()
                  for name in ("flags_rx", "handshake", "violations")
                  if record["netns"] in (twin.c.inode, twin.s.inode) and record[name]]
    for side, ports in ((lab.c, (5001, PORT)), (lab.s, (PORT, 5001))):
        complaints += complain_of_ours(watching.record(side, *ports),
                                       flags_of(taps[side].received(*ports)))
    assert not complaints, "\n".join(complaints)


def complain_of_ours(record, flags):
    """The FIN and its ACK may come when the socket is gone already."""
    told = record["flags_rx"] or {}
    wanted = {"handshake": [], "violations": [], "teardown": "four_way", "conn_state": "SF"}
    lines = [f"{name} is {record[name]!r}" for name, value in wanted.items()
             if record[name] != value]
    lines += [f"flags_rx of {name} is {told.get(name)}, must be {flags[name]}"
              for name in ("syn", "psh", "rst", "urg") if told.get(name) != flags[name]]
    if not record["half_close_ns"] or not Range(0.05, 1)(record["half_close_ns"]):
        lines.append(f"half_close_ns is {record['half_close_ns']}")
    return [f"ours: {line}: {record}" for line in lines]


# ---- no harm ----

@every_way
def test_frames_pass_unchanged(lab, watch, way):
    """1 MB each way, at once."""
    watching = watch(way, "--flags")
    pair = lab.pair()
    up, down = os.urandom(1 << 20), os.urandom(1 << 20)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        sending = [pool.submit(pair.client.sendall, up), pool.submit(pair.server.sendall, down)]
        got_down = pool.submit(read_exactly, pair.client, len(down))
        got_up = pool.submit(read_exactly, pair.server, len(up))
    for future in sending:
        future.result()
    assert hashlib.sha256(got_up.result()).digest() == hashlib.sha256(up).digest()
    assert hashlib.sha256(got_down.result()).digest() == hashlib.sha256(down).digest()
    close_client_first(pair)
    lab.settle()
    watching.finish()
    for side, ports in ((lab.c, (pair.cport, PORT)), (lab.s, (PORT, pair.cport))):
        record = watching.record(side, *ports)
        assert (record["tx_bytes"], record["rx_bytes"]) == (1 << 20, 1 << 20), record
        assert record["complete"] and record["closed"] == "fin", record


FLOOD = 200_000
HONEST = 1_000
FLOOD_NET = ipaddress.ip_network("10.78.0.0/16")
MEMORY_MB = 200


def peak_memory_mb(pid):
    with open(f"/proc/{pid}/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) / 1024


def syns(lab):
    """Half of them for one port that is open, the rest a scan over 50,000 that are not."""
    maker = SynMaker(lab.c.mac(), lab.s.mac(), SERVER4)
    for number in range(FLOOD):
        if number % 100 == 0:
            time.sleep(0.0005)  # others have this link and these CPUs too
        port = PORT if number % 2 else 1_000 + number // 2 % 50_000
        yield maker.frame(number % 65536, 1024 + number % 60_000, port)


def flood(lab):
    send_frames(lab.c, DEVICE, syns(lab))


def live_honestly(lab, listener):
    """Its data comes through even if the last ACK gets lost in the flood."""
    client = lab.connect()
    client.sendall(b"u")
    pair = lab.accepted(listener, client)
    pair.said(1)
    client.close()
    read_fin(pair.server)
    pair.server.close()


@modes
def test_flood(lab, trace, mode):
    """SYNs of 65,536 strangers, beside honest connections: all of these are told, in full."""
    lab.s.run("ip", "route", "add", str(FLOOD_NET), "via", CLIENT4)
    listener = lab.listen(backlog=4096)
    with lab.s.entered():
        tracer = trace("flood", "life", "--json", "-i", DEVICE, "--packets", mode)
    before = peak_memory_mb(tracer.pid)
    flooding = multiprocessing.get_context("fork").Process(target=flood, args=(lab,))
    flooding.start()
    try:
        amid = 0
        for _ in range(HONEST):
            live_honestly(lab, listener)
            amid += flooding.is_alive()
            time.sleep(0.002)
        flooding.join(60)
        assert flooding.exitcode == 0
    finally:
        flooding.kill()
        flooding.join()
    assert amid > HONEST // 10
    lab.settle()
    time.sleep(1)
    grown = peak_memory_mb(tracer.pid) - before
    finished(tracer)
    listener.close()
    assert tracer.lost() == 0, tracer.stderr()
    assert grown < MEMORY_MB, f"{grown:.0f} MB more"
    check_honest(tracer, lab)
    assert tracer.counted("segments of interest") > FLOOD


def check_honest(tracer, lab):
    honest = [one for one in tracer.records() if one["netns"] in (lab.c.inode, lab.s.inode) and
              {one["laddr"], one["raddr"]} == {CLIENT4, SERVER4}]
    odd = [one for one in honest if (one["complete"], one["opened"], one["closed"]) != (
        True, "handshake", "fin") or one["tx_bytes"] + one["rx_bytes"] != 1]
    assert not odd, odd[:3]
    roles = [one["role"] for one in honest]
    assert (roles.count("client"), roles.count("server")) == (HONEST, HONEST)
    assert len({one["cookie"] for one in honest}) == 2 * HONEST
    assert not [one for one in honest if not one["peer_cookie"]]
