# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios: resets and aborts, from either side and in every state."""
import socket
import time

from expect import AtLeast, OneOf, Range
from netlab import (CLIENT4, FIN, SERVER4, TCP_FIN_WAIT2, read_fin, reset_close, sequences,
                    wait_state)
from stage import (DELAYED_ACK_S, PORT, Pair, kernel_at_least, read_end, read_reset,
                   scenario)
from wire import send_rst

TCP_LINGER2 = 8


def _reset(**more):
    return {"closed": "rst_received", "error": "ECONNRESET", **more}


# The RST may come while the server's own task sends: a step in its hands.
SENDER = OneOf("close", "listen")


def _sent(reason, **more):
    return {"closed": "rst_sent", "reset_reason": reason, **more}


@scenario
def close_unread(lab):
    pair = lab.pair()
    pair.server.sendall(b"d" * 9)
    pair.client.recv(1, socket.MSG_PEEK)
    pair.client.close()
    read_reset(pair.server)
    pair.server.close()
    pair.down = 9
    lab.client(pair, "", **_sent("TCP_ABORT_ON_CLOSE", closed_first="local"))
    lab.server(pair, "", **_reset(closed_first="remote", pid_source="listen"))


@scenario
def close_unread_in_close_wait(lab):
    """The server's FIN came, and its data was never read: RST in place of the second FIN."""
    pair = lab.pair()
    pair.say(2)
    pair.server.sendall(b"d" * 9)
    pair.server.close()
    lab.c.wait_sockets("close-wait")
    time.sleep(DELAYED_ACK_S)
    pair.client.close()
    pair.down = 9
    lab.client(pair, "CLOSE_WAIT", **_sent("TCP_ABORT_ON_CLOSE", closed_first="remote"))
    lab.server(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="fin_wait2",
               ends="reset")


@scenario
def linger0(lab):
    pair = lab.pair()
    pair.say(4)
    time.sleep(0.2)
    reset_close(pair.client)
    read_reset(pair.server)
    pair.server.close()
    lab.client(pair, "", **_sent("TCP_STATE", closed_first="local",
                                 duration_ns=Range(0.2, 2)))
    lab.server(pair, "", **_reset(closed_first="remote"))


@scenario
def linger0_server(lab):
    pair = lab.pair()
    pair.say(4)
    reset_close(pair.server)
    read_reset(pair.client)
    pair.client.close()
    lab.client(pair, "", **_reset(closed_first="remote"))
    lab.server(pair, "", **_sent("TCP_STATE", closed_first="local"))


@scenario
def rst_close_wait(lab):
    """The client's FIN came first, its RST later: EPIPE at the server."""
    pair = lab.pair()
    pair.client.shutdown(socket.SHUT_WR)
    read_end(pair.server)
    reset_close(pair.client)
    try:
        time.sleep(0.05)
        pair.server.send(b"d")
    except BrokenPipeError:
        pass
    pair.server.close()
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", **_sent("TCP_STATE", closed_first="local"))
    lab.server(pair, "CLOSE_WAIT", **_reset(closed_first="remote", error="EPIPE",
                                            pid_source="listen"))


@scenario
def rst_fin_wait2(lab):
    pair = lab.pair()
    pair.server.shutdown(socket.SHUT_WR)
    read_end(pair.client)
    reset_close(pair.client)
    read_reset(pair.server)
    pair.server.close()
    lab.client(pair, "CLOSE_WAIT", **_sent("TCP_STATE", closed_first="remote"))
    lab.server(pair, "FIN_WAIT1 FIN_WAIT2", **_reset(closed_first="local", pid_source="close"))


@scenario
def rst_fin_wait2_orphan(lab):
    """The RST hits what is left of a socket that is gone."""
    pair = lab.pair()
    pair.say(1)
    pair.server.close()
    read_end(pair.client)
    reset_close(pair.client)
    lab.client(pair, "CLOSE_WAIT", **_sent("TCP_STATE", closed_first="remote"))
    lab.server(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="fin_wait2",
               ends="reset")


@scenario
def rst_fin_wait1(lab):
    """The FIN is lost; the server's RST finds the client in FIN_WAIT1."""
    pair = lab.pair()
    pair.say(1)
    drop = lab.s.drop(FIN)
    pair.client.close()
    lab.c.wait_sockets("fin-wait-1")
    reset_close(pair.server)
    lab.c.wait_sockets("fin-wait-1", 0)
    drop.lift()
    lab.client(pair, "FIN_WAIT1", **_reset(closed_first="local", fin_retrans=AtLeast(0),
                                           retrans=AtLeast(0)))
    lab.server(pair, "", **_sent("TCP_STATE", closed_first="local"))


