# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios: orderly ends, by FIN from both sides."""
import socket
import time

from expect import AtLeast, Range
from netlab import (CLIENT4, CLIENT6, SERVER4, SERVER6, TCP_CLOSE, TCP_ESTABLISHED, TCP_FIN_WAIT2,
                    TCP_SYN_SENT, read_exactly, read_fin, wait_state)
from stage import (OPENED_BY_SERVER, PORT, Pair, close_client_first,
                   close_server_first, read_end, scenario)


LOOPBACK4 = "127.77.0.1"


@scenario
def client_close(lab):
    pair = lab.pair()
    pair.say(5)
    pair.answer(6)
    time.sleep(0.3)
    close_client_first(pair)
    lab.closed_by_client(pair,
                         client={"times": {"SYN_SENT": Range(0, 0.2), "ESTABLISHED": Range(0.3, 1),
                                           "FIN_WAIT1": Range(0, 0.09)},
                                 "whole_times": {"FIN_WAIT2": Range(0.01, 1)},
                                 "whole": {"half_close_ns": Range(0.05, 1)}},
                         server={"times": {"ESTABLISHED": Range(0.3, 1), "SYN_RECV": Range(0, 0.2),
                                           "CLOSE_WAIT": Range(0.05, 1),
                                           "LAST_ACK": Range(0, 0.2)},
                                 "half_close_ns": Range(0.05, 1)})


@scenario
def server_close(lab):
    pair = lab.pair()
    pair.say(5)
    pair.answer(6)
    close_server_first(pair)
    lab.closed_by_server(pair)


@scenario
def send_only_server(lab):
    """The server never reads: only its close tells who it is."""
    pair = lab.pair()
    pair.answer(1234)
    close_server_first(pair)
    lab.closed_by_server(pair, server={"pid_source": "close"})


@scenario
def many_bytes(lab):
    pair = lab.pair()
    for _ in range(40):
        pair.say(50_000)
        pair.answer(30_001)
    close_client_first(pair)
    lab.closed_by_client(pair, client={"tx_bytes": 2_000_000, "rx_bytes": 1_200_040,
                                       "tx_segs": AtLeast(40), "rx_segs": AtLeast(40),
                                       "srtt_us": AtLeast(1), "min_rtt_us": AtLeast(1)})


@scenario
def data_before_fin(lab):
    """Data and the FIN right behind it."""
    pair = lab.pair()
    pair.client.sendall(b"u" * 10_000)
    pair.client.close()
    pair.said(10_000)
    read_end(pair.server)
    pair.server.close()
    lab.closed_by_client(pair)


@scenario
def fin_ack_combined(lab):
    pair = lab.pair()
    pair.say(1)
    pair.answer(1)
    pair.server.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 0)
    pair.client.close()
    read_fin(pair.server)
    pair.server.close()  # while the ACK of the FIN still waits for company
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="time_wait",
               after="TIME_WAIT", ends="expired", times={"FIN_WAIT2": Range(0, 0.01)})
    lab.server(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote")


@scenario
def halfclose_client(lab):
    """The server sends on after the client's FIN; TIME_WAIT begins before the client's close()."""
    pair = lab.pair()
    pair.say(5)
    pair.client.shutdown(socket.SHUT_WR)
    read_end(pair.server)
    pair.answer(100)
    time.sleep(0.2)
    pair.server.close()
    read_fin(pair.client)
    wait_state(pair.client, TCP_CLOSE)
    time.sleep(0.2)
    pair.client.close()
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="time_wait",
               after="TIME_WAIT", ends="expired", half_close_ns=Range(0.2, 1),
               times={"FIN_WAIT2": Range(0.2, 1)})
    lab.server(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote", half_close_ns=Range(0.2, 1),
               times={"CLOSE_WAIT": Range(0.2, 1)})


