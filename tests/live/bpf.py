# SPDX-License-Identifier: GPL-2.0-only
"""
BPF programs that are somebody else's, and which ones are on a device. By
bpf(2) itself: the bpftool of Debian 12 knows no tcx.
"""
import ctypes
import json
import os
import platform
import shutil
import struct

_libc = ctypes.CDLL(None, use_errno=True)
_NUMBERS = {"x86_64": 321, "aarch64": 280, "riscv64": 280, "s390x": 351, "ppc64le": 361}
PROG_LOAD, PROG_QUERY, LINK_CREATE = 5, 16, 28
SCHED_CLS, XDP = 3, 6  # types of programs
XDP_PASS, TC_NEXT = 2, -1  # what they return
ON_XDP, ON_TCX_INGRESS = 37, 46  # BPF_XDP, BPF_TCX_INGRESS
XDP_DRIVER = 4  # XDP_FLAGS_DRV_MODE
TCX_MOST = 63  # programs on one hook

BPFTOOL = shutil.which("bpftool") or "/usr/sbin/bpftool"


def _bpf(command, attr):
    buffer = ctypes.create_string_buffer(attr, 144)
    result = _libc.syscall(_NUMBERS[platform.machine()], command, buffer, 144)
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf({command})")
    return result, buffer.raw


class Program:
    """One that returns a number, and does nothing else."""

    def __init__(self, kind, returns, name=""):
        code = ctypes.create_string_buffer(struct.pack("BBhiBBhi", 0xb7, 0, 0, returns,
                                                       0x95, 0, 0, 0), 16)
        licence = ctypes.create_string_buffer(b"GPL")
        self.fd, _attr = _bpf(PROG_LOAD, struct.pack(
            "IIQQ24x16s", kind, 2, ctypes.addressof(code), ctypes.addressof(licence),
            name.encode()))
        self._fds = [self.fd]

    @property
    def id(self):
        with open(f"/proc/self/fdinfo/{self.fd}") as info:
            return next(int(line.split()[1]) for line in info if line.startswith("prog_id:"))

    def link(self, side, device, where, flags=0):
        """On a device until close()."""
        with side.entered():
            ifindex = _index(device)
            link, _attr = _bpf(LINK_CREATE, struct.pack("IIII", self.fd, ifindex, where, flags))
        self._fds.append(link)
        return self

    def close(self):
        while self._fds:
            os.close(self._fds.pop())


def _index(device):
    """Of the network namespace that the thread is in; socket.if_nametoindex() asks the same."""
    index = _libc.if_nametoindex(device.encode())
    if not index:
        raise OSError(f"no {device}")
    return index


def xdp_on(side, device):
    """(mode, program) of a device, or None."""
    links = json.loads(side.run("ip", "-j", "-d", "link", "show", "dev", device))
    xdp = links[0].get("xdp")
    return xdp and ({1: "native", 2: "generic"}.get(xdp["mode"], xdp["mode"]), xdp["prog"]["id"])


def tcx_on(side, device):
    """Programs on the ingress side by tcx, in their order."""
    ids = (ctypes.c_uint32 * TCX_MOST)()
    with side.entered():
        _result, attr = _bpf(PROG_QUERY, struct.pack("IIIIQI", _index(device), ON_TCX_INGRESS, 0, 0,
                                                     ctypes.addressof(ids), TCX_MOST))
    return list(ids)[:struct.unpack_from("I", attr, 24)[0]]


def clsact_on(side, device):
    """(whether there is the qdisc, BPF programs on its ingress side)"""
    qdiscs = json.loads(side.run("tc", "-j", "qdisc", "show", "dev", device) or "[]")
    if not any(one["kind"] == "clsact" for one in qdiscs):
        return False, []
    filters = json.loads(side.run("tc", "-j", "filter", "show", "dev", device, "ingress") or "[]")
    return True, [one["options"]["prog"]["id"] for one in filters if "options" in one]


def is_clean(side, device):
    return not (xdp_on(side, device) or tcx_on(side, device) or clsact_on(side, device)[0])
