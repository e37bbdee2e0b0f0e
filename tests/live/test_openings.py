# SPDX-License-Identifier: GPL-2.0-only
"""
How connections are opened, or not: by what both ends' interfaces saw besides
what the sockets did. Each end is told as it was, and the two agree.
"""
import socket
import time

import pytest

from expect import SECOND, AtLeast, OneOf, Range, parse_time
from netlab import (PURE_ACK, SYN, SYNACK, TCP_CLOSE, TCP_ESTABLISHED, TCP_SYN_SENT, reset_close,
                    tcp_state, wait_state)
from stage import PORT, Pair, close_client_first
from watching import OTHER_WAYS, SOME_WAYS, WAYS
from wire import ACK, RST, WINDOW, send_segment
from wire import SYN as SYN_FLAG

MSG_FASTOPEN = 0x20000000
TCP_DEFER_ACCEPT = 9
TCP_FASTOPEN = 23
NEAR_NS = SECOND // 50  # connlife and the tap look at a segment in one softirq

# What remains when the tracers end, which is before TIME_WAIT does.
FOUR_WAY = {"teardown": "four_way", "half_close_bytes": 0}
FIRST = {**FOUR_WAY, "ends": None, "time_wait_ns": None}

every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: f"ipv{way[0]}-{way[1]}")
some_ways = pytest.mark.parametrize("way", SOME_WAYS, ids=lambda way: f"ipv{way[0]}-{way[1]}")
other_ways = pytest.mark.parametrize("way", OTHER_WAYS, ids=lambda way: f"ipv{way[0]}-{way[1]}")


def near(moment_ns):
    """For a start or end: the moment of a segment as the tap saw it."""
    return lambda text: text is not None and abs(parse_time(text) - moment_ns) < NEAR_NS


def within(ns):
    """For a time span: as long as between two segments that the tap saw."""
    return lambda value: value is not None and abs(value - ns) < NEAR_NS


def live_on(lab, pair, client=None, server=None, client_shake=(), server_shake=()):
    """Three bytes and four segments: client and server are what is special about each end."""
    pair.say(3)
    close_client_first(pair)
    lab.closed_by_client(
        pair,
        client={**FIRST, "history": "ShADFf", "handshake": list(client_shake), **(client or {})},
        server={**FOUR_WAY, "history": "ShADFf", "handshake": list(server_shake),
                **(server or {})})
    lab.settle()


def accept(lab, listener, client):
    pair = lab.accepted(listener, client)
    listener.close()
    return pair


def check_sequences(watching, pair, tap):
    """The initial sequence numbers are those of the SYN and the SYN+ACK on the wire."""
    seen = tap.segments(pair.cport, pair.sport)
    syn = next(one.seq for one in seen if one.opens())
    synack = next(one.seq for one in seen if one.answers())
    client = watching.record(watching.lab.c, pair.cport, pair.sport)
    server = watching.record(watching.lab.s, pair.sport, pair.cport)
    assert (client["isn_local"], client["isn_remote"]) == (syn, synack)
    assert (server["isn_local"], server["isn_remote"]) == (synack, syn)


def slow_connect(lab, round_trip):
    """The SYN+ACK takes its time."""
    lab.c.release(lab.version)  # which need not ask who the server is, and so tell it
    lab.s.plug(lab.version)
    client = lab.start_connect()
    time.sleep(round_trip)
    lab.s.release(lab.version)
    wait_state(client, TCP_ESTABLISHED)
    return client


@every_way
def test_handshake(lab, watch, tap, way):
    """A round trip of 0.3 s: the server's handshake lasts from the SYN to the last ACK."""
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    listener = lab.listen()
    client = slow_connect(lab, 0.3)
    pair = accept(lab, listener, client)
    syn, ack = wire.received()[:2]
    live_on(lab, pair, client={"handshake_ns": Range(0.3, 1)},
            server={"start": near(syn.ts_ns), "handshake_ns": within(ack.ts_ns - syn.ts_ns)})
    watching.check()
    check_sequences(watching, pair, wire)


