# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios: what the kernel keeps of a connection, and how that ends."""
import socket
import time

from expect import Range
from netlab import CLIENT4, SERVER4, TCP_CLOSE, read_fin, sequences, wait_state
from stage import PORT, close_client_first, close_server_first, read_end, scenario
from wire import send_rst


def _enter_time_wait(pair):
    """TIME_WAIT at the client, nothing at the server; gives the sequence number it expects."""
    pair.client.shutdown(socket.SHUT_WR)
    read_end(pair.server)
    _, expected = sequences(pair.client)
    pair.server.close()
    read_fin(pair.client)
    wait_state(pair.client, TCP_CLOSE)
    pair.client.close()
    return expected + 1 & 0xffffffff  # what its TIME_WAIT expects: past the FIN


def _expect_time_wait(lab, pair, ends, seconds, remains="time_wait"):
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains=remains,
               after="TIME_WAIT", ends=ends, whole={"time_wait_ns": seconds})
    lab.server(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote")


@scenario
def finwait2_orphan_timeout(lab):
    """The peer's FIN never comes: no TIME_WAIT."""
    lab.c.sysctl(tcp_fin_timeout=2)
    pair = lab.pair()
    pair.say(1)
    pair.client.close()
    read_end(pair.server)
    lab.c.wait_sockets("fin-wait-2", 0)
    pair.server.sendall(b"d")
    time.sleep(0.1)
    pair.server.close()
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="fin_wait2",
               ends="expired", whole={"duration_ns": Range(1.9, 4.5)})
    lab.server(pair, "CLOSE_WAIT", closed="rst_received", closed_first="remote", error="EPIPE")


@scenario
def finwait2_orphan_data(lab):
    """Data for what is left of a closed socket: an RST answers it."""
    pair = lab.pair()
    pair.say(1)
    pair.client.close()
    read_end(pair.server)
    pair.server.sendall(b"late")
    time.sleep(0.1)
    pair.server.close()
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="fin_wait2",
               ends="reset", reset_reason=lambda reason: True)
    lab.server(pair, "CLOSE_WAIT", closed="rst_received", closed_first="remote", error="EPIPE")


@scenario
def fw2_mini_fin(lab):
    """FIN_WAIT2 without a socket for a second, then TIME_WAIT for a minute."""
    pair = lab.pair()
    pair.client.close()
    read_fin(pair.server)
    time.sleep(1.2)
    pair.server.close()
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="fin_wait2",
               after="TIME_WAIT", ends="expired",
               whole={"duration_ns": Range(1.1, 2.5), "half_close_ns": Range(1.1, 2.5)})
    lab.server(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote", pid_source="close",
               times={"CLOSE_WAIT": Range(1.1, 2.5)})


