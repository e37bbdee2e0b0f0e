# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios: handshakes that fail, or succeed with trouble."""
import socket
import time

from expect import ANY, AtLeast, Range
from netlab import (ANY_TCP, CLIENT4, PURE_ACK, SERVER4, SYN, SYNACK, TCP_ESTABLISHED,
                    TCP_REPAIR, TCP_SYN_SENT, disconnect, reset_close, tcp_state, wait_state)
from stage import (PORT, Pair, close_client_first, close_server_first, kernel_at_least, read_end,
                   read_reset, scenario)

TCP_DEFER_ACCEPT = 9


def _fails(action, error):
    try:
        action()
    except error:
        return
    raise AssertionError(f"no {error.__name__}")


@scenario
def closed_port(lab):
    client = lab.c.socket()
    client.bind((CLIENT4, 5001))
    _fails(lambda: client.connect((SERVER4, PORT)), ConnectionRefusedError)
    client.close()
    lab.attempt(5001, opened="refused", error="ECONNREFUSED")


@scenario
def connect_port_unreachable(lab):
    """ICMP refuses, no RST: unreachable."""
    lab.s.reject(SYN, "port-unreachable")
    client = lab.c.socket()
    client.bind((CLIENT4, 5001))
    _fails(lambda: client.connect((SERVER4, PORT)), ConnectionRefusedError)
    client.close()
    lab.attempt(5001, opened="unreachable", error="ECONNREFUSED",
                syn_retrans=AtLeast(0), retrans=AtLeast(0))


@scenario
def connect_host_unreachable(lab):
    lab.s.reject(SYN, "host-unreachable")
    client = lab.c.socket()
    client.bind((CLIENT4, 5001))
    _fails(lambda: client.connect((SERVER4, PORT)), OSError)
    client.close()
    lab.attempt(5001, opened="unreachable", error="EHOSTUNREACH",
                syn_retrans=AtLeast(0), retrans=AtLeast(0))


@scenario
def connect_no_neighbour(lab):
    """Nobody answers for the address on the link."""
    client = lab.c.socket()
    client.bind((CLIENT4, 5001))
    _fails(lambda: client.connect(("10.77.0.99", PORT)), OSError)
    client.close()
    lab.attempt(5001, opened="unreachable", error="EHOSTUNREACH", raddr="10.77.0.99",
                syn_retrans=AtLeast(0), retrans=AtLeast(0), times={"SYN_SENT": Range(0.5, 7)})


@scenario
def connect_no_route(lab):
    """Fails before the socket leaves CLOSE: nothing to tell."""
    client = lab.c.socket()
    _fails(lambda: client.connect(("192.0.2.1", PORT)), OSError)
    client.close()


@scenario
def connect_timeout(lab):
    lab.c.sysctl(tcp_syn_retries=1)
    lost = lab.s.drop(SYN)
    client = lab.c.socket()
    client.bind((CLIENT4, 5001))
    _fails(lambda: client.connect((SERVER4, PORT)), TimeoutError)
    client.close()
    again = lost.count() - 1
    lab.attempt(5001, opened="timed_out", error="ETIMEDOUT", syn_retrans=again, retrans=again,
                times={"SYN_SENT": Range(1.5, 6)})


@scenario
def syn_retransmit_ok(lab):
    syns = lab.s.count(SYN)
    drop = lab.s.drop(SYN)
    listener = lab.listen()
    client = lab.start_connect()
    drop.wait_count(1)
    drop.lift()
    wait_state(client, TCP_ESTABLISHED)
    pair = lab.accepted(listener, client)
    listener.close()
    pair.say(1)
    close_client_first(pair)
    again = syns.count() - 1
    lab.closed_by_client(pair, client={"syn_retrans": again, "retrans": again,
                                       "handshake_ns": Range(0.9, 3),
                                       "times": {"SYN_SENT": Range(0.9, 3)}},
                         server={"handshake_ns": Range(0, 0.2)})