@some_ways
def test_syn_lost(lab, watch, tap, way):
    """The server knows nothing of the first SYN."""
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    listener = lab.listen()
    loss = lab.c.lose(SYN)
    client = lab.start_connect()
    loss.wait_count(1)
    loss.lift()
    wait_state(client, TCP_ESTABLISHED)
    pair = accept(lab, listener, client)
    syn = wire.received()[0]
    live_on(lab, pair, client_shake=["syn_again"],
            client={"syn_retrans": 1, "retrans": 1, "handshake_ns": Range(0.9, 3)},
            server={"start": near(syn.ts_ns), "handshake_ns": Range(0, 0.2)})
    watching.check()


@other_ways
def test_syn_filtered(lab, watch, tap, way):
    """
    Netfilter drops the first SYN behind the device: it was seen, and not
    answered. The server's life begins with the one that was.
    """
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    listener = lab.listen()
    drop = lab.s.drop(SYN)
    client = lab.start_connect()
    drop.wait_count(1)
    drop.lift()
    wait_state(client, TCP_ESTABLISHED)
    pair = accept(lab, listener, client)
    _first, second, ack = wire.received()[:3]
    live_on(lab, pair, client_shake=["syn_again"], server_shake=["syn_again", "syn_ignored"],
            client={"syn_retrans": 1, "retrans": 1, "handshake_ns": Range(0.9, 3)},
            server={"start": near(second.ts_ns),
                    "handshake_ns": within(ack.ts_ns - second.ts_ns)})
    watching.check()


@some_ways
def test_synack_lost(lab, watch, tap, way):
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    listener = lab.listen()
    loss = lab.s.lose(SYNACK)
    client = lab.start_connect()
    loss.wait_count(1, settle=0.1)
    lost = loss.count()
    loss.lift()
    wait_state(client, TCP_ESTABLISHED)
    pair = accept(lab, listener, client)
    syns = [one for one in wire.received() if one.opens()]
    synacks = [one for one in wire.sent() if one.answers()]
    again, synacks_again = len(syns) - 1, lost + len(synacks) - 1
    live_on(lab, pair, client_shake=["syn_again"], server_shake=["syn_again", "synack_again"],
            client={"syn_retrans": again, "retrans": again, "handshake_ns": Range(0.9, 3)},
            server={"synack_retrans": synacks_again, "retrans": synacks_again,
                    "start": near(syns[0].ts_ns), "handshake_ns": Range(0.9, 3)})
    watching.check()


def last_ack_missed(lab, pause):
    """After that time, data completes what the last ACK did not."""
    listener = lab.listen()
    client = lab.connect()
    time.sleep(pause)
    return listener, client


@other_ways
def test_last_ack_lost(lab, watch, tap, way):
    """Data completes the handshake, before any SYN+ACK is repeated."""
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    loss = lab.c.lose(PURE_ACK)
    listener, client = last_ack_missed(lab, 0.3)
    loss.lift()
    client.sendall(b"u")
    pair = accept(lab, listener, client)
    pair.said(1)
    syn, data = wire.received()[:2]
    live_on(lab, pair, client={"handshake_ns": Range(0, 0.2)},
            server={"start": near(syn.ts_ns), "handshake_ns": within(data.ts_ns - syn.ts_ns),
                    "times": {"SYN_RECV": Range(0.3, 1)}})
    watching.check()


@some_ways
def test_last_ack_filtered(lab, watch, tap, way):
    """The last ACK is seen by the device, and dropped behind it."""
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    drop = lab.s.drop(PURE_ACK)
    listener, client = last_ack_missed(lab, 0.3)
    drop.lift()
    client.sendall(b"u")
    pair = accept(lab, listener, client)
    pair.said(1)
    syn, _ack, data = wire.received()[:3]
    live_on(lab, pair, server_shake=["ack_ignored"],
            server={"start": near(syn.ts_ns), "handshake_ns": within(data.ts_ns - syn.ts_ns)})
    watching.check()


