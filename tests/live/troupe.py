# SPDX-License-Identifier: GPL-2.0-only
"""The tests' side of actor.py: starts such processes in a namespace and orders them about."""
import contextlib
import json
import os
import signal
import socket
import subprocess

from netlab import SLOW, start_program

PYTHON = "/usr/bin/python3"
SCRIPT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "actor.py")
ANSWER_S = 12.0 * SLOW


class Actor:
    """actor.read(key="a", count=5) is the order "read" to that process."""

    def __init__(self, control, pid, name, process=None):
        self._control = control
        self._process = process
        self._control.settimeout(ANSWER_S)
        self.received = []  # descriptors that came with the last answer
        self.pid = pid
        self.name = name

    @classmethod
    def start(cls, namespace, name):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with namespace.entered():
            process = start_program([PYTHON, SCRIPT, str(theirs.fileno()), name],
                                    pass_fds=[theirs.fileno()])
        theirs.close()
        return cls(ours, process.pid, name, process)

    def order(self, do, fds=(), **keywords):
        socket.send_fds(self._control, [json.dumps({"do": do, **keywords}).encode()], list(fds))
        answer, self.received, _flags, _from = socket.recv_fds(self._control, 65536, 4)
        if not answer:
            raise RuntimeError(f"{self.name} died of {do}")
        answer = json.loads(answer)
        if "error" in answer:
            raise RuntimeError(f"{self.name}: {do}: {answer['error']}")
        return answer["value"]

    def __getattr__(self, do):
        return lambda **keywords: self.order(do, **keywords)

    def fork(self, name):
        """The forked child, as an actor of its own."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            pid = self.order("fork", fds=[theirs.fileno()], name=name)
        return Actor(ours, pid, name)

    def become(self, name, keys):
        """exec(): the same pid is another program now."""
        self.order("exec", name=name, keys=keys)
        self.name = name

    def pass_to(self, other, key):
        """A copy of the descriptor, by SCM_RIGHTS."""
        self.order("give", key=key)
        fd = self.received[0]
        other.order("take", fds=[fd], key=key)
        os.close(fd)

    def kill(self):
        os.kill(self.pid, signal.SIGKILL)
        if self._process:
            self._process.wait(ANSWER_S)

    def end(self):
        self._control.close()
        if not self._process:
            return
        try:
            self._process.wait(ANSWER_S)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            self._process.wait(ANSWER_S)
