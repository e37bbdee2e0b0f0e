# SPDX-License-Identifier: GPL-2.0-only
"""
How connections end, segment by segment: the form of an orderly release, and
who reset or gave up, and why. Each end as it was, and the two agree.
"""
import socket
import time

import pytest

from expect import SECOND, AtLeast, OneOf, Range, parse_time
from netlab import (ANY_TCP, FIN, PURE_ACK, TCP_CLOSE, TCP_FIN_WAIT2, disconnect, read_fin,
                    reset_close, wait_state)
from stage import (DELAYED_ACK_S, Pair, close_client_first, close_server_first, read_end,
                   read_reset)
from watching import OTHER_WAYS, SOME_WAYS, WAYS
from wire import FIN as FIN_FLAG
from wire import RST

TCP_LINGER2 = 8
TCP_USER_TIMEOUT = 18
NEAR_NS = SECOND // 50  # connlife and the tap look at a segment in one softirq

every_way = pytest.mark.parametrize("way", WAYS, ids=lambda way: f"ipv{way[0]}-{way[1]}")
some_ways = pytest.mark.parametrize("way", SOME_WAYS, ids=lambda way: f"ipv{way[0]}-{way[1]}")
other_ways = pytest.mark.parametrize("way", OTHER_WAYS, ids=lambda way: f"ipv{way[0]}-{way[1]}")

# The end that keeps TIME_WAIT: the tracers end before that does.
LASTING = {"ends": None, "time_wait_ns": None}
FOUR_WAY = {"teardown": "four_way", "half_close_bytes": 0}
SENDER = OneOf("close", "listen")  # the reset may come while the server's own task sends


def within(ns):
    return lambda value: value is not None and abs(value - ns) < NEAR_NS


def near(moment_ns):
    return lambda text: text is not None and abs(parse_time(text) - moment_ns) < NEAR_NS


def fins(segments):
    return [one for one in segments if one.flags & FIN_FLAG]


def resets(segments):
    return [one for one in segments if one.flags & RST]


# ---- orderly releases ----

@every_way
def test_four_way_client_first(lab, watch, tap, way):
    watching = watch(way, "--whole")
    wire = tap(lab.c)
    pair = lab.pair()
    pair.say(3)
    time.sleep(0.2)
    close_client_first(pair)
    lab.settle()
    first, second = fins(wire.segments())
    both = {**FOUR_WAY, "history": "ShADFf", "half_close_ns": within(second.ts_ns - first.ts_ns)}
    lab.closed_by_client(
        pair, client={**LASTING, **both, "times": {"ESTABLISHED": Range(0.2, 1)}}, server=both)
    watching.check()
    assert near(second.ts_ns)(watching.record(lab.c, pair.cport, pair.sport)["end"])


@every_way
def test_four_way_server_first(lab, watch, tap, way):
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    pair = lab.pair()
    pair.say(3)
    close_server_first(pair)
    lab.settle()
    first, second = fins(wire.segments())
    both = {**FOUR_WAY, "history": "ShADfF", "half_close_ns": within(second.ts_ns - first.ts_ns)}
    lab.closed_by_server(pair, client=both, server={**LASTING, **both})
    watching.check()
    assert near(second.ts_ns)(watching.record(lab.s, pair.sport, pair.cport)["end"])


@other_ways
def test_four_way_in_hand(lab, watch, way):
    """The client keeps its socket to the end: the record is whole without --whole."""
    watching = watch(way)
    pair = lab.pair()
    pair.answer(4)
    pair.client.shutdown(socket.SHUT_WR)
    read_end(pair.server)
    pair.server.close()
    read_fin(pair.client)
    wait_state(pair.client, TCP_CLOSE)
    pair.client.close()
    both = {**FOUR_WAY, "history": "ShAdFf"}
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="time_wait",
               **both, **LASTING)
    lab.server(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote", **both)
    watching.check()


@some_ways
def test_orphan_prompt(lab, watch, way):
    """Without --whole the client's record is written before the server's FIN: half known."""
    watching = watch(way)
    pair = lab.pair()
    pair.say(3)
    pair.client.close()
    read_end(pair.server)
    time.sleep(0.3)
    pair.server.close()
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="fin_wait2",
               teardown=None, conn_state="S2", history="ShADF", half_close_bytes=None,
               half_close_ns=None, **LASTING)
    lab.server(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote", history="ShADFf",
               **FOUR_WAY, half_close_ns=Range(0.4, 1))
    lab.settle()
    watching.check()