@other_ways
def test_last_ack_filtered_longer(lab, watch, tap, way):
    """The SYN+ACK is repeated meanwhile."""
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    drop = lab.s.drop(PURE_ACK)
    listener, client = last_ack_missed(lab, 0)
    drop.wait_count(2)
    drop.lift()
    client.sendall(b"u")
    pair = accept(lab, listener, client)
    pair.said(1)
    again = sum(one.answers() for one in wire.sent()) - 1
    live_on(lab, pair, server_shake=["synack_again", "ack_ignored"],
            server={"synack_retrans": again, "retrans": again, "handshake_ns": Range(0.9, 3)})
    watching.check()


@some_ways
def test_syn_cookies(lab, watch, tap, way):
    """No request remembers when the SYN came; the device does."""
    lab.s.sysctl(tcp_syncookies=2)
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    listener = lab.listen()
    client = slow_connect(lab, 0.2)
    pair = accept(lab, listener, client)
    syn, ack = wire.received()[:2]
    live_on(lab, pair, server_shake=["syn_cookie"], client={"handshake_ns": Range(0.2, 1)},
            server={"start": near(syn.ts_ns), "handshake_ns": within(ack.ts_ns - syn.ts_ns)})
    watching.check()
    check_sequences(watching, pair, wire)


@other_ways
def test_syn_cookie_lost(lab, watch, tap, way):
    """The client asks again; each of its SYNs was answered, by a cookie of its own."""
    lab.s.sysctl(tcp_syncookies=2)
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    listener = lab.listen()
    loss = lab.s.lose(SYNACK)
    client = lab.start_connect()
    loss.wait_count(1)
    loss.lift()
    wait_state(client, TCP_ESTABLISHED)
    pair = accept(lab, listener, client)
    syns = [one for one in wire.received() if one.opens()]
    assert len(syns) == 2
    live_on(lab, pair, client_shake=["syn_again"], server_shake=["syn_again", "syn_cookie"],
            client={"syn_retrans": 1, "retrans": 1, "handshake_ns": Range(0.9, 3)},
            server={"start": near(syns[-1].ts_ns), "handshake_ns": Range(0, 0.2)})
    watching.check()


def fast_open(lab, count):
    client = lab.socket()
    client.sendto(b"f" * count, MSG_FASTOPEN, (lab.server_address, PORT))
    return client


@other_ways
def test_fast_open(lab, watch, tap, way):
    """The first connection fetches a cookie, the second takes data along with its SYN."""
    for side in (lab.c, lab.s):
        side.sysctl(tcp_fastopen=3)
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    listener = lab.listen()
    listener.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
    first = lab.accepted(listener, fast_open(lab, 3))
    first.said(3)
    live_on(lab, first)
    second = accept(lab, listener, fast_open(lab, 7))
    second.said(7)
    syn = next(one for one in wire.received(second.cport, PORT))
    assert syn.payload == 7
    live_on(lab, second, client={"opened": "fastopen"},
            server={"opened": "fastopen", "start": near(syn.ts_ns)})
    watching.check()
    check_sequences(watching, first, wire)
    check_sequences(watching, second, wire)


