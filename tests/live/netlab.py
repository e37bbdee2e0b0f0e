# SPDX-License-Identifier: GPL-2.0-only
"""
Two network namespaces joined by a veth pair, and what can be done to them:
sockets made inside, sysctls set, segments dropped, counted, rejected, held.

Nothing here knows connlife. Segments are dropped where they arrive, never
where they leave: a local drop on output is a different thing to TCP.
"""
import contextlib
import ctypes
import itertools
import json
import os
import re
import socket
import struct
import subprocess
import threading
import time

NET4 = os.environ.get("CONNLIFE_LIVE_NET4", "10.77.0")  # another one, to be told from others
CLIENT4, SERVER4 = NET4 + ".1", NET4 + ".2"
CLIENT6, SERVER6 = "fd77::1", "fd77::2"
ADDRESSES = {4: (CLIENT4, SERVER4), 6: (CLIENT6, SERVER6)}
FAMILIES = {4: socket.AF_INET, 6: socket.AF_INET6}
DEVICE = "eth0"
SLOW = float(os.environ.get("CONNLIFE_LIVE_SLOW", 1))  # how much slower this machine is
WAIT_S = 8.0 * SLOW  # longest wait for anything that must happen soon

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_serial = itertools.count()
_starting = threading.Lock()  # a program that is being started holds a copy of every socket

# nft matches of segments by their flags
SYN = "tcp flags & (syn|ack|rst) == syn"
SYNACK = "tcp flags & (syn|ack) == syn|ack"
PURE_ACK = "tcp flags & (fin|syn|rst|psh|ack) == ack"
FIN = "tcp flags & fin == fin"
RST = "tcp flags & rst == rst"
ANY_TCP = "meta l4proto tcp"


class Socket(socket.socket):
    """Its last close() is ours: never left to a program that another thread is starting."""

    def accept(self):
        accepted, peer = super().accept()
        return Socket(fileno=accepted.detach()), peer

    def close(self):
        with _starting:
            super().close()


def start_program(argv, **keywords):
    """subprocess.Popen, which returns when the program has let go of our sockets."""
    with _starting:
        return subprocess.Popen(argv, **keywords)