@every_way
def test_orphan_whole(lab, watch, tap, way):
    """
    The server's FIN comes long after the client's close(): FIN_WAIT2 goes on
    without a socket, and TIME_WAIT begins at the FIN that the device saw.
    """
    watching = watch(way, "--whole")
    wire = tap(lab.c)
    pair = lab.pair()
    pair.say(3)
    pair.client.close()
    read_end(pair.server)
    time.sleep(0.9)
    pair.server.close()
    lab.settle()
    seen = wire.received()
    ack, fin = seen[-2:]
    assert not ack.flags & FIN_FLAG and fin.flags & FIN_FLAG
    both = {**FOUR_WAY, "history": "ShADFf"}
    lab.closed_by_client(
        pair, client={**LASTING, **both, "end": near(fin.ts_ns), "half_close_ns": Range(0.9, 2),
                      "whole_times": {"FIN_WAIT2": Range(0.9, 2)}},
        server={**both, "half_close_ns": Range(0.9, 2)})
    watching.check()
    states = {one["state"]: one["ns"]
              for one in watching.record(lab.c, pair.cport, pair.sport)["states"]}
    assert within(fin.ts_ns - ack.ts_ns)(states["FIN_WAIT2"]), states


@some_ways
def test_three_segments(lab, watch, tap, way):
    """The server's FIN takes the ACK of the client's along."""
    watching = watch(way, "--whole")
    wire = tap(lab.c)
    pair = lab.pair()
    pair.say(1)
    pair.answer(1)
    pair.server.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    pair.client.close()
    read_fin(pair.server)
    pair.server.close()  # while the ACK of the FIN still waits for company
    lab.settle()
    first, second = fins(wire.segments())
    assert second.ack == first.seq + 1 and wire.received()[-2].ack == first.seq
    both = {"teardown": "three_segment", "half_close_bytes": 0, "history": None}
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="time_wait",
               after="TIME_WAIT", **both, **LASTING)
    lab.server(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote", **both)
    watching.check()


@other_ways
def test_three_segments_server_first(lab, watch, tap, way):
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    pair = lab.pair()
    pair.say(1)
    pair.answer(1)
    pair.client.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    pair.server.close()
    read_fin(pair.client)
    pair.client.close()
    lab.settle()
    first, second = fins(wire.segments())
    assert second.ack == first.seq + 1 and wire.received()[-2].ack == first.seq
    both = {"teardown": "three_segment", "half_close_bytes": 0, "history": None}
    lab.client(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote", **both)
    lab.server(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="time_wait",
               after="TIME_WAIT", **both, **LASTING)
    watching.check()


@some_ways
def test_simultaneous(lab, watch, way):
    """Both FINs are on their way at once."""
    watching = watch(way, "--whole")
    pair = lab.pair()
    pair.say(2)
    for side in (lab.c, lab.s):
        side.plug(lab.version)
    pair.client.close()
    pair.server.close()
    lab.c.release(lab.version)
    time.sleep(0.05)
    lab.s.release(lab.version)
    lab.settle()
    for end, history in ((lab.client, "ShADFf"), (lab.server, "ShADfF")):
        end(pair, "FIN_WAIT1 CLOSING", closed_first="both", teardown="simultaneous",
            remains="time_wait", after="TIME_WAIT", half_close_bytes=OneOf(None, 0),
            history=history, retrans=AtLeast(0), fin_retrans=AtLeast(0), **LASTING)
    watching.check()


@every_way
def test_half_close_by_client(lab, watch, tap, way):
    """The server answers for 0.4 s after the client's FIN."""
    watching = watch(way, "--whole")
    wire = tap(lab.c)
    pair = lab.pair()
    pair.say(5)
    pair.client.shutdown(socket.SHUT_WR)
    read_end(pair.server)
    pair.answer(1000)
    time.sleep(0.3)
    pair.answer(234)
    pair.server.close()
    read_fin(pair.client)
    wait_state(pair.client, TCP_CLOSE)
    pair.client.close()
    first, second = fins(wire.segments())
    both = {"teardown": "half_close", "half_close_bytes": 1234,
            "half_close_ns": within(second.ts_ns - first.ts_ns)}
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="time_wait",
               after="TIME_WAIT", history="ShADFdf", **both, **LASTING)
    lab.server(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote", history="ShADFdf", **both)
    watching.check()


@some_ways
def test_half_close_by_server(lab, watch, tap, way):
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    pair = lab.pair()
    pair.answer(7)
    pair.server.shutdown(socket.SHUT_WR)
    read_end(pair.client)
    pair.say(50)
    time.sleep(0.2)
    pair.client.close()
    read_fin(pair.server)
    wait_state(pair.server, TCP_CLOSE)
    pair.server.close()
    first, second = fins(wire.segments())
    both = {"teardown": "half_close", "half_close_bytes": 50, "history": "ShAdfDF",
            "half_close_ns": within(second.ts_ns - first.ts_ns)}
    lab.client(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote", **both)
    lab.server(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="time_wait",
               after="TIME_WAIT", **both, **LASTING)
    watching.check()


# ---- releases with losses ----

@every_way
def test_fin_lost(lab, watch, tap, way):
    """FIN_WAIT1 lasts until a FIN gets through."""
    watching = watch(way, "--whole")
    wire = tap(lab.s)
    pair = lab.pair()
    pair.say(3)
    loss = lab.c.lose(FIN)
    pair.client.close()
    loss.wait_count(2)
    lost = loss.count()
    loss.lift()
    read_end(pair.server)
    pair.server.close()
    lab.settle()
    again = lost + len(fins(wire.received())) - 1
    both = {**FOUR_WAY, "history": "ShADFf"}
    lab.closed_by_client(
        pair, client={**LASTING, **both, "fin_retrans": again, "retrans": again,
                      "times": {"FIN_WAIT1": Range(0.1, 3)}}, server=both)
    watching.check()


@other_ways
def test_ack_of_fin_lost(lab, watch, tap, way):
    """The server takes the FIN at once, the client learns it at the next."""
    watching = watch(way, "--whole", "--flags")
    wire = tap(lab.s)
    pair = lab.pair()
    pair.say(3)
    time.sleep(DELAYED_ACK_S)
    loss = lab.s.lose(PURE_ACK)
    pair.client.close()
    read_fin(pair.server)
    loss.wait_count(1)
    loss.lift()
    lab.c.wait_sockets("fin-wait-1", 0)
    time.sleep(DELAYED_ACK_S)
    pair.server.close()
    lab.settle()
    received = fins(wire.received())
    again = len(received) - 1
    assert again
    both = {**FOUR_WAY, "history": "ShADFf", "flags_rx": lambda _flags: True}
    lab.closed_by_client(
        pair, client={**LASTING, **both, "fin_retrans": again, "retrans": again,
                      "times": {"FIN_WAIT1": Range(0.1, 3)}},
        server={**both, "flags_rx": lambda flags: flags["fin"] == again + 1})
    watching.check()


def lose_last_ack(lab, pair):
    """The server's FIN comes, and its ACK is lost: until the FIN came again."""
    loss = lab.c.lose(PURE_ACK)
    pair.server.close()
    loss.wait_count(2)
    loss.lift()
    lab.settle()


@some_ways
def test_fin_in_time_wait(lab, watch, tap, way):
    """TIME_WAIT without a socket begins at the first FIN, not at one of those repeated."""
    watching = watch(way, "--whole")
    wire = tap(lab.c)
    pair = lab.pair()
    pair.say(3)
    pair.client.close()
    read_end(pair.server)
    lose_last_ack(lab, pair)
    received = fins(wire.received())
    again = len(received) - 1
    assert again
    both = {**FOUR_WAY, "history": "ShADFf"}
    lab.closed_by_client(
        pair, client={**LASTING, **both, "end": near(received[0].ts_ns)},
        server={**both, "fin_retrans": again, "retrans": again,
                "times": {"LAST_ACK": Range(0.1, 3)}})
    watching.check()


@other_ways
def test_fin_in_time_wait_in_hand(lab, watch, tap, way):
    """The same where the client still holds its socket."""
    watching = watch(way, "--whole")
    wire = tap(lab.c)
    pair = lab.pair()
    pair.say(3)
    pair.client.shutdown(socket.SHUT_WR)
    read_end(pair.server)
    lose_last_ack(lab, pair)
    pair.client.close()
    received = fins(wire.received())
    again = len(received) - 1
    assert again
    both = {**FOUR_WAY, "history": "ShADFf"}
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="time_wait",
               after="TIME_WAIT", end=near(received[0].ts_ns), **both, **LASTING)
    lab.server(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote", fin_retrans=again,
               retrans=again, **both)
    watching.check()


# ---- resets ----

def sent(reason, kernel_reason, state, **more):
    """By this end."""
    return {"closed": "rst_sent", "closed_first": "local", "reason": reason,
            "reset_reason": kernel_reason, "conn_state": state, **more}


def received(state, **more):
    return {"closed": "rst_received", "closed_first": "remote", "error": "ECONNRESET",
            "conn_state": state, **more}


@some_ways
def test_unread_data(lab, watch, way):
    watching = watch(way)
    pair = lab.pair()
    pair.server.sendall(b"d" * 9)
    pair.client.recv(1, socket.MSG_PEEK)
    pair.client.close()
    read_reset(pair.server)
    pair.server.close()
    pair.down = 9
    lab.client(pair, "", **sent("unread_data", "TCP_ABORT_ON_CLOSE", "RSTO", history="ShAdR"))
    lab.server(pair, "", **received("RSTO", history="ShAdR", pid_source="listen"))
    watching.check()


@other_ways
def test_unread_data_after_fin(lab, watch, way):
    """RST in place of the second FIN: the server had closed first."""
    watching = watch(way, "--whole")
    pair = lab.pair()
    pair.server.sendall(b"d" * 9)
    pair.server.shutdown(socket.SHUT_WR)
    lab.c.wait_sockets("close-wait")
    time.sleep(DELAYED_ACK_S)
    pair.client.close()
    read_reset(pair.server)
    pair.server.close()
    pair.down = 9
    lab.client(pair, "CLOSE_WAIT", **sent("unread_data", "TCP_ABORT_ON_CLOSE", "RSTO",
                                          closed_first="remote", history="ShAdfR"))
    lab.server(pair, "FIN_WAIT1 FIN_WAIT2", **received("RSTO", closed_first="local",
                                                       history="ShAdfR", pid_source="close"))
    watching.check()


@other_ways
def test_linger0(lab, watch, way):
    watching = watch(way)
    pair = lab.pair()
    pair.say(4)
    reset_close(pair.client)
    read_reset(pair.server)
    pair.server.close()
    lab.client(pair, "", **sent("linger0", "TCP_STATE", "RSTO", history="ShADR"))
    lab.server(pair, "", **received("RSTO", history="ShADR"))
    watching.check()


@some_ways
def test_linger0_of_server(lab, watch, way):
    watching = watch(way)
    pair = lab.pair()
    pair.say(4)
    reset_close(pair.server)
    read_reset(pair.client)
    pair.client.close()
    lab.client(pair, "", **received("RSTR", history="ShADr"))
    lab.server(pair, "", **sent("linger0", "TCP_STATE", "RSTR", history="ShADr"))
    watching.check()


@every_way
def test_data_after_close(lab, watch, way):
    """Data meets a closed socket in FIN_WAIT1: it resets its peer, and was not reset itself."""
    watching = watch(way)
    pair = lab.pair()
    loss = lab.c.lose(FIN)
    pair.client.close()
    lab.c.wait_sockets("fin-wait-1")
    pair.server.sendall(b"late")
    read_reset(pair.server)
    loss.lift()
    pair.server.close()
    any_history = {"history": lambda _history: True}  # whether that data counts
    lab.client(pair, "FIN_WAIT1", **sent(
        "data_after_close", "TCP_ABORT_ON_DATA", "RSTO", error="ECONNRESET",
        fin_retrans=AtLeast(0), retrans=AtLeast(0), **any_history))
    lab.server(pair, "", **received("RSTO", pid_source=SENDER, **any_history))
    watching.check()


@some_ways
def test_data_after_shutdown(lab, watch, way):
    """The same in FIN_WAIT2, after shutdown() of both directions."""
    watching = watch(way)
    pair = lab.pair()
    pair.client.shutdown(socket.SHUT_RDWR)
    wait_state(pair.client, TCP_FIN_WAIT2)
    pair.server.sendall(b"late")
    wait_state(pair.server, TCP_CLOSE)
    pair.server.close()
    pair.client.close()
    any_history = {"history": lambda _history: True}
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", **sent(
        "data_after_close", "TCP_ABORT_ON_DATA", "RSTO", error="ECONNRESET", **any_history))
    lab.server(pair, "CLOSE_WAIT", **received("RSTO", error="EPIPE", pid_source=SENDER,
                                              **any_history))
    watching.check()


