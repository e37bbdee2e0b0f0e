# SPDX-License-Identifier: GPL-2.0-only
"""
Processes that hold connections and are killed all the time, and what became of
each. Run as: mortals.py ADDRESS PORT

Every connection is made here; its client has closed it at once, so that it is in
CLOSE_WAIT as long as somebody holds its server's end: of every second one only a
child, which takes it along when it is killed; of the others this process too, and
each child that dies is followed by another. Where the kernel lets us choose, the
number of a dead child is given to a process that holds no socket at all. Until
standard input ends, or LONGEST_S have passed; then all is told as JSON:

  held: [[client's port, pid, [names], from, until], ...]  by CLOCK_MONOTONIC
  deaths: how many children were killed
  usurped: how many of their numbers were given away
"""
import ctypes
import itertools
import json
import os
import select
import signal
import socket
import sys
import time

NAME, HEIR, USURPER = "mortals", "mortal", "usurper"
PLACES = 48
PAUSE_S = 0.004  # between two deaths
LONGEST_S = 120
PR_SET_NAME, PR_SET_PDEATHSIG = 15, 1
LAST_PID = "/proc/sys/kernel/ns_last_pid"
_libc = ctypes.CDLL(None, use_errno=True)


def set_comm(name):
    _libc.prctl(PR_SET_NAME, name.encode(), 0, 0, 0)


def die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def wait_for_death():
    while True:
        signal.pause()


class Namesakes:
    """A process without sockets, whose children take the numbers of the dead."""

    def __init__(self):
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.pid = os.fork()
        if not self.pid:
            self.control.close()
            die_with_parent()
            self._serve(theirs)
        theirs.close()

    def _serve(self, control):
        self.alive = []
        while order := control.recv(32):
            wanted = int(order)
            try:
                with open(LAST_PID, "w") as last:
                    last.write(str(wanted - 1))
            except OSError:
                wanted = 0  # it may not choose
            pid = os.fork()
            if not pid:
                control.close()
                die_with_parent()
                set_comm(USURPER)
                wait_for_death()
            time.sleep(PAUSE_S / 4)  # so long it is there at least
            if pid != wanted:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
                pid = 0
            else:
                self._keep(pid)
            control.send(str(pid).encode())
        os._exit(0)

    def _keep(self, pid):
        self.alive.append(pid)
        if len(self.alive) > PLACES:
            old = self.alive.pop(0)
            os.kill(old, signal.SIGKILL)
            os.waitpid(old, 0)

    def take(self, pid):
        """Whether somebody else has this number now."""
        self.control.send(str(pid).encode())
        return self.control.recv(32) == str(pid).encode()


class Place:
    """One connection after the other, or one with one holder after the other."""

    def __init__(self, mortals, is_shared):
        self.mortals = mortals
        self.is_shared = is_shared
        self.server = None
        self.begin()

    def begin(self):
        if not self.server:
            client = socket.create_connection(self.mortals.listener.getsockname())
            self.server, peer = self.mortals.listener.accept()
            self.port = peer[1]
            self.mortals.holds(self.port, os.getpid(), [NAME])
            client.close()
        self.child = self.mortals.fork(self.server, self.port)
        if not self.is_shared:
            self.server.close()
            self.mortals.holds_no_more(self.port, os.getpid())
            self.server = None

    def end(self):
        os.kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)
        self.mortals.holds_no_more(self.port, self.child)
        return self.child


class Mortals:
    def __init__(self, address, port):
        self.namesakes = Namesakes()  # before there is any socket
        self.listener = socket.create_server((address, port), backlog=64)
        self.open = {}  # (port, pid): [port, pid, names, from]
        self.closed = []
        self.deaths = self.usurped = 0
        self.places = [Place(self, number % 2) for number in range(PLACES)]

    def holds(self, port, pid, names):
        self.open[port, pid] = [port, pid, names, time.monotonic()]

    def holds_no_more(self, port, pid):
        self.closed.append([*self.open.pop((port, pid)), time.monotonic()])

    def fork(self, server, port):
        """A child that holds only this one, once it has let go of the others that we have."""
        began, others = time.monotonic(), [key[0] for key in self.open if key[1] == os.getpid()]
        settled, told = os.pipe()
        pid = os.fork()
        if not pid:
            die_with_parent()
            set_comm(HEIR)
            os.dup2(server.fileno(), 0)
            os.dup2(told, 1)
            os.closerange(2, 1024)
            os.write(1, b".")
            os.close(1)
            wait_for_death()
        os.close(told)
        os.read(settled, 1)
        os.close(settled)
        for other in others:
            until = time.monotonic()
            if other != port:
                self.closed.append([other, pid, [NAME, HEIR], began, until])
        self.open[port, pid] = [port, pid, [NAME, HEIR], began]
        return pid

    def live(self):
        until = time.monotonic() + LONGEST_S
        for place in itertools.cycle(self.places):
            if select.select([0], [], [], PAUSE_S)[0] or time.monotonic() > until:
                return
            pid = place.end()
            self.deaths += 1
            self.usurped += self.namesakes.take(pid)
            place.begin()

    def tell(self):
        for place in self.places:
            place.end()
        for port, pid in list(self.open):
            self.holds_no_more(port, pid)
        print(json.dumps({"held": self.closed, "deaths": self.deaths, "usurped": self.usurped}))


def main():
    set_comm(NAME)
    mortals = Mortals(sys.argv[1], int(sys.argv[2]))
    print("ready", flush=True)
    mortals.live()
    mortals.tell()


if __name__ == "__main__":
    main()