@scenario
def fw2_mini_fin_late(lab):
    """The same where the minisock's timer is moved for it: TIME_WAIT begins at the FIN."""
    lab.c.sysctl(tcp_fin_timeout=10)
    pair = lab.pair()
    pair.client.close()
    read_fin(pair.server)
    time.sleep(2)
    pair.server.close()
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="fin_wait2",
               after="TIME_WAIT", ends="expired", whole_times={"FIN_WAIT2": Range(1.9, 3)},
               whole={"duration_ns": Range(1.9, 3), "half_close_ns": Range(1.9, 3)})
    lab.server(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote", pid_source="close")


@scenario
def finwait2_orphan_long(lab):
    """tcp_fin_timeout 63 s: a whole socket for 3 s, and after that a minisock for 3 s."""
    lab.c.sysctl(tcp_fin_timeout=63)
    pair = lab.pair()
    pair.say(1)
    pair.client.close()
    read_fin(pair.server)
    lab.c.wait_sockets("fin-wait-2")
    time.sleep(4.2)
    pair.server.close()
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="fin_wait2",
               after="TIME_WAIT", ends="expired", prompt={"duration_ns": Range(2.5, 4)},
               whole={"duration_ns": Range(4, 6.5)})
    lab.server(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote")


@scenario
def tw_reuse_client(lab):
    """The client takes its own tuple again; too early first, which fails locally."""
    lab.c.sysctl(tcp_tw_reuse=1, ip_local_port_range="6001 6001")
    listener = lab.listen()
    first = lab.pair(listener=listener)
    first.say(1)
    _enter_time_wait(first)
    hasty = lab.c.socket()
    try:
        hasty.connect((SERVER4, PORT))
        raise AssertionError("reused at once")
    except OSError:
        hasty.close()
    time.sleep(2.2)
    second = lab.pair(listener=listener)
    listener.close()
    second.say(2)
    close_client_first(second)
    _expect_time_wait(lab, first, "reused", Range(2, 4))
    lab.attempt(0, laddr=lambda laddr: laddr in (CLIENT4, "0.0.0.0"))
    lab.closed_by_client(second)


@scenario
def tw_reuse_server(lab):
    """The server's TIME_WAIT gives way to a new SYN of the same tuple."""
    listener = lab.listen()
    first = lab.pair(cport=6001, listener=listener)
    first.say(1)
    close_server_first(first)
    lab.s.wait_sockets("time-wait")
    time.sleep(0.5)
    second = lab.pair(cport=6001, listener=listener)
    listener.close()
    second.say(2)
    close_client_first(second)
    lab.closed_by_server(first, server={"ends": "reused", "whole": {
        "time_wait_ns": Range(0.5, 2)}})
    lab.closed_by_client(second)


@scenario
def tw_rst_rfc1337_0(lab):
    """With net.ipv4.tcp_rfc1337=0 an RST ends TIME_WAIT."""
    pair = lab.pair(cport=6001)
    pair.say(1)
    expected = _enter_time_wait(pair)
    lab.c.wait_sockets("time-wait")
    time.sleep(0.4)
    send_rst(lab.s, (SERVER4, PORT), (CLIENT4, 6001), expected)
    lab.c.wait_sockets("time-wait", 0)
    _expect_time_wait(lab, pair, "reset", Range(0.4, 2))


@scenario
def tw_rst_rfc1337_1(lab):
    lab.c.sysctl(tcp_rfc1337=1)
    pair = lab.pair(cport=6001)
    pair.say(1)
    expected = _enter_time_wait(pair)
    lab.c.wait_sockets("time-wait")
    send_rst(lab.s, (SERVER4, PORT), (CLIENT4, 6001), expected)
    time.sleep(0.2)
    lab.c.wait_sockets("time-wait", 1)
    _expect_time_wait(lab, pair, "expired", Range(59.5, 64))


@scenario
def tw_overflow(lab):
    """tcp_max_tw_buckets reached: no TIME_WAIT, though it was due."""
    lab.c.sysctl(tcp_max_tw_buckets=1)
    first, second = lab.pair(80), lab.pair(81)
    for pair in (first, second):
        pair.say(1)
        _enter_time_wait(pair)
    _expect_time_wait(lab, first, "expired", Range(59.5, 64))
    overflow = {"remains_end": "overflow"}
    lab.client(second, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains=None,
               whole=overflow, prompt=overflow)
    lab.server(second, "CLOSE_WAIT LAST_ACK", closed_first="remote")


@scenario
def tw_overflow_orphan(lab):
    """The same for a FIN_WAIT2 that nobody holds: the server's FIN is then reset."""
    lab.c.sysctl(tcp_max_tw_buckets=1)
    first, second = lab.pair(80), lab.pair(81)
    first.say(1)
    _enter_time_wait(first)
    second.say(1)
    close_client_first(second)
    _expect_time_wait(lab, first, "expired", Range(59.5, 64))
    overflow = {"remains_end": "overflow"}
    lab.client(second, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains=None,
               whole=overflow, prompt=overflow)
    lab.server(second, "CLOSE_WAIT LAST_ACK", closed="rst_received", closed_first="remote",
               error="ECONNRESET")