@other_ways
def test_linger2(lab, watch, way):
    """TCP_LINGER2 below 0: no FIN_WAIT2 without a socket, but a reset."""
    watching = watch(way)
    pair = lab.pair()
    pair.client.setsockopt(socket.IPPROTO_TCP, TCP_LINGER2, -1)
    pair.client.close()
    wait_state(pair.server, TCP_CLOSE)
    pair.server.close()
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", **sent("linger2", "TCP_ABORT_ON_DATA", "RSTO",
                                                   history="ShAFR"))
    lab.server(pair, "CLOSE_WAIT", **received("RSTO", error="EPIPE", pid_source="listen",
                                              history="ShAFR"))
    watching.check()


@some_ways
def test_listener_closed(lab, watch, way):
    """Nobody had accepted it."""
    watching = watch(way)
    listener = lab.listen()
    client = lab.connect()
    lab.s.wait_sockets("established")
    listener.close()
    read_reset(client)
    pair = Pair(client, None)
    client.close()
    lab.client(pair, "", **received("RSTR", history="ShAr"))
    lab.server(pair, "", **sent("listener_closed", "TCP_STATE", "RSTR", history="ShAr",
                                pid_source="listen"))
    watching.check()


@other_ways
def test_disconnect(lab, watch, way):
    """connect() to AF_UNSPEC."""
    watching = watch(way)
    pair = lab.pair()
    pair.say(3)
    disconnect(pair.client)
    read_reset(pair.server)
    pair.server.close()
    pair.client.close()
    lab.client(pair, "", **sent("disconnect", "TCP_STATE", "RSTO", history="ShADR"))
    lab.server(pair, "", **received("RSTO", history="ShADR"))
    watching.check()


