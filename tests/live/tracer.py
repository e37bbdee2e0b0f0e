# SPDX-License-Identifier: GPL-2.0-only
"""Runs connlife: starts it, waits until it traces, ends it, reads what it said."""
import json
import os
import re
import signal
import subprocess
import time

from expect import complaints_about
from netlab import DEVICE, eventually

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(os.environ.get("CONNLIFE") or os.path.join(REPOSITORY, "build/connlife"))
START_S = 40  # many may start at once, each looking into some hundred namespaces
STOP_S = 15
REBIRTH_S = 3.5  # until connlife may be sure of how a minisock went (no SYN took its place)


def kernel_hides_hooks():
    """
    Whether this kernel is built to run no tracing program of ours while pid 1 is
    on the CPU, in the softirqs that interrupt it neither (seen on a 6.18: neither
    run_cnt nor recursion_misses counts such a call). What a timer does may then
    be told to nobody, about once in a thousand times.
    """
    try:
        with open("/sys/kernel/btf/vmlinux", "rb") as btf:
            return b"\0init_owned\0" in btf.read()
    except OSError:
        return False


class Tracer:
    """One run of connlife with its output in files of a directory."""

    def __init__(self, directory, name, *arguments):
        self.out_path = os.path.join(directory, name + ".out")
        self.err_path = os.path.join(directory, name + ".err")
        self._read_to = 0
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self._process = subprocess.Popen([PROGRAM, *arguments], stdout=out, stderr=err,
                                             stdin=subprocess.DEVNULL)

    @property
    def pid(self):
        return self._process.pid

    def wait_ready(self):
        def is_tracing():
            if self._process.poll() is not None:
                raise RuntimeError(f"connlife ended with {self._process.returncode}: "
                                   f"{self.stderr()}")
            return "connlife: tracing" in self.stderr().splitlines()

        eventually(is_tracing, "connlife: tracing", START_S)
        return self

    def stop(self, how=signal.SIGINT):
        """Ends it and gives its exit status."""
        if self._process.poll() is None:
            self._process.send_signal(how)
        return self.wait()

    def wait(self, timeout=STOP_S):
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def kill(self):
        self._process.kill()
        self._process.wait(STOP_S)

    def stderr(self):
        with open(self.err_path) as err:
            return err.read()

    def counted(self, what):
        """A number of the summary: counted("stray resets")."""
        found = re.search(rf"(\d+) {what}", self.stderr())
        return int(found.group(1)) if found else 0

    def lost(self):
        """How many events it says it lost."""
        return int(re.findall(r"(\d+) lost", self.stderr())[-1])

    def unseen(self):
        """How many of them the kernel ran no hook for."""
        return self.counted("steps that the kernel ran no hook for")

    def text(self):
        with open(self.out_path) as out:
            return out.read()

    def records(self):
        return [json.loads(line) for line in self.text().splitlines()]

    def new_records(self):
        """Those that came since this was asked last."""
        with open(self.out_path, "rb") as out:
            out.seek(self._read_to)
            fresh = out.read()
        fresh = fresh[:fresh.rfind(b"\n") + 1]
        self._read_to += len(fresh)
        return [json.loads(line) for line in fresh.splitlines()]


def finished(*tracers):
    """Stops them all; every one must end with 0."""
    for tracer in tracers:
        status = tracer.stop()
        assert status == 0, f"exit {status}: {tracer.stderr()}"


def run_program(*arguments, program=None, timeout=20, **keywords):
    """A run that ends by itself."""
    return subprocess.run([program or PROGRAM, *arguments], capture_output=True, text=True,
                          timeout=timeout, stdin=subprocess.DEVNULL, **keywords)


def as_nobody(program, *arguments):
    """The same without root."""
    return run_program("--reuid", "65534", "--regid", "65534", "--clear-groups", str(program),
                       *arguments, program="setpriv")


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

    def __init__(self, lab, trace, way, arguments=()):
        self.lab = lab
        lab.version, packets = way
        lab.common = {"handshake": [], "violations": [], "reason": None, "conn_state": "SF",
                      "isn_local": is_number, "isn_remote": is_number, "peer_cookie": is_number,
                      "flags_rx": None, "completeness": None}
        self.is_whole = "--whole" in arguments
        self._tracers = {}
        for side in (lab.c, lab.s):
            with side.entered():
                self._tracers[side] = trace(side.name, "life", "--json", "-i", DEVICE, "--packets",
                                            packets, *OUR_NETS, *arguments, ready=False)
        for tracer in self._tracers.values():
            tracer.wait_ready()

    def tracer(self, side):
        return self._tracers[side]

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
        assert not any(complaints), "\n".join(filter(None, complaints))

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
