# SPDX-License-Identifier: GPL-2.0-only
"""Runs connlife: starts it, waits until it traces, ends it, reads what it said."""
import contextlib
import json
import os
import re
import signal
import subprocess

from netlab import SLOW, eventually

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(os.environ.get("CONNLIFE") or os.path.join(REPOSITORY, "build/connlife"))
OPTIONS = os.environ.get("CONNLIFE_OPTIONS", "").split()  # with every run: tests/sanitized
START_S = 40 * SLOW  # many may start at once, each looking into some hundred namespaces
STOP_S = 15 * SLOW
REBIRTH_S = 3.5  # until connlife may be sure of how a minisock went (no SYN took its place)


def kernel_hides_hooks():
    """
    Whether this kernel is built to run no tracing program of ours while pid 1 is
    on the CPU, in the softirqs that interrupt it neither (seen on a 6.18: neither
    run_cnt nor recursion_misses counts such a call). What a timer does may then
    be told to nobody: in one storm 60 of 4,000 repeated SYNs.
    """
    try:
        with open("/sys/kernel/btf/vmlinux", "rb") as btf:
            return b"\0init_owned\0" in btf.read()
    except OSError:
        return False


def children_of(pid):
    """The keeper, for one."""
    with open(f"/proc/{pid}/task/{pid}/children") as children:
        return [int(child) for child in children.read().split()]


def fd_infos(pid):
    """What /proc says of each descriptor that a process or a child of it holds, as lines."""
    for one in (pid, *children_of(pid)):
        for fd in os.listdir(f"/proc/{one}/fdinfo"):
            with contextlib.suppress(FileNotFoundError):
                with open(f"/proc/{one}/fdinfo/{fd}") as info:
                    yield info.read().splitlines()


class Tracer:
    """One run of connlife with its output in files of a directory."""

    def __init__(self, directory, name, *arguments):
        self.out_path = os.path.join(directory, name + ".out")
        self.err_path = os.path.join(directory, name + ".err")
        self._read_to = 0
        with open(self.out_path, "wb") as out, open(self.err_path, "wb") as err:
            self._process = subprocess.Popen([PROGRAM, *arguments, *OPTIONS], stdout=out,
                                             stderr=err, stdin=subprocess.DEVNULL)

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


@contextlib.contextmanager
def stopped(tracer):
    """It gets no time meanwhile; the kernel goes on."""
    os.kill(tracer.pid, signal.SIGSTOP)
    eventually(lambda: process_state(tracer.pid) == "T", "it is stopped")
    try:
        yield
    finally:
        os.kill(tracer.pid, signal.SIGCONT)


def process_state(pid):
    with open(f"/proc/{pid}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0]


def finished(*tracers):
    """Stops them all; every one must end with 0."""
    for tracer in tracers:
        status = tracer.stop()
        assert status == 0, f"exit {status}: {tracer.stderr()}"


def run_program(*arguments, program=None, timeout=20, **keywords):
    """A run that ends by itself."""
    command = [program, *arguments] if program else [PROGRAM, *arguments, *OPTIONS]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout,
                          stdin=subprocess.DEVNULL, **keywords)


def as_nobody(program, *arguments):
    """The same without root."""
    return run_program("--reuid", "65534", "--regid", "65534", "--clear-groups", str(program),
                       *arguments, *OPTIONS, program="setpriv")