@scenario
def rst_last_ack(lab):
    """FIN_WAIT2 is over at the client when the server's FIN comes."""
    lab.c.sysctl(tcp_fin_timeout=1)
    pair = lab.pair()
    pair.say(1)
    pair.client.close()
    read_end(pair.server)
    lab.c.wait_sockets("fin-wait-2", 0)
    pair.server.close()
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="fin_wait2",
               ends="expired", whole={"duration_ns": Range(0.8, 5)})
    lab.server(pair, "CLOSE_WAIT LAST_ACK", **_reset(closed_first="remote"))


@scenario
def data_after_close_finwait1(lab):
    """Data for a socket that was closed: it resets its peer, it was not reset."""
    pair = lab.pair()
    drop = lab.s.drop(FIN)
    pair.client.close()
    lab.c.wait_sockets("fin-wait-1")
    pair.server.sendall(b"late")
    read_reset(pair.server)
    drop.lift()
    pair.server.close()
    lab.client(pair, "FIN_WAIT1", **_sent("TCP_ABORT_ON_DATA", closed_first="local",
                                          error="ECONNRESET", fin_retrans=AtLeast(0),
                                          retrans=AtLeast(0)))
    lab.server(pair, "", **_reset(closed_first="remote", pid_source=SENDER))


@scenario
def finwait2_orphan_long_data(lab):
    """With a tcp_fin_timeout above a minute FIN_WAIT2 keeps its whole socket."""
    lab.c.sysctl(tcp_fin_timeout=120)
    pair = lab.pair()
    pair.client.close()
    read_end(pair.server)
    pair.server.sendall(b"late")
    _wait_broken(pair.server)
    pair.server.close()
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", **_sent("TCP_ABORT_ON_DATA", closed_first="local",
                                                    error="ECONNRESET"))
    lab.server(pair, "CLOSE_WAIT", **_reset(closed_first="remote", error="EPIPE",
                                            pid_source=SENDER))


def _wait_broken(sock):
    try:
        for _ in range(200):
            sock.send(b"")
            if sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                return
            time.sleep(0.01)
    except BrokenPipeError:
        return
    raise AssertionError("no EPIPE")


@scenario
def shutdown_rd(lab):
    """SHUT_RD shows nowhere; what comes then is unread at close()."""
    pair = lab.pair()
    pair.client.shutdown(socket.SHUT_RD)
    pair.server.sendall(b"late")
    time.sleep(0.1)
    pair.client.close()
    read_reset(pair.server)
    pair.server.close()
    pair.down = 4
    lab.client(pair, "", **_sent("TCP_ABORT_ON_CLOSE", closed_first="local"))
    lab.server(pair, "", **_reset(closed_first="remote", pid_source="listen"))


@scenario
def shutdown_rdwr(lab):
    pair = lab.pair()
    pair.client.shutdown(socket.SHUT_RDWR)
    wait_state(pair.client, TCP_FIN_WAIT2)
    pair.server.sendall(b"late")
    _wait_broken(pair.server)
    pair.server.close()
    pair.client.close()
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", **_sent("TCP_ABORT_ON_DATA", closed_first="local",
                                                    error="ECONNRESET"))
    lab.server(pair, "CLOSE_WAIT", **_reset(closed_first="remote", error="EPIPE",
                                            pid_source=SENDER))


@scenario
def linger2(lab):
    """TCP_LINGER2 below 0: FIN_WAIT2 ends in an RST at once."""
    pair = lab.pair()
    pair.client.setsockopt(socket.IPPROTO_TCP, TCP_LINGER2, -1)
    pair.client.close()
    _wait_broken(pair.server)
    pair.server.close()
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", **_sent("TCP_ABORT_ON_DATA", closed_first="local"))
    lab.server(pair, "CLOSE_WAIT", **_reset(closed_first="remote", error="EPIPE",
                                            pid_source="listen"))