@some_ways
def test_killed(lab, watch, way):
    """By `ss -K`, which sends a reset."""
    watching = watch(way)
    pair = lab.pair(cport=5001)
    pair.say(2)
    lab.c.run("ss", "-K", "-t", "state", "established", "sport", "=", ":5001")
    read_reset(pair.server)
    pair.server.close()
    pair.client.close()
    lab.client(pair, "", closed="killed", closed_first="local", error="ECONNABORTED",
               reset_reason="TCP_STATE", reason="killed", conn_state="RSTO", history="ShADR")
    lab.server(pair, "", **received("RSTO", history="ShADR"))
    watching.check()


# ---- timeouts ----

def timed_out(reason, **more):
    return {"closed": "timed_out", "closed_first": "none", "error": "ETIMEDOUT", "reason": reason,
            "conn_state": "S1", "history": "ShAD", "retrans": AtLeast(0), **more}


def reset_what_is_left(lab, pair, **more):
    """The server never heard of it; what it sends meets nobody."""
    reset_close(pair.server)
    lab.server(pair, "", **{**sent("linger0", "TCP_STATE", "RSTR", history="ShADr"), **more})


@some_ways
def test_keepalive(lab, watch, tap, way):
    """The kernel resets what does not answer its probes."""
    watching = watch(way)
    pair = lab.pair()
    pair.say(1)
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1),
                          (socket.TCP_KEEPCNT, 1)):
        pair.client.setsockopt(socket.IPPROTO_TCP, option, value)
    wire = tap(lab.s)
    mute = lab.s.drop(ANY_TCP)
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wait_state(pair.client, TCP_CLOSE)
    pair.client.close()
    mute.lift()
    assert resets(wire.received())
    lab.client(pair, "", **timed_out("keepalive", reset_reason="TCP_KEEPALIVE_TIMEOUT",
                                     conn_state="RSTO", history="ShADR"))
    reset_what_is_left(lab, pair, conn_state=OneOf("RSTO", "RSTR"),
                       history=OneOf("ShADr", "ShADRr"))
    watching.check()


