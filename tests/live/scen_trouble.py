# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios: timeouts, ICMP errors, namespaces that go, Fast Open, MPTCP."""
import errno
import os
import socket
import time

from expect import AtLeast, OneOf, Range
from netlab import (ANY_TCP, FIN, PURE_ACK, SERVER4, TCP_CLOSE, reset_close, wait_state)
from stage import DELAYED_ACK_S, PORT, Pair, close_client_first, read_end, read_reset, scenario

MSG_FASTOPEN = 0x20000000
TCP_FASTOPEN = 23
TCP_USER_TIMEOUT = 18
IP_RECVERR = 11
IPPROTO_MPTCP = 262


def _read_timeout(sock):
    read_reset(sock, TimeoutError)


def _timed_out(**more):
    return {"closed": "timed_out", "error": "ETIMEDOUT", "retrans": AtLeast(0), **more}


def _reset_server(lab, pair, **more):
    """The server's end of a connection whose client went in silence."""
    reset_close(pair.server)
    lab.server(pair, "", closed="rst_sent", closed_first="local", reset_reason="TCP_STATE",
               **more)


@scenario
def keepalive_timeout(lab):
    pair = lab.pair()
    pair.say(1)
    for option, value in ((socket.TCP_KEEPIDLE, 1), (socket.TCP_KEEPINTVL, 1),
                          (socket.TCP_KEEPCNT, 1)):
        pair.client.setsockopt(socket.IPPROTO_TCP, option, value)
    mute = lab.s.drop(ANY_TCP)
    pair.client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    wait_state(pair.client, TCP_CLOSE)
    _read_timeout(pair.client)
    pair.client.close()
    lab.client(pair, "", **_timed_out(closed_first="none", reset_reason="TCP_KEEPALIVE_TIMEOUT",
                                      times={"ESTABLISHED": Range(1.5, 6)}))
    mute.lift()
    _reset_server(lab, pair)


@scenario
def user_timeout(lab):
    """What was never acknowledged is not counted as sent to the application."""
    pair = lab.pair()
    pair.say(3)
    pair.client.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 500)
    mute = lab.s.drop(ANY_TCP)
    pair.client.sendall(b"lost")
    wait_state(pair.client, TCP_CLOSE)
    _read_timeout(pair.client)
    pair.client.close()
    lab.client(pair, "", **_timed_out(closed_first="none", retrans=AtLeast(1)))
    mute.lift()
    _reset_server(lab, pair)


@scenario
def user_timeout_unreachable(lab):
    """It times out while ICMP tells why: that error is what the socket shows."""
    pair = lab.pair(cport=5001)
    pair.client.setsockopt(socket.IPPROTO_TCP, TCP_USER_TIMEOUT, 700)
    refuse = lab.s.reject("tcp sport 5001", "host-unreachable")
    pair.client.sendall(b"lost")
    wait_state(pair.client, TCP_CLOSE)
    pair.client.close()
    refuse.lift()
    lab.client(pair, "", **_timed_out(closed_first="none", retrans=AtLeast(1),
                                      error=OneOf("EHOSTUNREACH", "ETIMEDOUT")))
    _reset_server(lab, pair)


@scenario
def orphan_timeout(lab):
    """The FIN is sent in vain: timed out, but closed by us first."""
    lab.c.sysctl(tcp_orphan_retries=1)
    pair = lab.pair()
    pair.say(1)
    mute = lab.s.drop(ANY_TCP)
    before = time.monotonic()
    pair.client.close()
    lab.c.wait_sockets("fin-wait-1", 0)
    lasted = time.monotonic() - before
    again = mute.count() - 1
    lab.client(pair, "FIN_WAIT1", **_timed_out(closed_first="local", fin_retrans=again,
                                               retrans=again,
                                               times={"FIN_WAIT1": Range(0.2, lasted + 0.1)}))
    mute.lift()
    _reset_server(lab, pair)


@scenario
def last_ack_timeout(lab):
    """Neither is the second FIN acknowledged."""
    lab.s.sysctl(tcp_orphan_retries=1)
    pair = lab.pair()
    pair.say(1)
    pair.client.shutdown(socket.SHUT_WR)
    read_end(pair.server)
    mute = lab.c.drop(ANY_TCP)
    pair.server.close()
    lab.s.wait_sockets("last-ack", 0)
    lab.server(pair, "CLOSE_WAIT LAST_ACK", **_timed_out(closed_first="remote",
                                                         fin_retrans=AtLeast(1)))
    mute.lift()
    reset_close(pair.client)
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed="rst_sent", closed_first="local",
               reset_reason="TCP_STATE")


