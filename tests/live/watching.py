# SPDX-License-Identifier: GPL-2.0-only
"""connlife in both namespaces of a lab, watching what their devices receive."""
import json
import os
import re
import time

import ladders
from expect import complaints_about
from netlab import DEVICE
from tracer import finished

# (version of IP, --packets): all of them, and halves that share them out
WAYS = [(4, "xdp"), (6, "xdp"), (4, "tc"), (6, "tc")]
SOME_WAYS, OTHER_WAYS = [WAYS[0], WAYS[3]], [WAYS[1], WAYS[2]]
OUR_NETS = ("-a", "10.77.0.0/24", "-a", "fd77::/64")
# what both tracers must say alike, since only the sockets tell it
BY_SOCKETS = ("opened", "closed", "closed_first", "reset_reason", "error", "reason", "tx_bytes",
              "rx_bytes", "retrans", "isn_local", "peer_cookie", "remains", "pid")


def is_number(value):
    return isinstance(value, int) and value > 0


class Watch:
    """
    connlife in each namespace of a lab, watching the device there. Each of the
    two tells both ends, and has seen what its own received.
    """

    def __init__(self, lab, trace, way, arguments=(), directory=None):
        self.lab = lab
        self._directory = directory
        self._began_ns = time.time_ns()
        lab.version, packets = way
        lab.common = {"handshake": [], "violations": [], "reason": None, "conn_state": "SF",
                      "isn_local": is_number, "isn_remote": is_number, "peer_cookie": is_number,
                      "flags_rx": None, "completeness": None}
        self.is_whole = "--whole" in arguments
        self._tracers = {}
        for side in (lab.c, lab.s):
            with side.entered():
                self._tracers[side] = trace(side.name, "life", "--json", "-i", DEVICE, "--packets",
                                            packets, *OUR_NETS, "--record", self.recording(side),
                                            *arguments, ready=False)
        for tracer in self._tracers.values():
            tracer.wait_ready()

    def tracer(self, side):
        return self._tracers[side]

    def recording(self, side):
        return os.path.join(self._directory, side.name + ".rec")

    def finish(self):
        """Ends both, which lost nothing; what remains of connections is told then."""
        finished(*self._tracers.values())
        for tracer in self._tracers.values():
            assert tracer.lost() == 0, tracer.stderr()

    def records(self, side, teller=None):
        """Of the ends that are in a namespace, as its own tracer tells them."""
        return [record for record in self._tracers[teller or side].records()
                if record["netns"] == side.inode]

    def record(self, side, lport, rport):
        """The only one with these ports."""
        found = [record for record in self.records(side)
                 if (record["lport"], record["rport"]) == (lport, rport)]
        assert len(found) == 1, found
        return found[0]

    def check(self):
        """Both ends must be told as the lab wants them, and agree."""
        self.finish()
        played = (self.lab.begin_ns, time.time_ns())
        complaints = [complaints_about(self.records(side), [one for one in self.lab.wanted
                                                            if one.netns == side.inode],
                                       self.is_whole, played)
                      for side in (self.lab.c, self.lab.s)]
        complaints += self._disagreements() + self._strangers_to_each_other()
        complaints.append(self._ladder_complaint())
        assert not any(complaints), "\n".join(filter(None, complaints))

    def _ladder_complaint(self):
        """The diagrams, as each side's tracer draws them."""
        drawings = [f"== {name} ==\n" + "\n\n".join(
            ladders.drawn(self.recording(side), self.lab.version, self._began_ns)) + "\n"
                    for name, side in (("watched at the client", self.lab.c),
                                       ("watched at the server", self.lab.s))]
        name = re.sub(r"\[ipv[46]-(?:xdp|tc)-?(.*)\]", r"-\1", self.lab.name).rstrip("-")
        return ladders.complaint(name, "\n".join(drawings))

    def _disagreements(self):
        """Between the two tracers, of the same end."""
        lines = []
        for side in (self.lab.c, self.lab.s):
            others = {one["cookie"]: one for one in self.records(side, side.peer)}
            for own in self.records(side):
                other = others.get(own["cookie"])
                if not own["cookie"]:
                    continue  # what is seen by its device only
                if other is None:
                    lines.append(f"not told by the other tracer: {json.dumps(own)}")
                    continue
                lines += [f"{name}: {own[name]!r}, and {other[name]!r} by the other tracer: "
                          f"{json.dumps(own)}" for name in BY_SOCKETS if own[name] != other[name]]
        return lines

    def _strangers_to_each_other(self):
        """Ends that know each other, but not the same connection."""
        theirs = {one["cookie"]: one for one in self.records(self.lab.s) if one["cookie"]}
        lines = []
        for own in self.records(self.lab.c):
            other = theirs.get(own["peer_cookie"])
            if own["peer_cookie"] is None:
                continue
            if other is None or (
                    own["cookie"], own["isn_local"], own["isn_remote"]) != (
                    other["peer_cookie"], other["isn_remote"], other["isn_local"]):
                lines.append(f"not peers: {json.dumps(own)} and {json.dumps(other)}")
        return lines