def _since_first_syn(low, high):
    """How long a server took whose SYN+ACK was repeated: before 5.12 nobody knows whose it was."""
    if not kernel_at_least(5, 12):
        return {"handshake_ns": None}
    return {"handshake_ns": Range(low, high), "times": {"SYN_RECV": Range(low, high)}}


@scenario
def synack_dropped(lab):
    syns, synacks = lab.s.count(SYN), lab.c.count(SYNACK)
    drop = lab.c.drop(SYNACK)
    listener = lab.listen()
    client = lab.start_connect()
    drop.wait_count(2, settle=0.2)
    drop.lift()
    wait_state(client, TCP_ESTABLISHED)
    pair = lab.accepted(listener, client)
    listener.close()
    pair.say(1)
    close_client_first(pair)
    syn_again, synack_again = syns.count() - 1, synacks.count() - 1
    lab.closed_by_client(pair, client={"syn_retrans": syn_again, "retrans": syn_again,
                                       "handshake_ns": Range(1, 5)},
                         server={"synack_retrans": synack_again, "retrans": synack_again,
                                 **_since_first_syn(1, 5)})


@scenario
def synack_never(lab):
    """The client gives up; a half-open request is no connection."""
    syns = lab.s.count(SYN)
    drop = lab.c.drop(SYNACK)
    listener = lab.listen()
    client = lab.start_connect(cport=5001)
    drop.wait_count(2, settle=0.2)
    client.close()
    again = syns.count() - 1
    listener.close()
    lab.attempt(5001, syn_retrans=again, retrans=again, times={"SYN_SENT": Range(1, 5)})


@scenario
def last_ack_dropped(lab):
    """The client is in ESTABLISHED while the server still waits for its ACK."""
    synacks = lab.c.count(SYNACK)
    drop = lab.s.drop(PURE_ACK)
    listener = lab.listen()
    client = lab.connect()
    drop.wait_count(2, settle=0.2)
    drop.lift()
    client.sendall(b"uu")
    pair = lab.accepted(listener, client)
    listener.close()
    pair.said(2)
    close_client_first(pair)
    again = synacks.count() - 1
    lab.closed_by_client(pair, client={"times": {"SYN_SENT": Range(0, 0.2)}},
                         server={"synack_retrans": again, "retrans": again,
                                 **_since_first_syn(1, 5)})


@scenario
def last_ack_never(lab):
    """The server forgets the request; its listener resets what comes later."""
    lab.s.sysctl(tcp_synack_retries=1)
    drop = lab.s.drop(PURE_ACK)
    listener = lab.listen()
    client = lab.connect(cport=5001)
    lab.s.wait_sockets("syn-recv", 1)
    lab.s.wait_sockets("syn-recv", 0)
    drop.lift()
    client.sendall(b"uu")
    read_reset(client)
    client.close()
    listener.close()
    lab.client_alone(5001, closed="rst_received", closed_first="remote", error="ECONNRESET")


@scenario
def defer_accept(lab):
    listener = lab.listen()
    listener.setsockopt(socket.IPPROTO_TCP, TCP_DEFER_ACCEPT, 5)
    first = lab.connect()
    time.sleep(0.3)
    first.sendall(b"u")
    pair = lab.accepted(listener, first)
    pair.said(1)
    close_client_first(pair)
    lab.closed_by_client(pair, server={"times": {"SYN_RECV": Range(0.25, 2)},
                                       "synack_retrans": AtLeast(0), "retrans": AtLeast(0)})
    second = lab.connect()
    cport = second.getsockname()[1]
    second.close()  # the FIN completes the handshake
    pair = lab.accepted(listener, second, cport)
    listener.close()
    read_end(pair.server)
    pair.server.close()
    lab.closed_by_client(pair)