@other_ways
def test_user_timeout(lab, watch, way):
    watching = watch(way)
    pair = lab.pair()
    pair.say(3)
    pair.client.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 500)
    loss = lab.c.lose(ANY_TCP)
    pair.client.sendall(b"lost")
    wait_state(pair.client, TCP_CLOSE)
    pair.client.close()
    lab.client(pair, "", **timed_out("user_timeout", retrans=AtLeast(1),
                                     times={"ESTABLISHED": Range(0.4, 3)}))
    loss.lift()
    reset_what_is_left(lab, pair)
    watching.check()


@some_ways
def test_retransmissions_exhausted(lab, watch, way):
    lab.c.sysctl(tcp_retries2=2)
    watching = watch(way)
    pair = lab.pair()
    pair.say(3)
    loss = lab.c.lose(ANY_TCP)
    pair.client.sendall(b"lost")
    wait_state(pair.client, TCP_CLOSE)
    again = loss.count() - 1
    pair.client.close()
    lab.client(pair, "", **timed_out("retransmissions", retrans=again))
    loss.lift()
    reset_what_is_left(lab, pair)
    watching.check()


@other_ways
def test_fin_never_acknowledged(lab, watch, way):
    """An orphan gives up: its FIN was sent, and never answered."""
    lab.c.sysctl(tcp_orphan_retries=1)
    watching = watch(way)
    pair = lab.pair()
    pair.say(1)
    loss = lab.c.lose(ANY_TCP)
    pair.client.close()
    lab.c.wait_sockets("fin-wait-1", 0)
    again = loss.count() - 1
    lab.client(pair, "FIN_WAIT1", **timed_out("retransmissions", closed_first="local",
                                              conn_state="S2", history="ShADF",
                                              fin_retrans=again, retrans=again))
    loss.lift()
    reset_what_is_left(lab, pair)
    watching.check()


@some_ways
def test_unreachable_while_sending(lab, watch, way):
    """ICMP tells why it times out."""
    watching = watch(way)
    pair = lab.pair(cport=5001)
    pair.say(3)
    pair.client.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 700)
    if lab.version == 4:
        refuse = lab.s.reject("tcp sport 5001", "host-unreachable")
    else:
        refuse = lab.s.reject("tcp sport 5001", "addr-unreachable", "icmpv6")
    pair.client.sendall(b"lost")
    wait_state(pair.client, TCP_CLOSE)
    error = pair.client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
    pair.client.close()
    refuse.lift()
    name = {110: "ETIMEDOUT", 113: "EHOSTUNREACH"}[error]
    lab.client(pair, "", **timed_out("icmp" if error == 113 else "user_timeout", error=name,
                                     retrans=AtLeast(1)))
    reset_what_is_left(lab, pair)
    watching.check()
