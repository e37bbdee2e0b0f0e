# SPDX-License-Identifier: GPL-2.0-only
"""connlife export: the numbers are those of the connections that were made here."""
import contextlib
import ctypes
import os
import socket
import time

import pytest

from exported import (  # noqa: F401: two are fixtures
    STATES, Export, check_with_promtool, connect, directory, family, make_pair, ours, records_of,
    series, start_connect)
from load import run_storm
from netlab import SYN, eventually, read_fin, reset_close
from stage import read_end, read_reset
from tracer import REBIRTH_S, finished

PR_SET_NAME = 15


def close_first(first, second):
    """A release; the minisock of the first is taken away, for TIME_WAIT lasts a minute."""
    first.shutdown(socket.SHUT_WR)
    read_end(second)
    second.close()
    read_fin(first)
    first.close()


def test_counters(lab, ours, trace, directory):
    """Exactly what was done here: by role, by who closed, how and why; nothing else."""
    drop = lab.s.drop(SYN + " tcp dport 9")
    lab.s.sysctl(tcp_syn_retries=1)
    export = Export(trace, directory, *ours)
    for _ in range(2):  # normal, closed by the client
        pair = make_pair(lab)
        pair.say(100)
        pair.answer(11)
        close_first(pair.client, pair.server)
    for _ in range(3):  # reset by the client with SO_LINGER 0
        pair = make_pair(lab)
        reset_close(pair.client)
        read_reset(pair.server)
        pair.server.close()
    with pytest.raises(ConnectionRefusedError):
        connect(lab, 81)
    with pytest.raises(OSError):
        connect(lab, 9)  # timed out, after 3 s
    repeated = drop.count() - 1
    assert repeated > 0
    lab.s.run("ss", "-K", "-t", "state", "time-wait")
    time.sleep(REBIRTH_S)
    found = export.fresh()
    assert family(found, "connlife_connections_opened_total") == {
        (("role", "client"),): 5, (("role", "server"),): 5}
    assert family(found, "connlife_connections_failed_total") == {
        (("role", "client"), ("reason", "refused")): 1,
        (("role", "client"), ("reason", "timed_out")): 1}
    assert family(found, "connlife_connections_closed_total") == {
        (("role", "client"), ("first", "local"), ("how", "fin")): 2,
        (("role", "server"), ("first", "remote"), ("how", "fin")): 2,
        (("role", "client"), ("first", "local"), ("how", "rst_sent")): 3,
        (("role", "server"), ("first", "remote"), ("how", "rst_received")): 3}
    assert family(found, "connlife_resets_total") == {
        (("direction", "sent"), ("reason", "linger0")): 3,
        (("direction", "received"), ("reason", "unknown")): 3}
    assert found[series("connlife_sent_bytes_total")] == 222
    assert found[series("connlife_received_bytes_total")] == 222
    assert family(found, "connlife_retransmitted_segments_total") == {(("flag", "syn"),): repeated}
    assert family(found, "connlife_handshake_seconds_count") == {
        (("role", "client"),): 5, (("role", "server"),): 5}
    assert family(found, "connlife_connection_duration_seconds_count") == {
        (("role", "client"),): 5, (("role", "server"),): 5}
    assert found[series("connlife_state_seconds_bucket", state="syn_sent", le="5")] == 7
    assert found[series("connlife_state_seconds_bucket", state="syn_sent", le="1")] == 6
    assert not family(found, "connlife_events_lost_total")
    assert not family(found, "connlife_connections_incomplete_total")
    assert not family(found, "connlife_connections")
    check_with_promtool(export.text())
    finished(export.tracer)
    assert export.tracer.text() == "", "nothing on stdout"
    assert os.listdir(directory) == [], "a clean stop leaves nothing"


def test_gauges(lab, ours, trace, directory):
    """What is there now, each state, with zeros, and how long."""
    forgotten = make_pair(lab)
    forgotten.client.shutdown(socket.SHUT_WR)
    export = Export(trace, directory, "--by", "port=80,81", *ours)
    pair = make_pair(lab, 81)
    lab.s.drop(SYN + " tcp dport 9")
    lost = start_connect(lab, 9)
    found = export.fresh()
    assert family(found, "connlife_connections") == {
        (("state", "established"),): 2, (("state", "fin_wait2"),): 1,
        (("state", "close_wait"),): 1, (("state", "syn_sent"),): 1}
    for state in STATES:
        assert series("connlife_connections", state=state) in found
        for port in ("80", "81"):
            assert series("connlife_port_connections", port=port, state=state) in found
    assert family(found, "connlife_port_connections") == {
        (("port", "80"), ("state", "fin_wait2")): 1, (("port", "80"), ("state", "close_wait")): 1,
        (("port", "81"), ("state", "established")): 2}
    age = series("connlife_state_oldest_age_seconds", state="syn_sent")
    assert 0.4 < found[age] < 3, found[age]
    assert not family(found, "connlife_stuck_connections")
    export.until(series("connlife_stuck_connections", state="syn_sent"), 1)
    assert 3 < export.read()[age] < 6
    for sock in (lost, pair.client, pair.server, forgotten.server, forgotten.client):
        sock.close()
    found = export.fresh()
    assert not family(found, "connlife_stuck_connections")
    assert found[series("connlife_connections", state="close_wait")] == 0
    finished(export.tracer)