@some_ways
def test_simultaneous_open(lab, watch, tap, way):
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    client, server = lab.socket(lab.c), lab.socket(lab.s)
    client.bind((lab.client_address, 5001))
    server.bind((lab.server_address, 5002))
    for side in (lab.c, lab.s):
        side.plug(lab.version)
    for sock, address in ((client, (lab.server_address, 5002)),
                          (server, (lab.client_address, 5001))):
        sock.setblocking(False)
        sock.connect_ex(address)
        wait_state(sock, TCP_SYN_SENT)
    for side in (lab.c, lab.s):
        side.release(lab.version)
    for sock in (client, server):
        wait_state(sock, TCP_ESTABLISHED)
        sock.setblocking(True)
    pair = Pair(client, server, sport=5002)
    pair.say(3)
    close_client_first(pair)
    both = {"role": "both", "family": lab.version, "opened": "simultaneous", "syn_retrans": None,
            "synack_retrans": None, "pid_source": "connect", "conn_state": None, "history": None,
            **FOUR_WAY}
    lab.expect(lab.c, 5001, 5002, "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT1 FIN_WAIT2",
               after="TIME_WAIT", **both, laddr=lab.client_address, raddr=lab.server_address,
               closed_first="local", remains="fin_wait2", tx_bytes=3, rx_bytes=0,
               time_wait_ns=None)
    lab.expect(lab.s, 5002, 5001, "SYN_SENT SYN_RECV ESTABLISHED CLOSE_WAIT LAST_ACK",
               **both, laddr=lab.server_address, raddr=lab.client_address,
               closed_first="remote", tx_bytes=0, rx_bytes=3)
    lab.settle()
    watching.check()
    own = watching.record(lab.c, 5001, 5002)
    syns = {one.sport: one.seq for one in wire.segments(5001, 5002) if one.opens()}
    assert (own["isn_local"], own["isn_remote"]) == (syns[5001], syns[5002])


@other_ways
def test_accept_queue_full(lab, watch, tap, way):
    """SYNs are dropped by the listener until somebody accepts."""
    lab.s.sysctl(tcp_syncookies=0)
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    listener = lab.listen(backlog=0)
    clients = [lab.connect(cport=5001), lab.start_connect(cport=5002)]
    time.sleep(0.3)
    assert tcp_state(clients[1]) == TCP_SYN_SENT
    pairs = [lab.accepted(listener, client) for client in clients]
    listener.close()
    wait_state(clients[1], TCP_ESTABLISHED)
    syns = [one for one in wire.received(5002, PORT) if one.opens()]
    again = len(syns) - 1
    live_on(lab, pairs[0])
    live_on(lab, pairs[1], client_shake=["syn_again"],
            server_shake=["syn_again", "syn_ignored", "accept_queue_full"],
            client={"syn_retrans": again, "retrans": again, "handshake_ns": Range(0.9, 8)},
            server={"start": near(syns[-1].ts_ns), "handshake_ns": Range(0, 0.2)})
    watching.check()


@some_ways
def test_accept_queue_full_later(lab, watch, tap, way):
    """
    Its request is there before the queue is full: the last ACK is ignored until
    the SYN+ACK is repeated. There is room for two, and for two requests.
    """
    lab.s.sysctl(tcp_syncookies=0)
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    listener = lab.listen(backlog=1)
    clients = [lab.connect(cport=5001)]
    lab.s.plug(lab.version)
    clients += [lab.start_connect(cport=cport) for cport in (5002, 5003)]
    lab.s.wait_sockets("syn-recv", 2)
    lab.s.release(lab.version)
    for client in clients:
        wait_state(client, TCP_ESTABLISHED)
    lab.s.wait_sockets("syn-recv", 1)
    time.sleep(0.1)
    pairs = [lab.accepted(listener, client) for client in clients]
    listener.close()
    assert [pair.server.getpeername()[1] for pair in pairs] == [5001, 5002, 5003]
    again = sum(one.answers() for one in wire.sent(PORT, 5003)) - 1
    live_on(lab, pairs[0])
    live_on(lab, pairs[1])
    live_on(lab, pairs[2], server_shake=["synack_again", "ack_ignored", "accept_queue_full"],
            server={"synack_retrans": again, "retrans": again, "handshake_ns": Range(0.9, 3)})
    watching.check()


@some_ways
def test_defer_accept(lab, watch, tap, way):
    """The listener waits for data: the last ACK alone completes nothing."""
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    listener = lab.listen()
    listener.setsockopt(socket.IPPROTO_TCP, TCP_DEFER_ACCEPT, 5)
    client = lab.connect()
    time.sleep(0.3)
    client.sendall(b"u")
    pair = accept(lab, listener, client)
    pair.said(1)
    syn, _ack, data = wire.received()[:3]
    live_on(lab, pair, server_shake=["ack_ignored", "deferred_accept"],
            client={"handshake_ns": Range(0, 0.2)},
            server={"start": near(syn.ts_ns), "handshake_ns": within(data.ts_ns - syn.ts_ns)})
    watching.check()