def run(argv, text=None):
    """Runs a tool that must succeed and returns what it printed."""
    pipe = subprocess.PIPE
    with start_program(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            out, errors = process.communicate(text, timeout=20 * SLOW)
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {errors.strip()}")
    return out


def eventually(condition, what, timeout=WAIT_S):
    """Waits until condition() is true and returns its value."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout:g} s in vain for: {what}")
        time.sleep(0.005)


def _setns(fd):
    if _libc.setns(fd, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def bound_waits(sock):
    """
    Blocking calls end in BlockingIOError after WAIT_S; accepted sockets
    inherit that. settimeout() would make every call a non-blocking one.
    """
    limit = struct.pack("ll", int(WAIT_S), 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)


class Rule:
    """One nft rule in a table of its own, with its counter; lower priorities come first."""

    def __init__(self, namespace, hook, priority, match, verdict, family="inet"):
        self.namespace = namespace
        self.family = family
        self.table = f"t{next(_serial)}"
        namespace.run("nft", "-f", "-", text=f"""
            table {family} {self.table} {{
                chain c {{
                    type filter hook {hook} priority {priority};
                    {match} counter {verdict}
                }}
            }}""")

    def count(self):
        """Segments that matched so far."""
        listing = json.loads(self.namespace.run("nft", "-j", "list", "table", self.family,
                                            self.table))
        rule = next(entry["rule"] for entry in listing["nftables"] if "rule" in entry)
        return next(e["counter"]["packets"] for e in rule["expr"] if "counter" in e)

    def wait_count(self, at_least, settle=0.0):
        """Waits for that many, then until none came for settle seconds."""
        eventually(lambda: self.count() >= at_least, f"{at_least} segments in {self.table}")
        while settle:
            before = self.count()
            time.sleep(settle)
            if self.count() == before:
                break
        return self.count()

    def lift(self):
        self.namespace.run("nft", "delete", "table", self.family, self.table)


class Namespace:
    """A network namespace; its sockets are made by whichever thread asks."""

    def __init__(self, name, number, own4, own6):
        self.name = name
        self.number = number
        self.own4, self.own6 = own4, own6
        self.own = {4: own4, 6: own6}
        self.is_named = True
        run(["ip", "netns", "add", name])
        self.fd = os.open(f"/run/netns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        self.inode = os.fstat(self.fd).st_ino

    @contextlib.contextmanager
    def entered(self):
        """The calling thread is inside; other threads stay where they are."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _setns(self.fd)
        try:
            yield
        finally:
            _setns(home)
            os.close(home)

    def run(self, *argv, text=None):
        with self.entered():
            return run(list(argv), text)

    def sysctl(self, **settings):
        """sysctl(tcp_fin_timeout=2): names below net.ipv4."""
        for name, value in settings.items():
            with self.entered(), open(f"/proc/sys/net/ipv4/{name}", "w") as setting:
                setting.write(str(value))

    def socket(self, family=socket.AF_INET, protocol=0):
        with self.entered():
            sock = Socket(family, socket.SOCK_STREAM, protocol)
        bound_waits(sock)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        return sock

    def drop(self, match):
        """Drops what arrives here and matches, until lifted."""
        return Rule(self, "prerouting", -300, match, "drop")

    def count(self, match):
        """Counts what arrives here and matches, even if it is dropped after that."""
        return Rule(self, "prerouting", -310, match, "")

    def lose(self, match):
        """Loses what leaves from here and matches: TCP believes it sent, and no device gets it."""
        return Rule(self, f"egress device {DEVICE}", 0, match, "fwd to lo", family="netdev")

    def refuse(self, match):
        """Refuses to send what matches: TCP is told that it did not leave."""
        return Rule(self, "output", 0, match, "drop")

    def reject(self, match, icmp, protocol="icmp"):
        """Answers what arrives here and matches with this ICMP error."""
        return Rule(self, "input", 0, match, f"reject with {protocol} type {icmp}")

    def plug(self, version=4):
        """
        Holds every segment that leaves from here, until released (within 2 s):
        the peer's hardware address is unknown and nobody tells it.
        """
        if version == 4:
            self.peer.sysctl(**{f"conf/{DEVICE}/arp_ignore": 8})
        else:
            Rule(self.peer, "prerouting", -300, "icmpv6 type nd-neighbor-solicit", "drop")
        self._know_peer(version, "reachable")
        self.run("ip", "neigh", "del", self.peer.own[version], "dev", DEVICE)

    def release(self, version=4):
        self._know_peer(version, "permanent")

    def _know_peer(self, version, how):
        self.run("ip", "neigh", "replace", self.peer.own[version], "dev", DEVICE,
                 "lladdr", self.peer.mac(), "nud", how)

    def mac(self):
        return f"02:00:00:00:77:{self.number:02x}"

    def sockets(self, state, *match):
        """Lines of ss for sockets in a state, minisocks too."""
        listing = self.run("ss", "-Htan", "state", state, *match)
        return [line for line in listing.splitlines() if line.strip()]

    def wait_sockets(self, state, number=1, timeout=WAIT_S):
        eventually(lambda: len(self.sockets(state)) == number,
                   f"{number} sockets in {state}", timeout)

    def unname(self):
        """What ip netns del does: the namespace lives on while it is in use."""
        if self.is_named:
            self.is_named = False
            run(["ip", "netns", "del", self.name])

    def forget(self):
        """Gives up the last hold this process has on it, but for its sockets."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def remove(self):
        self.forget()
        with contextlib.suppress(RuntimeError):
            self.unname()


def remove_stale():
    """Removes what runs left behind that were killed before they could clean up."""
    with contextlib.suppress(FileNotFoundError):
        for name in os.listdir("/run/netns"):
            found = re.fullmatch(r"connlife(\d+)n\d+[cs]", name)
            if found and not os.path.exists(f"/proc/{found.group(1)}"):
                run(["ip", "netns", "del", name])


class Net:
    """The pair of namespaces: client c and server s."""

    def __init__(self):
        base = f"connlife{os.getpid()}n{next(_serial)}"
        self.c = Namespace(base + "c", 1, CLIENT4, CLIENT6)
        try:
            self.s = Namespace(base + "s", 2, SERVER4, SERVER6)
            self.c.peer, self.s.peer = self.s, self.c
            self._join()
        except BaseException:
            self.remove()
            raise

    def _join(self):
        run(["ip", "-n", self.c.name, "link", "add", DEVICE, "address", self.c.mac(),
             "type", "veth",
             "peer", "name", DEVICE, "address", self.s.mac(), "netns", self.s.name])
        for side in (self.c, self.s):
            run(["ip", "-n", side.name, "-batch", "-"], f"""
                link set lo up
                addr add {side.own4}/24 dev {DEVICE}
                addr add {side.own6}/64 dev {DEVICE} nodad
                link set {DEVICE} up
                """)
        self._wait_carrier()

    def _wait_carrier(self):
        for side in (self.c, self.s):
            eventually(lambda: "state UP" in run(["ip", "-n", side.name, "link", "show", DEVICE]),
                       f"{side.name} is up")

    def remove(self):
        for side in ("c", "s"):
            if hasattr(self, side):
                getattr(self, side).remove()


TCP_ESTABLISHED, TCP_SYN_SENT, TCP_FIN_WAIT1, TCP_FIN_WAIT2 = 1, 2, 4, 5
TCP_CLOSE, TCP_CLOSE_WAIT = 7, 8


def tcp_state(sock):
    """The state that the kernel tells for a socket we hold (struct tcp_info)."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]


def wait_state(sock, state, timeout=WAIT_S):
    eventually(lambda: tcp_state(sock) == state, f"state {state}", timeout)


def set_linger0(sock):
    """close() then sends RST in place of FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def reset_close(sock):
    set_linger0(sock)
    sock.close()


def disconnect(sock):
    """connect(AF_UNSPEC), which Python does not offer."""
    unspecified = struct.pack("H14x", socket.AF_UNSPEC)
    if _libc.connect(sock.fileno(), unspecified, len(unspecified)):
        raise OSError(ctypes.get_errno(), "connect(AF_UNSPEC)")


def read_exactly(sock, count):
    data = b""
    while len(data) < count:
        piece = sock.recv(count - len(data))
        if not piece:
            raise EOFError(f"{len(data)} of {count} bytes, then FIN")
        data += piece
    return data


def read_fin(sock):
    """Waits for the peer's FIN."""
    if sock.recv(1) != b"":
        raise AssertionError("data where a FIN was awaited")


TCP_REPAIR, TCP_REPAIR_QUEUE, TCP_QUEUE_SEQ = 19, 20, 21


def sequences(sock):
    """The sequence numbers that it will send and wants to receive next."""
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, 1)
    found = []
    for queue in (2, 1):  # TCP_SEND_QUEUE, TCP_RECV_QUEUE
        sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR_QUEUE, queue)
        found += struct.unpack("I", sock.getsockopt(socket.IPPROTO_TCP, TCP_QUEUE_SEQ, 4))
    sock.setsockopt(socket.IPPROTO_TCP, TCP_REPAIR, -1)  # off, without a window probe
    return found
