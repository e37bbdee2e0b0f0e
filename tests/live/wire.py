# SPDX-License-Identifier: GPL-2.0-only
"""
TCP segments without a socket: seen as they pass a device, and made by hand.
What is seen here is the truth that connlife is held against.
"""
import dataclasses
import errno
import socket
import struct
import time

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 0x0003, 0x0800, 0x86dd
SO_TIMESTAMPNS = 35
SO_RCVBUFFORCE = 33
PACKET_OUTGOING = 4
FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20  # RFC 9293 3.1
MODULUS = 1 << 32  # of sequence numbers
WINDOW = 4242  # of segments made here, so that a filter can tell them from others


def checksum(data):
    """RFC 1071"""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def _family(address):
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def build_segment(source, target, flags, seq, ack=0, payload=b""):
    """A TCP header and its payload; source and target are (address, port)."""
    family = _family(source[0])
    size = 20 + len(payload)
    header = struct.pack("!HHIIBBHHH", source[1], target[1], seq % MODULUS, ack % MODULUS,
                         5 << 4, flags, WINDOW, 0, 0)
    pseudo = socket.inet_pton(family, source[0]) + socket.inet_pton(family, target[0])
    if family == socket.AF_INET:
        pseudo += struct.pack("!HH", socket.IPPROTO_TCP, size)
    else:
        pseudo += struct.pack("!II", size, socket.IPPROTO_TCP)
    total = checksum(pseudo + header + payload)
    return header[:16] + struct.pack("!H", total) + header[18:] + payload


def send_segment(namespace, source, target, flags, seq, ack=0, payload=b""):
    """From an address of the namespace to target, as a stranger could send it."""
    with namespace.entered():
        raw = socket.socket(_family(source[0]), socket.SOCK_RAW, socket.IPPROTO_TCP)
    with raw:
        raw.bind((source[0], 0))
        raw.sendto(build_segment(source, target, flags, seq, ack, payload), (target[0], 0))


def send_rst(namespace, source, target, seq):
    send_segment(namespace, source, target, RST, seq)


@dataclasses.dataclass(frozen=True)
class Segment:
    ts_ns: int  # since 1970
    is_in: bool  # received by the device
    sport: int
    dport: int
    flags: int  # the six of RFC 9293
    seq: int
    ack: int
    payload: int  # bytes

    def opens(self):
        return self.flags & (SYN | ACK | RST) == SYN

    def answers(self):
        """SYN+ACK"""
        return self.flags & (SYN | ACK) == SYN | ACK


def parse_ip(packet):
    """(protocol, what it carries) of a packet without extension headers."""
    if packet[0] >> 4 == 4:
        total = struct.unpack_from("!H", packet, 2)[0]
        return packet[9], packet[(packet[0] & 0x0f) * 4:total]
    return packet[6], packet[40:40 + struct.unpack_from("!H", packet, 4)[0]]


def parse_segment(segment, is_in=True, ts_ns=0):
    sport, dport, seq, ack, offset, flags = struct.unpack_from("!HHIIBB", segment)
    return Segment(ts_ns, is_in, sport, dport, flags & 0x3f, seq, ack,
                   len(segment) - (offset >> 4) * 4)


class Tap:
    """What passes a device from now on, as a packet socket sees it: before netfilter."""

    def __init__(self, namespace, device):
        with namespace.entered():
            self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK,
                                         socket.htons(ETH_P_ALL))
            self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
            self._socket.bind((device, ETH_P_ALL))
        self._seen = []

    def segments(self, *ports):
        """All so far, or those of a connection by the ports of its ends, in any order."""
        self._drain()
        return [one for one in self._seen
                if not ports or sorted((one.sport, one.dport)) == sorted(ports)]

    def received(self, *ports):
        return [one for one in self.segments(*ports) if one.is_in]

    def sent(self, *ports):
        return [one for one in self.segments(*ports) if not one.is_in]

    def _drain(self):
        while True:
            try:
                packet, ancillary, _flags, address = self._socket.recvmsg(2048, 64)
            except BlockingIOError:
                return
            if address[1] in (ETH_P_IP, ETH_P_IPV6):
                self._take(packet, ancillary, address[2] != PACKET_OUTGOING)

    def _take(self, packet, ancillary, is_in):
        protocol, carried = parse_ip(packet)
        if protocol != socket.IPPROTO_TCP:
            return
        seconds, ns = next(struct.unpack("qq", data) for _level, kind, data in ancillary
                           if kind == SO_TIMESTAMPNS)
        self._seen.append(parse_segment(carried, is_in, seconds * 1_000_000_000 + ns))

    def close(self):
        self._socket.close()


def build_ipv4(source, target, segment):
    """A whole packet around a segment of build_segment()."""
    header = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(segment), 0, 0, 64,
                         socket.IPPROTO_TCP, 0, socket.inet_aton(source), socket.inet_aton(target))
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + segment


class SynMaker:
    """
    Ethernet frames with a SYN each, from 10.78.0.0/16 on: checksums are
    adjusted (RFC 1624), which takes a tenth of the time of building anew.
    """

    def __init__(self, from_mac, to_mac, target):
        segment = build_segment(("10.78.0.0", 0), (target, 0), SYN, 0)
        packet = build_ipv4("10.78.0.0", target, segment)
        macs = bytes.fromhex((to_mac + from_mac).replace(":", ""))
        self._frame = bytearray(macs + struct.pack("!H", ETH_P_IP) + packet)
        self._ip_sum = ~struct.unpack_from("!H", self._frame, 24)[0] & 0xffff
        self._tcp_sum = ~struct.unpack_from("!H", self._frame, 50)[0] & 0xffff

    def frame(self, host, sport, dport):
        """host: the last 16 bits of the source."""
        frame = self._frame
        struct.pack_into("!H", frame, 28, host)
        struct.pack_into("!HHI", frame, 34, sport, dport, host)
        struct.pack_into("!H", frame, 24, self._fold(self._ip_sum + host))
        struct.pack_into("!H", frame, 50, self._fold(self._tcp_sum + 2 * host + sport + dport))
        return frame

    @staticmethod
    def _fold(total):
        while total >> 16:
            total = (total & 0xffff) + (total >> 16)
        return ~total & 0xffff


def send_frames(namespace, device, frames):
    """Every one of them, however short the queue of the device is."""
    with namespace.entered(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
        raw.bind((device, 0))
        for frame in frames:
            while not _sent(raw, frame):
                time.sleep(0.0005)


def _sent(raw, frame):
    try:
        raw.send(frame)
        return True
    except OSError as error:
        if error.errno != errno.ENOBUFS:
            raise
        return False