@scenario
def icmp_established(lab):
    """ICMP errors do not end an established connection, IP_RECVERR or not."""
    pair = lab.pair(cport=5001)
    pair.client.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    refuse = lab.s.reject("tcp sport 5001", "host-unreachable")
    pair.client.sendall(b"u")
    refuse.wait_count(2)
    refuse.lift()
    pair.said(1)
    error = pair.client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)  # takes it off the socket
    assert error == errno.EHOSTUNREACH
    close_client_first(pair)
    lab.closed_by_client(pair, client={"retrans": AtLeast(1)})


@scenario
def icmp_error_then_fin(lab):
    """An ICMP error that nobody took off the socket is not how it ended."""
    pair = lab.pair(cport=5001)
    pair.client.setsockopt(socket.IPPROTO_IP, IP_RECVERR, 1)
    refuse = lab.s.reject("tcp sport 5001", "host-unreachable")
    pair.client.sendall(b"u")
    refuse.wait_count(2)
    refuse.lift()
    pair.said(1)
    pair.server.close()
    lab.c.wait_sockets("close-wait")
    time.sleep(DELAYED_ACK_S)
    pair.client.close()
    lab.closed_by_server(pair, client={"error": OneOf(None, "EHOSTUNREACH"),
                                       "retrans": AtLeast(1)})


@scenario
def data_retransmitted(lab):
    """Lost data is sent again; that is neither SYN nor FIN, and counts once in the bytes."""
    pair = lab.pair()
    segments = lab.s.count("tcp flags & psh == psh")
    drop = lab.s.drop("tcp flags & psh == psh")
    pair.client.sendall(b"u" * 10)
    drop.wait_count(2)
    drop.lift()
    pair.said(10)
    close_client_first(pair)
    lab.closed_by_client(pair, client={"retrans": segments.count() - 1})


@scenario
def fin_retransmitted(lab):
    pair = lab.pair()
    pair.say(1)
    fins = lab.s.count(FIN)
    drop = lab.s.drop(FIN)
    pair.client.close()
    drop.wait_count(2)
    drop.lift()
    read_end(pair.server)
    again = fins.count() - 1
    pair.server.close()
    lab.closed_by_client(pair, client={"fin_retrans": again, "retrans": again,
                                       "times": {"FIN_WAIT1": Range(0.1, 3)}})


@scenario
def fin_refused_here(lab):
    """What this host's own firewall keeps back was not sent again."""
    pair = lab.pair()
    pair.say(1)
    fins = lab.s.count(FIN)
    drop = lab.s.drop(FIN)
    pair.client.close()
    drop.wait_count(1)
    refused = lab.c.refuse(FIN)
    refused.wait_count(2)
    refused.lift()
    drop.wait_count(2)
    drop.lift()
    read_end(pair.server)
    again = fins.count() - 1
    pair.server.close()
    lab.closed_by_client(pair, client={"fin_retrans": again, "retrans": AtLeast(again + 2),
                                       "times": {"FIN_WAIT1": Range(0.1, 8)}})


@scenario
def netns_delete(lab):
    """`ip netns del` takes the name only; what remains goes with the namespace itself."""
    pair = lab.pair()
    lab.c.unname()
    pair.answer(1)
    pair.say(1)
    pair.client.close()
    read_end(pair.server)
    lab.c.forget()
    time.sleep(0.3)
    reset_close(pair.server)
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="fin_wait2",
               ends="namespace")
    lab.server(pair, "CLOSE_WAIT", closed="rst_sent", closed_first="remote",
               reset_reason="TCP_STATE")


def _fast_open(lab, count):
    client = lab.c.socket()
    client.sendto(b"f" * count, MSG_FASTOPEN, (SERVER4, PORT))
    return client


def _fast_open_listener(lab):
    """A listener for which the client has its cookie already: by a first connection."""
    for side in (lab.c, lab.s):
        side.sysctl(tcp_fastopen=3)
    listener = lab.listen()
    listener.setsockopt(socket.IPPROTO_TCP, TCP_FASTOPEN, 16)
    first = lab.accepted(listener, _fast_open(lab, 3))
    first.said(3)
    close_client_first(first)
    lab.closed_by_client(first)  # without a cookie it is a handshake like any other
    return listener


@scenario
def tfo(lab):
    listener = _fast_open_listener(lab)
    pair = lab.accepted(listener, _fast_open(lab, 7))
    listener.close()
    pair.said(7)
    pair.answer(2)
    close_client_first(pair)
    lab.closed_by_client(pair, client={"opened": "fastopen"}, server={"opened": "fastopen"})


@scenario
def tfo_pending(lab):
    """The child takes data with the SYN and is closed before the handshake is complete."""
    listener = _fast_open_listener(lab)
    drop = lab.s.drop(PURE_ACK)
    pair = lab.accepted(listener, _fast_open(lab, 3))
    listener.close()
    pair.server.close()
    read_reset(pair.client)
    pair.client.close()
    drop.lift()
    _expect_fast_open_reset(lab, pair, "TCP_ABORT_ON_CLOSE", "close")