@scenario
def acceptq_overflow(lab):
    """The accept queue is full: later SYNs are dropped without a word."""
    lab.s.sysctl(tcp_syncookies=0)
    syns = lab.s.count(f"tcp sport 5002 {SYN}")
    listener = lab.listen(backlog=0)
    first, second = lab.connect(cport=5001), lab.start_connect(cport=5002)
    syns.wait_count(2)
    assert tcp_state(second) == TCP_SYN_SENT
    pairs = [lab.accepted(listener, client) for client in (first, second)]
    listener.close()
    for pair in pairs:
        wait_state(pair.client, TCP_ESTABLISHED)
        pair.say(1)
        close_client_first(pair)
    again = syns.count() - 1
    lab.closed_by_client(pairs[0])
    lab.closed_by_client(pairs[1], client={"syn_retrans": again, "retrans": again,
                                           "handshake_ns": Range(0.9, 8)})


@scenario
def acceptq_overflow2(lab):
    """Full at the third ACK; with tcp_abort_on_overflow the client is reset."""
    lab.s.sysctl(tcp_syncookies=0)
    listener = lab.listen(backlog=1)
    queued = lab.connect(cport=5001)
    lab.s.wait_sockets("established", 1)
    drop = lab.s.drop(PURE_ACK)
    lucky, unlucky = lab.connect(cport=5002), lab.connect(cport=5003)
    drop.lift()
    lucky.sendall(b"u")
    lab.s.wait_sockets("established", 2)
    lab.s.sysctl(tcp_abort_on_overflow=1)
    unlucky.sendall(b"u")
    read_reset(unlucky)
    unlucky.close()
    again = {"synack_retrans": AtLeast(0), "retrans": AtLeast(0)}
    for client, said in ((queued, 0), (lucky, 1)):
        pair = lab.accepted(listener, client)
        if said:
            pair.said(said)
        close_server_first(pair)
        lab.closed_by_server(pair, server=again if said else None)
    listener.close()
    lab.client_alone(5003, closed="rst_received", closed_first="remote", error="ECONNRESET",
                     retrans=AtLeast(0))


@scenario
def rst_syn_recv(lab):
    """An RST, and then a FIN, for a request that is still half-open."""
    drop = lab.s.drop(PURE_ACK)
    listener = lab.listen()
    client = lab.connect(cport=5001)
    reset_close(client)
    lab.s.wait_sockets("syn-recv", 0)
    lab.client_alone(5001, closed="rst_sent", closed_first="local", reset_reason="TCP_STATE")
    client = lab.connect(cport=5002)
    client.close()
    pair = lab.accepted(listener, client, 5002)
    listener.close()
    drop.lift()
    read_end(pair.server)
    pair.server.close()
    lab.closed_by_client(pair)


@scenario
def nonblock_closed(lab):
    """Closed in SYN_SENT; the SYN+ACK that comes later is answered by an RST."""
    drop = lab.c.drop(SYNACK)
    listener = lab.listen()
    client = lab.start_connect(cport=5001)
    drop.wait_count(1)
    client.close()
    drop.lift()
    lab.s.wait_sockets("syn-recv", 0)
    listener.close()
    lab.attempt(5001, syn_retrans=AtLeast(0), retrans=AtLeast(0))


@scenario
def connect_interrupted(lab):
    drop = lab.s.drop(SYN)
    actor = lab.actor("interrupted", lab.c)
    cport = actor.connect_interrupted(key="a", address=SERVER4, port=PORT, after_s=0.3)
    time.sleep(0.2)
    actor.close(key="a")
    drop.lift()
    lab.attempt(cport, pid=actor.pid, comm="interrupted", times={"SYN_SENT": Range(0.4, 0.95)})


