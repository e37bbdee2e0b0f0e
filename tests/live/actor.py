# SPDX-License-Identifier: GPL-2.0-only
"""
A process that does with TCP sockets what it is told, so that a test knows
which process did what. Run as: actor.py CONTROL_FD NAME [KEY=FD ...]

Orders and answers are JSON, one a datagram on a Unix socket; descriptors
travel with them. It ends when the other end of that socket is closed.
"""
import contextlib
import ctypes
import json
import os
import resource
import signal
import socket
import struct
import sys
import threading

PR_SET_NAME = 15
SO_COOKIE = 57
TIMEOUT_S = int(8 * float(os.environ.get("CONNLIFE_LIVE_SLOW", 1)))
_libc = ctypes.CDLL(None, use_errno=True)


def set_comm(name):
    """Names the calling thread; for the main thread that is the process' comm."""
    _libc.prctl(PR_SET_NAME, name.encode(), 0, 0, 0)


def new_socket():
    """Blocking calls end after TIMEOUT_S; accepted sockets inherit that."""
    sock = socket.socket()
    limit = struct.pack("ll", TIMEOUT_S, 0)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return sock


class Interrupted(Exception):
    pass


def cookie_of(sock):
    return int.from_bytes(sock.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8), "little")


def _on_alarm(_number, _frame):
    raise Interrupted


class Actor:
    """The orders. Each method's keywords are those of the order."""

    def __init__(self, control, name):
        self.control = control
        self.socks = {}
        self.given = []  # descriptors that came with the order
        self.giving = []  # descriptors that go with the answer
        set_comm(name)

    def serve(self):
        while True:
            order, self.given, _flags, _from = socket.recv_fds(self.control, 65536, 4)
            if not order:
                return
            answer = self._obey(json.loads(order))
            with contextlib.suppress(BrokenPipeError):
                socket.send_fds(self.control, [json.dumps(answer).encode()], self.giving)
            self.giving = []

    def _obey(self, order):
        method = getattr(self, order.pop("do"))
        try:
            return {"value": method(**order)}
        except Exception as error:  # told to the test, which fails with it
            return {"error": repr(error)}

    def pid(self):
        return os.getpid()

    def listen(self, key, address, port, backlog=16, reuseport=False):
        sock = new_socket()
        if reuseport:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        sock.bind((address, port))
        sock.listen(backlog)
        self.socks[key] = sock

    def accept(self, listener, key):
        self.socks[key], peer = self.socks[listener].accept()
        return peer[1]

    def try_accept(self, listener, key):
        """The peer's port, or None where nobody waits."""
        self.socks[listener].setblocking(False)
        try:
            return self.accept(listener, key)
        except BlockingIOError:
            return None
        finally:
            self.socks[listener].setblocking(True)

    def serve_crowd(self, listener, count):
        """Accepts so many, reads a byte of each and keeps them all; the peers' ports."""
        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        resource.setrlimit(resource.RLIMIT_NOFILE, (limit, limit))
        ports = []
        for number in range(count):
            ports.append(self.accept(listener, f"crowd-{number}"))
            self.read(f"crowd-{number}", 1)
        return ports

    def close_crowd(self, count):
        for number in range(count):
            self.close(f"crowd-{number}")

    def cookie(self, key):
        return cookie_of(self.socks[key])

    def serve_in_thread(self, listener, key, count, name):
        """Another thread accepts and reads, and this one waits for it."""
        def work():
            set_comm(name)
            self.accept(listener, key)
            self.read(key, count)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join(TIMEOUT_S)
        if thread.is_alive():
            raise TimeoutError(name)

    def connect(self, key, address, port, lport=0):
        sock = new_socket()
        if lport:
            sock.bind(("", lport))
        self.socks[key] = sock
        sock.connect((address, port))
        return sock.getsockname()[1]

    def start_connect(self, key, address, port):
        """Leaves it in SYN_SENT."""
        sock = socket.socket()
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            sock.connect((address, port))
        self.socks[key] = sock
        return sock.getsockname()[1]

    def connect_interrupted(self, key, address, port, after_s):
        """connect() until a signal ends it; the socket stays in SYN_SENT."""
        sock = new_socket()
        self.socks[key] = sock
        signal.signal(signal.SIGALRM, _on_alarm)
        signal.setitimer(signal.ITIMER_REAL, after_s)
        try:
            sock.connect((address, port))
        except Interrupted:
            return sock.getsockname()[1]
        raise AssertionError("connect() was not interrupted")

    def read(self, key, count):
        left = count
        while left:
            piece = self.socks[key].recv(left)
            if not piece:
                raise EOFError(f"{left} of {count} bytes did not come")
            left -= len(piece)

    def read_fin(self, key):
        if self.socks[key].recv(1):
            raise AssertionError("data where a FIN was awaited")

    def send(self, key, count):
        self.socks[key].sendall(b"x" * count)

    def close(self, key):
        self.socks.pop(key).close()

    def fork(self, name):
        """A child with copies of all sockets obeys the control socket that came along."""
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        pid = os.fork()
        if pid:
            os.close(self.given[0])
            return pid
        self.control.close()
        self.control = socket.socket(fileno=self.given[0])
        set_comm(name)
        self.serve()
        os._exit(0)

    def exec(self, name, keys):
        """Becomes another program that inherits these sockets, as with socket activation."""
        inherited = []
        for key in keys:
            os.set_inheritable(self.socks[key].fileno(), True)
            inherited.append(f"{key}={self.socks[key].fileno()}")
        os.set_inheritable(self.control.fileno(), True)
        os.execv(sys.executable, [sys.executable, __file__, str(self.control.fileno()), name,
                                  *inherited])

    def give(self, key):
        """Its descriptor goes with the answer; it stays open here too."""
        self.giving = [self.socks[key].fileno()]

    def take(self, key):
        """Keeps the descriptor that came with the order."""
        self.socks[key] = socket.socket(fileno=self.given[0])

    def setuid(self, uid):
        os.setuid(uid)

    def enter_cgroup(self, path):
        with open(f"{path}/cgroup.procs", "w") as procs:
            procs.write(str(os.getpid()))


def main():
    control = socket.socket(fileno=int(sys.argv[1]))
    actor = Actor(control, sys.argv[2])
    for inherited in sys.argv[3:]:
        key, fd = inherited.split("=")
        actor.socks[key] = socket.socket(fileno=int(fd))
    if sys.argv[3:]:
        control.send(json.dumps({"value": os.getpid()}).encode())  # the answer to exec
    actor.serve()


if __name__ == "__main__":
    main()
