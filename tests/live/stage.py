# SPDX-License-Identifier: GPL-2.0-only
"""
Scenarios: functions that live through real connections in namespaces of
their own and write down what the record of each end must say.
"""
import os
import platform
import re
import time
import traceback

from expect import SECOND, Expected, OneOf, Range, parse_time
from netlab import ADDRESSES, FAMILIES, SLOW, Net, eventually, read_exactly
from troupe import Actor

PORT = 80
OPENED_BY_CLIENT = "SYN_SENT ESTABLISHED"
OPENED_BY_SERVER = "SYN_RECV ESTABLISHED"
TIME_WAIT_S = Range(59.5, 64)  # TCP_TIMEWAIT_LEN, rounded up by the timer wheel

_scenarios = {}


def scenario(function):
    """Registers function(lab) under its name."""
    _scenarios[function.__name__] = function
    return function


def scenarios():
    return dict(_scenarios)


def kernel_at_least(*version):
    found = re.match(r"(\d+)\.(\d+)", platform.release())
    return tuple(map(int, found.groups())) >= version


def own_comm():
    with open("/proc/self/comm") as comm:
        return comm.read().rstrip("\n")


def cgroup_of(pid):
    """Its path in the unified hierarchy, or None without one."""
    with open(f"/proc/{pid}/cgroup") as lines:
        for line in lines:
            if line.startswith("0::"):
                return line.rstrip("\n")[3:]
    return None


class Pair:
    """A connection with both ends in hand; counts what it carries."""

    def __init__(self, client, server, cport=None, sport=PORT):
        """cport: where the client is not there to be asked any more."""
        self.client, self.server = client, server
        self.cport = cport or client.getsockname()[1]
        self.sport = sport
        self.up = self.down = 0
        self.server_has_read = False

    def say(self, count):
        """Client to server, read there."""
        self.client.sendall(b"u" * count)
        self.said(count)

    def said(self, count):
        """The client has sent that much already; it is read here."""
        read_exactly(self.server, count)
        self.up += count
        self.server_has_read = True

    def answer(self, count):
        """Server to client, read there."""
        self.server.sendall(b"d" * count)
        read_exactly(self.client, count)
        self.down += count