NO_PEER = {"isn_local": None, "isn_remote": None, "peer_cookie": None}
UNANSWERED = {**NO_PEER, "isn_remote": lambda _value: True}  # but for what never came through


def expect_attempt(lab, rport, states, **fields):
    """What the server's side tells of an attempt that no socket came of: nobody owns it."""
    unknown = dict.fromkeys(("cookie", "pid", "comm", "uid", "cgroup", "error", "handshake_ns",
                             "half_close_ns", "retrans", "syn_retrans", "synack_retrans",
                             "fin_retrans", "isn_local", "isn_remote", "peer_cookie"))
    anything = {name: lambda _value: True for name in ("isn_local", "isn_remote", "history",
                                                       "conn_state", "synack_retrans")}
    sport = fields.pop("sport", PORT)
    lab.expect(lab.s, sport, rport, states, **{
        **unknown, **anything, "role": "server", "family": lab.version,
        "laddr": lab.server_address, "raddr": lab.client_address, "pid_source": "unknown",
        "closed": "none", "closed_first": "none", "teardown": "none", "tx_bytes": 0,
        "rx_bytes": 0, **fields})


@every_way
def test_refused(lab, watch, tap, way):
    """Nobody listens: the server's side has a record of it too, without a process."""
    watching = watch(way)
    wire = tap(lab.s)
    client = lab.socket()
    client.bind((lab.client_address, 5001))
    with pytest.raises(ConnectionRefusedError):
        client.connect((lab.server_address, 99))
    client.close()
    syn = wire.received(5001, 99)[0]
    lab.attempt(5001, 99, opened="refused", error="ECONNREFUSED", conn_state="REJ", history="Sr",
                **NO_PEER)
    expect_attempt(lab, 5001, "", sport=99, opened="refused", conn_state="REJ",
                   reset_reason="NO_SOCKET", start=near(syn.ts_ns), end=near(syn.ts_ns))
    time.sleep(0.2)
    watching.check()
    for side in (lab.c, lab.s):
        assert watching.tracer(side).counted("attempts without a socket") == 1


def no_more_request(lab):
    """Waits for the end of the one half-open request, and gives its time."""
    lab.s.wait_sockets("syn-recv", 1)
    lab.s.wait_sockets("syn-recv", 0)
    return time.time_ns()


