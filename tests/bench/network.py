# SPDX-License-Identifier: GPL-2.0-only
"""Network namespaces for the bench.

They have no name: this process holds them by file descriptors, so they are gone
when it ends, however it ends. Knows nothing of cases and tracers.
"""
import collections
import contextlib
import ctypes
import os
import subprocess

CLONE_NEWNET = 0x40000000
WIRE = "eth0"
SERVER4, SERVER6, CLIENT4, CLIENT6 = "10.79.0.2", "fd79::2", "10.79.0.1", "fd79::1"
FLOOD_NETWORK = "10.80.0.0/16"  # tools/flood.h

# paths of the namespaces; one and the same where all is on lo
Network = collections.namedtuple("Network", "clients servers")

libc = ctypes.CDLL(None, use_errno=True)


def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def inside(path, command):
    return ["nsenter", f"--net={path}", *command]


@contextlib.contextmanager
def entered(path):
    """This process, in that namespace."""
    with open("/proc/self/ns/net", "rb") as home, open(path, "rb") as there:
        checked(libc.setns(there.fileno(), CLONE_NEWNET))
        try:
            yield
        finally:
            checked(libc.setns(home.fileno(), CLONE_NEWNET))


@contextlib.contextmanager
def namespace():
    with open("/proc/self/ns/net", "rb") as home:
        checked(libc.unshare(CLONE_NEWNET))
        try:
            made = os.open("/proc/self/ns/net", os.O_RDONLY)
        finally:
            checked(libc.setns(home.fileno(), CLONE_NEWNET))
    try:
        yield f"/proc/{os.getpid()}/fd/{made}"
    finally:
        os.close(made)


def ip(path, *words):
    subprocess.run(inside(path, ["ip", *words]), check=True, timeout=10)


def address(path, device, *addresses):
    ip(path, "link", "set", device, "up")
    for one in addresses:
        ip(path, "addr", "add", one, "dev", device, *(["nodad"] if ":" in one else []))


def lead_answers_away(path):
    """What is sent to that network by lo is discarded where it arrives."""
    with entered(path):
        for name in ("all", "default", WIRE, "lo"):
            with contextlib.suppress(FileNotFoundError), \
                    open(f"/proc/sys/net/ipv4/conf/{name}/rp_filter", "w", encoding="ascii") as file:
                file.write("0")
    ip(path, "route", "add", FLOOD_NETWORK, "dev", "lo")


@contextlib.contextmanager
def on_lo():
    with namespace() as path:
        address(path, "lo", f"{SERVER4}/32", f"{SERVER6}/128")
        lead_answers_away(path)
        yield Network(path, path)


@contextlib.contextmanager
def on_veth():
    """Two namespaces and a pair of interfaces between them."""
    with namespace() as clients, namespace() as servers:
        ip(clients, "link", "add", WIRE, "type", "veth", "peer", "name", WIRE, "netns", servers)
        address(clients, WIRE, f"{CLIENT4}/24", f"{CLIENT6}/64")
        address(servers, WIRE, f"{SERVER4}/24", f"{SERVER6}/64")
        address(servers, "lo")
        lead_answers_away(servers)
        yield Network(clients, servers)


PLACES = {"lo": on_lo, "veth": on_veth}