@scenario
def connect_eaddrnotavail(lab):
    """No port is left: nothing goes on the wire, and no port is made up."""
    lab.c.sysctl(ip_local_port_range="6001 6001")
    pair = lab.pair()
    second = lab.c.socket()
    _fails(lambda: second.connect((SERVER4, PORT)), OSError)
    second.close()
    pair.say(1)
    close_client_first(pair)
    lab.closed_by_client(pair)
    # with no source address chosen either, it may be told as the unspecified one
    lab.attempt(0, tx_segs=0, laddr=lambda laddr: laddr in (CLIENT4, "0.0.0.0"),
                times={"SYN_SENT": Range(0, 0.1)})


@scenario
def refused_then_retry(lab):
    """Two lives of one socket."""
    client = lab.c.socket()
    _fails(lambda: client.connect((SERVER4, PORT)), ConnectionRefusedError)
    listener = lab.listen()
    client.connect((SERVER4, PORT))
    pair = lab.accepted(listener, client)
    listener.close()
    pair.say(2)
    close_client_first(pair)
    lab.closed_by_client(pair)
    lab.attempt(ANY, opened="refused", error="ECONNREFUSED")


@scenario
def af_unspec_reuse(lab):
    """connect(AF_UNSPEC) resets; the socket then lives a second time."""
    listener = lab.listen()
    pair = lab.pair(cport=5001, listener=listener)
    pair.say(3)
    disconnect(pair.client)
    read_reset(pair.server)
    pair.server.close()
    lab.client(pair, "", closed="rst_sent", closed_first="local", reset_reason="TCP_STATE")
    lab.server(pair, "", closed="rst_received", closed_first="remote", error="ECONNRESET")
    pair.client.connect((SERVER4, PORT))
    second = lab.accepted(listener, pair.client)
    listener.close()
    second.say(4)
    close_client_first(second)
    lab.closed_by_client(second)


@scenario
def tcp_repair(lab):
    """Restored as CRIU does: no segment is sent, neither to open nor to close."""
    segments = lab.s.count(ANY_TCP)
    client = lab.c.socket()
    client.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    client.bind((CLIENT4, 5001))
    client.connect((SERVER4, PORT))
    assert tcp_state(client) == TCP_ESTABLISHED
    client.close()
    assert segments.count() == 0
    lab.client_alone(5001, opened=lambda word: True, closed="aborted", closed_first="local",
                     handshake_ns=lambda ns: True)


@scenario
def listener_closed_pending(lab):
    """Two children that nobody accepted, and a request that is half-open."""
    listener = lab.listen()
    waiting = [lab.connect(cport=port) for port in (5001, 5002)]
    lab.s.wait_sockets("established", 2)
    drop = lab.s.drop(f"tcp sport 5003 {PURE_ACK}")
    half_open = lab.connect(cport=5003)
    listener.close()
    for client in waiting:
        read_reset(client)
        pair = Pair(client, None)
        client.close()
        lab.client(pair, "", closed="rst_received", closed_first="remote", error="ECONNRESET")
        lab.server(pair, "", closed="rst_sent", closed_first="local", reset_reason="TCP_STATE",
                   pid_source="listen")
    drop.lift()
    half_open.sendall(b"u")
    read_reset(half_open)
    half_open.close()
    lab.client_alone(5003, closed="rst_received", closed_first="remote", error="ECONNRESET")


@scenario
def listener_shutdown(lab):
    """shutdown() on a listener resets its children; it can listen again."""
    listener = lab.listen()
    client = lab.connect(cport=5001)
    lab.s.wait_sockets("established")
    listener.shutdown(socket.SHUT_RD)
    read_reset(client)
    pair = Pair(client, None)
    client.close()
    lab.client(pair, "", closed="rst_received", closed_first="remote", error="ECONNRESET")
    lab.server(pair, "", closed="rst_sent", closed_first="local", reset_reason="TCP_STATE",
               pid_source="listen")
    listener.listen()
    second = lab.pair(cport=5002, listener=listener)
    listener.close()
    second.say(1)
    close_client_first(second)
    lab.closed_by_client(second)