@scenario
def tfo_closed_early(lab):
    """The child is read and closed before the handshake is complete: ESTABLISHED never was."""
    listener = _fast_open_listener(lab)
    drop = lab.s.drop(PURE_ACK)
    pair = lab.accepted(listener, _fast_open(lab, 3))
    listener.close()
    pair.said(3)
    pair.server.close()
    read_end(pair.client)
    drop.lift()
    pair.client.close()
    lab.s.wait_sockets("fin-wait-1", 0)
    again = {"retrans": AtLeast(0), "fin_retrans": AtLeast(0)}
    lab.client(pair, "CLOSE_WAIT LAST_ACK", opened="fastopen", closed_first="remote", **again)
    lab.expect(lab.s, PORT, pair.cport, "SYN_RECV FIN_WAIT1 FIN_WAIT2", after="TIME_WAIT",
               ends="expired", role="server", pid_source="read", opened="fastopen",
               closed_first="local", remains="time_wait", tx_bytes=0, rx_bytes=3,
               handshake_ns=lambda ns: ns is None or ns > 0, synack_retrans=AtLeast(0), **again)


@scenario
def tfo_listener_close(lab):
    listener = _fast_open_listener(lab)
    drop = lab.s.drop(PURE_ACK)
    pair = Pair(_fast_open(lab, 3), None)
    lab.s.wait_sockets("syn-recv")
    listener.close()
    read_reset(pair.client)
    pair.client.close()
    drop.lift()
    _expect_fast_open_reset(lab, pair, "TCP_STATE", "listen")


@scenario
def tfo_reset(lab):
    """The client gives up before its ACK arrived: accept() would still give that socket."""
    listener = _fast_open_listener(lab)
    drop = lab.s.drop(PURE_ACK)
    pair = Pair(_fast_open(lab, 3), None)
    lab.s.wait_sockets("syn-recv")
    reset_close(pair.client)
    lab.s.wait_sockets("syn-recv", 0)
    drop.lift()
    listener.close()
    pair.up = 3
    lab.client(pair, "", opened="fastopen", closed="rst_sent", closed_first="local",
               reset_reason="TCP_STATE")
    lab.expect(lab.s, PORT, pair.cport, "SYN_RECV", role="server", pid_source="listen",
               opened="reset", closed="none", error="ECONNRESET", tx_bytes=0, rx_bytes=3,
               handshake_ns=None, synack_retrans=AtLeast(0), retrans=AtLeast(0))


def _expect_fast_open_reset(lab, pair, reason, source):
    pair.up = 3
    lab.client(pair, "", opened="fastopen", closed="rst_received", closed_first="remote",
               error="ECONNRESET")
    lab.expect(lab.s, PORT, pair.cport, "SYN_RECV", role="server", pid_source=source,
               opened=OneOf("aborted", "fastopen"), closed="rst_sent", closed_first="local",
               reset_reason=reason, tx_bytes=0, rx_bytes=3, handshake_ns=None,
               synack_retrans=AtLeast(0), retrans=AtLeast(0))


def _has_mptcp():
    """Debian's 5.10 is built without."""
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP).close()
    except OSError as error:
        if error.errno == errno.EPROTONOSUPPORT:
            return False
        raise
    return True


@scenario
def mptcp(lab):
    """One record for each TCP connection, none for the MPTCP connection above it."""
    if not _has_mptcp():
        return
    listener = lab.listen(protocol=IPPROTO_MPTCP)
    client = lab.c.socket(protocol=IPPROTO_MPTCP)
    client.connect((SERVER4, PORT))
    pair = lab.accepted(listener, client)
    pair.say(5)
    pair.answer(6)
    cport = pair.cport
    pair.client.close()
    read_end(pair.server)
    pair.server.close()
    listener.close()
    lab.c.wait_sockets("fin-wait-1", 0)
    lab.s.wait_sockets("last-ack", 0)
    # who closes the subflow first is the workers' matter
    ends = {"is_whole_life": True, "pid": os.getpid(), "closed_first": OneOf("local", "remote"),
            "retrans": AtLeast(0)}
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", remains="time_wait", after="TIME_WAIT",
               ends="expired", **ends)
    # its reads and its close are MPTCP's: who listened is all that is known
    lab.server(pair, "CLOSE_WAIT LAST_ACK", **{**ends, "pid_source": "listen"})


@scenario
def mptcp_fallback(lab):
    if not _has_mptcp():
        return
    listener = lab.listen()
    client = lab.c.socket(protocol=IPPROTO_MPTCP)
    client.connect((SERVER4, PORT))
    pair = lab.accepted(listener, client)
    listener.close()
    pair.say(5)
    pair.client.close()
    read_end(pair.server)
    pair.server.close()
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="time_wait",
               after="TIME_WAIT", ends="expired")
    lab.server(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote")
