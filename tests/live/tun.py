# SPDX-License-Identifier: GPL-2.0-only
"""A tunnel device whose other end is this process: bare IP packets, no link layer."""
import fcntl
import os
import select
import struct

from netlab import WAIT_S
from wire import build_ipv4, build_segment, parse_ip, parse_segment

TUNSETIFF = 0x400454ca
IFF_TUN, IFF_NO_PI = 0x0001, 0x1000


class Tun:
    """It is there while the file is open."""

    def __init__(self, namespace, name, network):
        with namespace.entered():
            self._fd = os.open("/dev/net/tun", os.O_RDWR | os.O_CLOEXEC)
            fcntl.ioctl(self._fd, TUNSETIFF, struct.pack("16sH14x", name.encode(),
                                                         IFF_TUN | IFF_NO_PI))
        namespace.run("ip", "addr", "add", network, "dev", name)
        namespace.run("ip", "link", "set", name, "up")

    def __enter__(self):
        return self

    def __exit__(self, *_error):
        os.close(self._fd)

    def send(self, source, sport, target, dport, *header):
        """header: flags, seq, ack and payload as for build_segment()."""
        segment = build_segment((source, sport), (target, dport), *header)
        os.write(self._fd, build_ipv4(source, target, segment))

    def receive(self):
        """The next TCP segment that the host sends."""
        while True:
            readable, _, _ = select.select([self._fd], [], [], WAIT_S)
            if not readable:
                raise TimeoutError("no segment")
            protocol, carried = parse_ip(os.read(self._fd, 2048))
            if protocol == 6:
                return parse_segment(carried)