@scenario
def forged_rst(lab):
    """An RST of a stranger with the exact sequence number."""
    pair = lab.pair(cport=5001)
    pair.say(3)
    send_rst(lab.c, (CLIENT4, 5001), (SERVER4, PORT), sequences(pair.client)[0])
    read_reset(pair.server)
    pair.server.close()
    lab.server(pair, "", **_reset(closed_first="remote"))
    reset_close(pair.client)
    lab.client(pair, "", **_sent("TCP_STATE", closed_first="local"))


@scenario
def ss_kill(lab):
    pair = lab.pair(cport=5001)
    pair.say(2)
    lab.c.run("ss", "-K", "-t", "state", "established", "sport", "=", ":5001")
    read_reset(pair.server)
    pair.server.close()
    try:
        pair.client.recv(1)
    except ConnectionAbortedError:
        pass
    pair.client.close()
    lab.client(pair, "", closed="killed", closed_first="local", error="ECONNABORTED",
               reset_reason="TCP_STATE")
    lab.server(pair, "", **_reset(closed_first="remote"))


@scenario
def ss_kill_close_wait(lab):
    """Killed after the peer's FIN: that one closed first."""
    pair = lab.pair(cport=5001)
    pair.say(2)
    pair.server.shutdown(socket.SHUT_WR)
    read_end(pair.client)
    lab.c.run("ss", "-K", "-t", "state", "close-wait", "sport", "=", ":5001")
    read_reset(pair.server)
    pair.server.close()
    pair.client.close()
    lab.client(pair, "CLOSE_WAIT", closed="killed", closed_first="remote", error="ECONNABORTED",
               reset_reason="TCP_STATE")
    lab.server(pair, "FIN_WAIT1 FIN_WAIT2", **_reset(closed_first="local"))


@scenario
def ss_kill_syn_sent(lab):
    drop = lab.s.drop("tcp flags syn")
    client = lab.start_connect(cport=5001)
    lab.c.wait_sockets("syn-sent")
    lab.c.run("ss", "-K", "-t", "state", "syn-sent", "sport", "=", ":5001")
    lab.c.wait_sockets("syn-sent", 0)
    client.close()
    drop.lift()
    lab.client_alone(5001, states="SYN_SENT", opened="aborted", error="ECONNABORTED",
                     closed=lambda word: word in ("killed", "none"), teardown="none",
                     closed_first=lambda word: word in ("local", "none"))


@scenario
def ss_kill_time_wait(lab):
    if not kernel_at_least(6, 1):
        return
    pair = lab.pair(cport=5001)
    pair.client.shutdown(socket.SHUT_WR)
    read_end(pair.server)
    pair.server.close()
    read_fin(pair.client)
    pair.client.close()
    lab.c.wait_sockets("time-wait")
    time.sleep(0.3)
    lab.c.run("ss", "-K", "-t", "state", "time-wait", "sport", "=", ":5001")
    lab.c.wait_sockets("time-wait", 0)
    lab.client(pair, "FIN_WAIT1 FIN_WAIT2", closed_first="local", remains="time_wait",
               after="TIME_WAIT", ends="killed", whole={"time_wait_ns": Range(0.3, 2)})
    lab.server(pair, "CLOSE_WAIT LAST_ACK", closed_first="remote", pid_source="close")


@scenario
def sigkill(lab):
    """A process dies with all its sockets: they are closed in its name."""
    dropped = lab.s.drop("tcp dport 99 tcp flags syn")
    listener = lab.listen()
    actor = lab.actor("victim", lab.c)
    quiet = Pair(None, None, actor.connect(key="quiet", address=SERVER4, port=PORT))
    quiet.server, _peer = listener.accept()
    unread = Pair(None, None, actor.connect(key="unread", address=SERVER4, port=PORT))
    unread.server, _peer = listener.accept()
    actor.listen(key="listener", address=CLIENT4, port=7000)
    opening = actor.start_connect(key="opening", address=SERVER4, port=99)
    unread.server.sendall(b"d" * 11)
    unread.down = 11
    lab.s.wait_sockets("established", 2)
    time.sleep(0.1)
    actor.kill()
    listener.close()
    read_reset(unread.server)
    unread.server.close()
    read_end(quiet.server)
    quiet.server.close()
    dropped.lift()
    who = {"pid": actor.pid, "comm": "victim"}
    lab.closed_by_client(quiet, client=who)
    lab.client(unread, "", **_sent("TCP_ABORT_ON_CLOSE", closed_first="local", **who))
    lab.server(unread, "", **_reset(closed_first="remote", pid_source="listen"))
    lab.attempt(opening, 99, **who)