@scenario
def halfclose_server(lab):
    pair = lab.pair()
    pair.server.shutdown(socket.SHUT_WR)
    read_end(pair.client)
    pair.say(50)
    pair.client.close()
    read_fin(pair.server)
    wait_state(pair.server, TCP_CLOSE)
    pair.server.close()
    lab.client(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote")
    lab.server(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="time_wait",
               after="TIME_WAIT", ends="expired", half_close_ns=Range(0.1, 1))


@scenario
def fw2_close(lab):
    """shutdown(), and close() before the peer's FIN: FIN_WAIT2 goes on without a socket."""
    pair = lab.pair()
    pair.client.shutdown(socket.SHUT_WR)
    wait_state(pair.client, TCP_FIN_WAIT2)
    pair.client.close()
    read_end(pair.server)
    time.sleep(0.4)
    pair.server.close()
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="fin_wait2",
               after="TIME_WAIT", ends="expired",
               whole={"half_close_ns": Range(0.4, 2)})
    lab.server(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote", pid_source="close")


def _cross(lab, action):
    """What both sides send in action() crosses on the wire."""
    lab.c.plug()
    lab.s.plug()
    action()
    lab.c.release()
    time.sleep(0.05)
    lab.s.release()


@scenario
def simul_open(lab):
    client, server = lab.c.socket(), lab.s.socket()
    client.bind((CLIENT4, 5001))
    server.bind((SERVER4, 5002))

    def connect():
        for sock, address in ((client, (SERVER4, 5002)), (server, (CLIENT4, 5001))):
            sock.setblocking(False)
            sock.connect_ex(address)
            wait_state(sock, TCP_SYN_SENT)

    _cross(lab, connect)
    for sock in (client, server):
        wait_state(sock, TCP_ESTABLISHED)
        sock.setblocking(True)
    pair = Pair(client, server, sport=5002)
    pair.say(3)
    pair.answer(4)
    close_client_first(pair)
    common = {"role": "both", "opened": "simultaneous", "syn_retrans": None,
              "synack_retrans": None, "pid_source": "connect", "handshake_ns": Range(0.01, 1)}
    lab.expect(lab.c, 5001, 5002, "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT1 FIN_WAIT2",
               closed_first="local", remains="fin_wait2", after="TIME_WAIT", ends="expired",
               tx_bytes=3, rx_bytes=4, **common)
    lab.expect(lab.s, 5002, 5001, "SYN_SENT SYN_RECV ESTABLISHED CLOSE_WAIT LAST_ACK",
               closed_first="remote", tx_bytes=4, rx_bytes=3, **common)


def _expect_simultaneous_close(lab, pair):
    for end in (lab.client, lab.server):
        end(pair, "FIN_WAIT1 CLOSING", closed_first="both", teardown="simultaneous",
            remains="time_wait", after="TIME_WAIT", ends="expired")


@scenario
def simul_close(lab):
    pair = lab.pair()
    pair.say(2)

    def close():
        pair.client.close()
        pair.server.close()

    _cross(lab, close)
    _expect_simultaneous_close(lab, pair)


@scenario
def simul_close_shutdown(lab):
    pair = lab.pair()

    def shutdown():
        pair.client.shutdown(socket.SHUT_WR)
        pair.server.shutdown(socket.SHUT_WR)

    _cross(lab, shutdown)
    wait_state(pair.client, TCP_CLOSE)
    wait_state(pair.server, TCP_CLOSE)
    pair.client.close()
    pair.server.close()
    _expect_simultaneous_close(lab, pair)


@scenario
def self_connect(lab):
    """One socket is both ends: one record."""
    sock = lab.c.socket()
    sock.bind((CLIENT4, 5001))
    sock.connect((CLIENT4, 5001))
    sock.sendall(b"me")
    read_exactly(sock, 2)
    sock.close()
    lab.expect(lab.c, 5001, 5001, "SYN_SENT SYN_RECV ESTABLISHED FIN_WAIT1 CLOSING",
               after="TIME_WAIT", ends="expired", role="both", opened="simultaneous",
               laddr=CLIENT4, raddr=CLIENT4, pid_source="connect", closed_first="both",
               teardown="simultaneous", remains="time_wait", tx_bytes=2, rx_bytes=2,
               syn_retrans=None, synack_retrans=None)


@scenario
def loopback(lab):
    """Both ends in one namespace."""
    listener = lab.listen(side=lab.c, address=LOOPBACK4)
    client = lab.c.socket()
    client.bind((LOOPBACK4, 0))
    client.connect((LOOPBACK4, PORT))
    pair = lab.accepted(listener, client)
    listener.close()
    pair.say(7)
    pair.answer(8)
    close_client_first(pair)
    ends = {"laddr": LOOPBACK4, "raddr": LOOPBACK4}
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="fin_wait2",
               after="TIME_WAIT", ends="expired", **ends)
    lab.expect(lab.c, PORT, pair.cport, f"{OPENED_BY_SERVER} CLOSE_WAIT LAST_ACK",
               role="server", pid_source="read", closed_first="remote", tx_bytes=8, rx_bytes=7,
               **ends)


@scenario
def unconnected_close(lab):
    """Sockets that were never connected, and one closed twice over: no record of the former."""
    lab.c.socket().close()
    bound = lab.c.socket()
    bound.bind((CLIENT4, 5005))
    bound.close()
    listener = lab.listen(81)
    listener.close()
    pair = lab.pair()
    pair.client.close()
    read_end(pair.server)
    pair.server.shutdown(socket.SHUT_RDWR)
    pair.server.close()
    lab.closed_by_client(pair)


@scenario
def listen_fail(lab):
    """A listen() that fails, and listeners by themselves, are no connections."""
    first, second = lab.s.socket(), lab.s.socket()
    for sock in (first, second):
        sock.bind((SERVER4, PORT))
    first.listen()
    try:
        second.listen()
    except OSError:
        pass
    else:
        raise AssertionError("the second listen() did not fail")
    first.close()
    second.close()


@scenario
def ipv6(lab):
    listener = lab.listen(address=SERVER6, family=socket.AF_INET6)
    client = lab.c.socket(socket.AF_INET6)
    client.connect((SERVER6, PORT))
    pair = lab.accepted(listener, client)
    listener.close()
    pair.say(5)
    pair.answer(6)
    close_client_first(pair)
    lab.closed_by_client(pair, client={"family": 6, "laddr": CLIENT6, "raddr": SERVER6},
                         server={"family": 6, "laddr": SERVER6, "raddr": CLIENT6})


@scenario
def ipv6_mapped(lab):
    """IPv4 on IPv6 sockets is IPv4."""
    listener = lab.listen(address="::", family=socket.AF_INET6)
    client = lab.c.socket(socket.AF_INET6)
    client.connect(("::ffff:" + SERVER4, PORT))
    pair = lab.accepted(listener, client)
    listener.close()
    pair.say(5)
    close_server_first(pair)
    lab.closed_by_server(pair)


@scenario
def syncookies(lab):
    lab.s.sysctl(tcp_syncookies=2)
    pair = lab.pair()
    pair.say(9)
    close_client_first(pair)
    # no request remembers when the SYN came
    lab.closed_by_client(pair, server={"handshake_ns": lambda ns: ns is None or ns >= 0})