def test_accept_queue(lab, ours, trace, directory):
    listener = lab.listen(backlog=1)
    export = Export(trace, directory, *ours)
    waiting = [connect(lab) for _ in range(2)]
    late = start_connect(lab, 80)  # one too many: its SYN is dropped, and what it repeats
    export.until(series("connlife_accept_queue_connections"), 2)
    late.close()
    found = export.fresh()
    assert found[series("connlife_accept_queue_largest_ratio")] == 2
    assert found[series("connlife_listeners")] == 1
    lines = lab.s.run("cat", "/proc/thread-self/net/netstat").splitlines()
    overflows = int(dict(zip(lines[0].split(), lines[1].split()))["ListenOverflows"])
    assert overflows > 0
    export.until(series("connlife_accept_queue_overflows_total"), overflows)
    for sock in (*waiting, listener):
        sock.close()
    export.until(series("connlife_listeners"), 0)
    finished(export.tracer)


def test_listener_goes_with_its_namespace(lab, trace, directory):
    """No walk comes there again to see that it is gone."""
    listener = lab.listen(port=4177)
    export = Export(trace, directory, "-L", "4177")
    waiting = connect(lab, 4177)
    export.until(series("connlife_accept_queue_connections"), 1)
    assert export.read()[series("connlife_listeners")] == 1
    lab.s.unname()
    lab.s.forget()
    for sock in (waiting, listener):
        sock.close()
    export.until(series("connlife_listeners"), 0)
    assert export.read()[series("connlife_accept_queue_connections")] == 0
    finished(export.tracer)


def test_ports_used(lab, ours, trace, directory):
    """Three of ten ports towards one destination, two of them in TIME_WAIT; of five TIME_WAITs."""
    lab.s.sysctl(ip_local_port_range="40000 40009", tcp_max_tw_buckets=5)
    export = Export(trace, directory, *ours)
    for _ in range(2):
        pair = make_pair(lab)
        close_first(pair.client, pair.server)
    pair = make_pair(lab)
    lab.s.wait_sockets("time-wait", 2)
    found = export.fresh()
    assert found[series("connlife_ephemeral_ports_used_ratio")] == 0.3
    assert found[series("connlife_time_wait_connections_ratio")] == 0.4
    assert found[series("connlife_connections", state="time_wait")] == 2
    pair.client.close()
    pair.server.close()
    finished(export.tracer)


def test_segments(lab, ours, trace, directory):
    """What lo received of one connection, by flag: each end's SYN and FIN."""
    export = Export(trace, directory, "-i", "lo", "--packets", "tc", *ours)
    pair = make_pair(lab)
    close_first(pair.client, pair.server)
    rx = {"direction": "rx"}
    export.until(series("connlife_segments_total", **rx, flag="fin"), 2)
    found = export.fresh()
    assert found[series("connlife_segments_total", **rx, flag="syn")] == 2
    assert found[series("connlife_segments_total", **rx, flag="ack")] >= 4
    assert found[series("connlife_segments_total", **rx, flag="rst")] == 0
    finished(export.tracer)


def test_series_do_not_grow(lab, ours, trace, directory):
    """As many after 10 connections as after 100,000, and as many as it says."""
    export = Export(trace, directory, *ours)
    run_storm(lab.s, 10)
    few = export.fresh()
    run_storm(lab.s, 100_000)
    many = export.fresh()
    assert set(few) == set(many)
    assert many[series("connlife_series")] == len(many)
    opened = "connlife_connections_opened_total"
    lost = sum(family(many, "connlife_events_lost_total").values())
    assert many[series(opened, role="client")] + lost >= 100_010
    if not lost:
        assert many[series(opened, role="client")] == 100_010
        assert many[series(opened, role="server")] == 100_010
    finished(export.tracer)


@contextlib.contextmanager
def called(name):
    """This process has another name meanwhile."""
    libc = ctypes.CDLL(None)
    with open("/proc/self/comm", "rb") as comm:
        own = comm.read().rstrip(b"\n")
    libc.prctl(PR_SET_NAME, name, 0, 0, 0)
    yield
    libc.prctl(PR_SET_NAME, own, 0, 0, 0)


def test_hostile_names(lab, ours, trace, directory, tmp_path):
    json_path = tmp_path / "records.json"
    export = Export(trace, directory, "--by", "comm", "--by", "cgroup", "--json", str(json_path),
                    *ours)
    listener = lab.listen()
    names = [b'a"b\\c\nd\xff', b'"} 1\n# HELP x', b"\xff\xfe\x1b[2J", b"\\", b"caf\xc3\xa9"]
    clients = []
    for name in names:
        with called(name):
            clients.append(connect(lab))
    found = export.fresh()
    check_with_promtool(export.text())
    told = {dict(labels)["comm"]: number for labels, number in
            family(found, "connlife_comm_connections").items()
            if dict(labels)["state"] == "established"}
    for name in names:
        assert told[name[:15].decode(errors="replace")] == 1, told
    assert sum(told.values()) == 2 * len(names)
    assert found[series("connlife_series")] == len(found)
    for client in clients:
        reset_close(client)
    eventually(lambda: json_path.read_bytes().count(b"\n") >= len(names), "records")
    assert {record["comm"] for record in records_of(json_path) if record["role"] == "client"} == {
        name[:15].decode(errors="replace") for name in names}
    listener.close()
    finished(export.tracer)