def expect_timed_out(lab, syn, over_ns):
    expect_attempt(lab, 5001, "SYN_RECV", opened="timed_out", start=near(syn.ts_ns),
                   end=lambda text: abs(parse_time(text) - over_ns) < SECOND // 2)


@other_ways
def test_half_open_times_out(lab, watch, tap, way):
    """The SYN+ACKs never arrive, and the client repeats its SYN: until both give up."""
    lab.s.sysctl(tcp_synack_retries=1)
    lab.c.sysctl(tcp_syn_retries=1)
    watching = watch(way)
    wire = tap(lab.s)
    drop = lab.c.drop(SYNACK)
    listener = lab.listen()
    client = lab.start_connect(cport=5001)
    over_ns = no_more_request(lab)
    wait_state(client, TCP_CLOSE)
    client.close()
    listener.close()
    drop.lift()
    syns = [one for one in wire.received() if one.opens()]
    again = len(syns) - 1
    lab.attempt(5001, opened="timed_out", error="ETIMEDOUT", syn_retrans=again, retrans=again,
                conn_state="S0", history="S", **UNANSWERED)
    expect_timed_out(lab, syns[0], over_ns)
    time.sleep(2)  # until it is sure that no more comes
    watching.check()


@some_ways
def test_half_open_forgotten(lab, watch, tap, way):
    """A lone SYN, whose sender is never heard of again."""
    lab.s.sysctl(tcp_synack_retries=1)
    watching = watch(way)
    wire = tap(lab.s)
    lab.c.drop(SYNACK)
    listener = lab.listen()
    send_segment(lab.c, (lab.client_address, 5001), (lab.server_address, PORT), SYN_FLAG, 1000)
    expect_timed_out(lab, wire.received()[0], no_more_request(lab))
    listener.close()
    time.sleep(2)
    watching.check()


@some_ways
def test_half_open_for_long(lab, watch, tap, way):
    """For 4.5 s all SYN+ACKs are lost: a connection at last, and no attempt besides."""
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    drop = lab.c.drop(SYNACK)
    listener = lab.listen()
    client = lab.start_connect()
    time.sleep(4.5)
    drop.lift()
    wait_state(client, TCP_ESTABLISHED)
    pair = accept(lab, listener, client)
    again = sum(one.opens() for one in wire.received()) - 1
    answers = [one for one in wire.sent() if one.answers()]
    live_on(lab, pair, client_shake=["syn_again"], server_shake=["syn_again", "synack_again"],
            client={"syn_retrans": again, "retrans": again, "handshake_ns": Range(4, 9)},
            server={"synack_retrans": len(answers) - 1, "retrans": len(answers) - 1,
                    "start": near(wire.received()[0].ts_ns), "handshake_ns": Range(4, 9)})
    watching.check()


@some_ways
def test_half_open_reset_by_its_client(lab, watch, tap, way):
    """The client gave up; its host answers the repeated SYN+ACK with a reset."""
    watching = watch(way)
    wire = tap(lab.s)
    drop = lab.c.drop(SYNACK)
    listener = lab.listen()
    client = lab.start_connect(cport=5001)
    drop.wait_count(1)
    client.close()
    drop.lift()
    lab.s.wait_sockets("syn-recv", 0)
    listener.close()
    syn, rst = wire.received()[0], wire.received()[-1]
    assert rst.flags == RST
    lab.attempt(5001, conn_state="S0", history="S", syn_retrans=AtLeast(0), retrans=AtLeast(0),
                **UNANSWERED)
    expect_attempt(lab, 5001, "SYN_RECV", opened="reset", start=near(syn.ts_ns),
                   end=near(rst.ts_ns))
    time.sleep(0.2)
    watching.check()
    assert watching.tracer(lab.s).counted("stray resets") == 0


@other_ways
def test_half_open_reset_by_close(lab, watch, tap, way):
    """The client is in ESTABLISHED already when it resets: the server's request is not."""
    watching = watch(way)
    wire = tap(lab.s)
    loss = lab.c.lose(PURE_ACK)
    listener = lab.listen()
    client = lab.connect(cport=5001)
    reset_close(client)
    lab.s.wait_sockets("syn-recv", 0)
    loss.lift()
    listener.close()
    syn, rst = wire.received()
    lab.client_alone(5001, closed="rst_sent", closed_first="local", reset_reason="TCP_STATE",
                     reason="linger0", conn_state="RSTO", history="ShAR", peer_cookie=None)
    expect_attempt(lab, 5001, "SYN_RECV", opened="reset", start=near(syn.ts_ns),
                   end=near(rst.ts_ns))
    time.sleep(0.2)
    watching.check()


@every_way
def test_stray_resets(lab, watch, way):
    """Resets for nothing are counted; they are no connections."""
    watching = watch(way)
    listener = lab.listen()
    for sport in (99, PORT):
        send_segment(lab.c, (lab.client_address, 5001), (lab.server_address, sport), RST, 12345)
    time.sleep(0.2)
    listener.close()
    watching.check()
    assert watching.tracer(lab.s).counted("stray resets") == 2
    assert watching.tracer(lab.c).counted("stray resets") == 0


@some_ways
def test_stray_acks(lab, watch, way):
    """So are other segments that nobody waited for, which the host answers with resets."""
    watching = watch(way)
    listener = lab.listen()
    for sport in (99, PORT):
        send_segment(lab.c, (lab.client_address, 5001), (lab.server_address, sport), ACK, 1, 1)
    time.sleep(0.2)
    listener.close()
    watching.check()
    assert watching.tracer(lab.s).counted("stray segments") == 2
    assert watching.tracer(lab.c).counted("stray resets") == 2  # those answers


@pytest.mark.parametrize("cport", [5001, 0], ids=["bound", "port-chosen"])
@some_ways
def test_forged_synack(lab, watch, tap, way, cport):
    """
    A SYN+ACK that acknowledges what the client did not send: its host answers
    with a reset (lost here) and sends its SYN again.
    """
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    loss = lab.s.lose(f"{SYNACK} tcp window != {WINDOW}")
    lost_reset = lab.c.lose("tcp flags rst")
    listener = lab.listen()
    client = lab.socket()
    client.bind((lab.client_address, cport)) if cport else None
    client.setblocking(False)
    client.connect_ex((lab.server_address, PORT))
    lab.s.wait_sockets("syn-recv", 1)
    syn = wire.received()[0]
    send_segment(lab.s, (lab.server_address, PORT), (lab.client_address, syn.sport),
                 SYN_FLAG | ACK, 77, syn.seq + (1 << 30))
    loss.lift()
    wait_state(client, TCP_ESTABLISHED)
    client.setblocking(True)
    pair = accept(lab, listener, client)
    again = sum(one.opens() for one in wire.received()) - 1
    synacks = [one for one in wire.sent() if one.answers()]
    server_again = len(synacks) - 1  # the forged one passed, the first genuine one did not
    assert lost_reset.count()
    live_on(lab, pair, client_shake=["syn_again"] if again else [],
            server_shake=["syn_again"] * bool(again) + ["synack_again"],
            client={"violations": ["synack_ack"], "syn_retrans": again, "retrans": again},
            server={"synack_retrans": server_again, "retrans": server_again,
                    "start": near(syn.ts_ns)})
    watching.check()


@other_ways
def test_forged_last_ack(lab, watch, tap, way):
    """The first ACK of a handshake acknowledges too much: told as the peer's violation."""
    watching = watch(way, "--whole")
    wire = tap(lab.c)
    lab.c.drop(SYNACK)
    listener = lab.listen()
    ends = ((lab.client_address, 5001), (lab.server_address, PORT))
    send_segment(lab.c, *ends, SYN_FLAG, 1000)
    lab.s.wait_sockets("syn-recv", 1)
    synack = next(one for one in wire.received() if one.answers())
    send_segment(lab.c, *ends, ACK, 1001, synack.seq + 100)
    time.sleep(0.05)
    send_segment(lab.c, *ends, ACK, 1001, synack.seq + 1)
    server, _peer = listener.accept()
    listener.close()
    reset_close(server)
    pair = Pair(None, None, cport=5001)
    lab.server(pair, "", closed="rst_sent", closed_first="local", reset_reason="TCP_STATE",
               reason="linger0", conn_state="RSTR", history="ShAr", peer_cookie=None,
               isn_local=synack.seq, isn_remote=1000, violations=["handshake_ack"],
               handshake=OneOf([], ["ack_ignored"]))
    time.sleep(0.2)
    watching.check()


@some_ways
def test_forged_reset_of_a_request(lab, watch, tap, way):
    """An RST out of the window ends no half-open request: that becomes a connection after all."""
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    loss = lab.c.lose(PURE_ACK)
    listener = lab.listen()
    client = lab.connect(cport=5001)
    syn = wire.received()[0]
    send_segment(lab.c, (lab.client_address, 5001), (lab.server_address, PORT), RST,
                 syn.seq + (1 << 30))
    time.sleep(0.1)
    loss.lift()
    assert lab.s.sockets("syn-recv"), "the request is gone"
    client.sendall(b"u")
    pair = accept(lab, listener, client)
    pair.said(1)
    live_on(lab, pair, server={"start": near(syn.ts_ns)})
    watching.check()