class Lab:
    """What a scenario plays with: two namespaces, and the list of what must be told."""

    def __init__(self, name):
        self.name = name
        self.net = Net()
        self.c, self.s = self.net.c, self.net.s
        self.version = 4  # of IP, unless a call says otherwise
        self.wanted = []
        self.common = {}  # fields of every record, unless said otherwise
        self.failure = None  # of the scenario itself: nothing to do with connlife
        self.begin_ns = self.end_ns = time.time_ns()
        self._actors = []

    def settle(self):
        """Waits until no end of any connection is still to be told."""
        for side in (self.c, self.s):
            for state in ("fin-wait-1", "closing", "last-ack", "close-wait"):
                eventually(lambda: not side.sockets(state), f"nobody in {state}")

    # playing

    def play(self, function):
        self.begin_ns = time.time_ns()
        try:
            function(self)
        except Exception:
            self.failure = traceback.format_exc()
        finally:
            self.end_ns = time.time_ns()
            self.end_actors()

    @property
    def client_address(self):
        return ADDRESSES[self.version][0]

    @property
    def server_address(self):
        return ADDRESSES[self.version][1]

    def socket(self, side=None, **keywords):
        return (side or self.c).socket(**{"family": FAMILIES[self.version], **keywords})

    def listen(self, port=PORT, backlog=16, side=None, address=None, **keywords):
        listener = self.socket(side or self.s, **keywords)
        listener.bind((address or self.server_address, port))
        listener.listen(backlog)
        return listener

    def connect(self, port=PORT, cport=0, side=None, address=None):
        client = self.socket(side)
        if cport:
            client.bind(("", cport))
        client.connect((address or self.server_address, port))
        return client

    def start_connect(self, port=PORT, cport=0, address=None):
        """A connect() that returns at once; gives the socket, blocking from then on."""
        client = self.socket()
        client.bind((self.client_address, cport))
        client.setblocking(False)
        try:
            client.connect((address or self.server_address, port))
        except BlockingIOError:
            pass
        client.setblocking(True)
        return client

    def pair(self, port=PORT, cport=0, listener=None):
        """A connection, accepted; its listener is closed unless it was given."""
        own = listener or self.listen(port)
        client = self.connect(port, cport)
        pair = self.accepted(own, client, port=port)
        if not listener:
            own.close()
        return pair

    def accepted(self, listener, client, cport=None, port=PORT):
        """The pair that a client makes with what its listener accepts."""
        server, _peer = listener.accept()
        return Pair(client, server, cport, port)

    def actor(self, name, side=None):
        actor = Actor.start(side or self.s, name)
        self._actors.append(actor)
        return actor

    def also_end(self, actor):
        self._actors.append(actor)
        return actor

    def played(self, record):
        """Whether it is of the time when this was played: inodes of namespaces come again."""
        moment = record["start"] or record["end"]
        if moment is None:
            return True
        slack = SECOND // 4
        return self.begin_ns - slack <= parse_time(moment) <= self.end_ns + slack

    def end_actors(self):
        while self._actors:
            self._actors.pop().end()

    def end(self):
        self.end_actors()
        self.net.remove()

    # what must be told

    def expect(self, side, lport, rport, states, after="", ends=None, times=None,
               whole_times=None, prompt=None, whole=None, is_whole_life=True, **fields):
        """
        One end. states: up to CLOSE; after: what --whole adds; ends: how what
        the kernel kept of it ended; times: spent in states; fields: of the
        record, in prompt and whole those that --whole changes.
        """
        whole = {"remains_end": ends, "time_wait_ns": None, **(whole or {})}
        if "TIME_WAIT" in after and "time_wait_ns" not in fields:
            whole["time_wait_ns"] = TIME_WAIT_S if ends == "expired" else Range(0, 64)
        self.wanted.append(Expected(
            netns=side.inode, lport=lport, rport=rport,
            both=_with_defaults({**self.common, **fields}),
            states=states.split(), after=after.split(), whole=whole,
            prompt={"remains_end": None, "time_wait_ns": None, **(prompt or {})},
            times=times or {}, whole_times=whole_times or {}, is_whole_life=is_whole_life))

    def client(self, pair, states, **fields):
        fields = {**self._ends_of_client(), "pid_source": "connect",
                  "tx_bytes": pair.up, "rx_bytes": pair.down, **fields}
        self.expect(self.c, pair.cport, pair.sport, f"{OPENED_BY_CLIENT} {states}",
                           **fields)

    def server(self, pair, states, **fields):
        """The owner is who read from it, or else who closed it."""
        source = "read" if pair.server_has_read else "close"
        fields = {"role": "server", "family": self.version, "laddr": self.server_address,
                  "raddr": self.client_address, "pid_source": source,
                  "tx_bytes": pair.down, "rx_bytes": pair.up, **fields}
        self.expect(self.s, pair.sport, pair.cport, f"{OPENED_BY_SERVER} {states}",
                           **fields)

    def _ends_of_client(self):
        return {"role": "client", "family": self.version, "laddr": self.client_address,
                "raddr": self.server_address}

    def client_alone(self, cport, sport=PORT, states=OPENED_BY_CLIENT, **fields):
        """A client whose server end never was."""
        fields = {**self._ends_of_client(), "pid_source": "connect",
                  "tx_bytes": 0, "rx_bytes": 0, **fields}
        self.expect(self.c, cport, sport, states, **fields)

    def attempt(self, cport, sport=PORT, opened="aborted", error=None, **fields):
        """A client that came no further than SYN_SENT."""
        self.client_alone(cport, sport, "SYN_SENT", opened=opened, error=error,
                                 closed="none", closed_first="none", **fields)

    # the two ends of the most usual end: FIN from one, then FIN from the other

    def closed_by_client(self, pair, client=None, server=None):
        self.client(pair, "FIN_WAIT1 FIN_WAIT2", **{
            "closed_first": "local", "remains": "fin_wait2", "after": "TIME_WAIT",
            "ends": "expired", **(client or {})})
        self.server(pair, "CLOSE_WAIT LAST_ACK", **{"closed_first": "remote", **(server or {})})

    def closed_by_server(self, pair, client=None, server=None):
        self.client(pair, "CLOSE_WAIT LAST_ACK", **{"closed_first": "remote", **(client or {})})
        self.server(pair, "FIN_WAIT1 FIN_WAIT2", **{
            "closed_first": "local", "remains": "fin_wait2", "after": "TIME_WAIT",
            "ends": "expired", **(server or {})})


def _with_defaults(fields):
    """An orderly life in the hands of this process, unless said otherwise."""
    defaults = {
        "schema": 1, "family": 4, "cookie": lambda cookie: (cookie or 0) > 0, "uid": 0,
        "pid": os.getpid(), "comm": own_comm(), "cgroup": cgroup_of(os.getpid()),
        "opened": "handshake", "closed": "fin", "error": None, "reset_reason": None,
        "remains": None, "retrans": 0, "syn_retrans": 0, "synack_retrans": 0, "fin_retrans": 0,
        "complete": True, "incomplete_because": [],
    }
    merged = {**defaults, **fields}
    if merged["closed"] == "fin":
        # null where the states alone do not prove it
        merged.setdefault("teardown", OneOf(None, "four_way", "three_segment", "half_close"))
    else:
        merged.setdefault("teardown", "none")
    if merged["reset_reason"] and not kernel_at_least(6, 12):
        merged["reset_reason"] = None  # the kernel gives none
    if "handshake_ns" not in merged and merged["opened"] in ("handshake", "fastopen"):
        merged["handshake_ns"] = Range(1e-9, 8)
    return merged


DELAYED_ACK_S = 0.1 * SLOW  # longer than the kernel holds an ACK back (TCP_DELACK_MIN)


def close_client_first(pair):
    """FIN, ACK, FIN, ACK: each in a segment of its own."""
    pair.client.close()
    read_end(pair.server)
    pair.server.close()


def close_server_first(pair):
    pair.server.close()
    read_end(pair.client)
    pair.client.close()


def read_end(sock):
    """The peer's FIN, and time enough that it was acknowledged."""
    if sock.recv(1) != b"":
        raise AssertionError("data where a FIN was awaited")
    time.sleep(DELAYED_ACK_S)


def read_reset(sock, error=ConnectionResetError):
    """Waits until the socket was reset."""
    try:
        sock.recv(1)
    except error:
        return
    raise AssertionError(f"no {error.__name__}")
