# SPDX-License-Identifier: GPL-2.0-only
"""Scenarios: which process owns a connection, and how that was learnt."""
import contextlib
import os
import time

from netlab import SERVER4, eventually, read_exactly, reset_close
from stage import DELAYED_ACK_S, PORT, Pair, read_end, scenario


def _of(actor, source, **more):
    return {"pid": actor.pid, "comm": actor.name, "pid_source": source, **more}


def _server(lab, name):
    actor = lab.actor(name)
    actor.listen(key="listener", address=SERVER4, port=PORT)
    return actor


def _end_by(lab, pair, actor, key="a", **owner):
    """The server's process closes first, then the client."""
    actor.close(key=key)
    read_end(pair.client)
    pair.client.close()
    lab.closed_by_server(pair, server=owner)


@scenario
def fork_server(lab):
    """The parent accepts, a child serves."""
    parent = _server(lab, "parent")
    pair = Pair(lab.connect(), None)
    parent.accept(listener="listener", key="a")
    child = lab.also_end(parent.fork("child"))
    parent.close(key="a")
    pair.client.sendall(b"u" * 5)
    pair.up = 5
    child.read(key="a", count=5)
    _end_by(lab, pair, child, **_of(child, "read"))


@scenario
def fork_server_silent(lab):
    """A child that only closes is known by that."""
    parent = _server(lab, "parent")
    pair = Pair(lab.connect(), None)
    parent.accept(listener="listener", key="a")
    child = lab.also_end(parent.fork("child"))
    parent.close(key="a")
    _end_by(lab, pair, child, **_of(child, "close"))


@scenario
def prefork_server(lab):
    """Workers share the listener that their parent made: each owns what it accepted."""
    parent = _server(lab, "parent")
    workers = [lab.also_end(parent.fork(f"worker-{number}")) for number in (1, 2)]
    for number, worker in enumerate(workers):
        pair = Pair(lab.connect(cport=5001 + number), None)
        worker.accept(listener="listener", key="a")
        pair.client.sendall(b"u" * 2)
        pair.up = 2
        worker.read(key="a", count=2)
        _end_by(lab, pair, worker, **_of(worker, "read"))


@scenario
def threaded_server(lab):
    """A thread serves: the process is named, by its leader."""
    actor = _server(lab, "leader")
    pair = Pair(lab.connect(), None)
    pair.client.sendall(b"u" * 3)
    pair.up = 3
    actor.serve_in_thread(listener="listener", key="a", count=3, name="thread")
    _end_by(lab, pair, actor, **_of(actor, "read"))


@scenario
def fd_passed(lab):
    """Accepted by one process, given to another with SCM_RIGHTS before any byte was read."""
    broker = _server(lab, "broker")
    worker = lab.actor("worker")
    pair = Pair(lab.connect(), None)
    broker.accept(listener="listener", key="a")
    broker.pass_to(worker, "a")
    broker.close(key="a")
    pair.client.sendall(b"u" * 4)
    pair.up = 4
    worker.read(key="a", count=4)
    _end_by(lab, pair, worker, **_of(worker, "read"))


@scenario
def reuseport_twins(lab):
    """Two listeners on one port: each child names its own, before it is even read."""
    twins = [lab.actor(f"twin-{number}") for number in (1, 2)]
    for twin in twins:
        twin.listen(key="listener", address=SERVER4, port=PORT, reuseport=True)
    served = set()
    for cport in range(5001, 5041):
        served.add(_serve_unread(lab, twins, cport).name)
        if len(served) == 2 and cport >= 5004:
            break


@scenario
def port_in_turn(lab):
    """Listeners of one port come and go: each child names its own, whoever was there before."""
    actors = {name: lab.actor(name) for name in ("first", "second", "third")}

    def listen(name):
        actors[name].listen(key="listener", address=SERVER4, port=PORT, reuseport=True)

    def serve(cport, *names):
        return _serve_unread(lab, [actors[name] for name in names], cport)

    listen("first")
    serve(5001, "first")
    listen("second")
    actors["first"].close(key="listener")
    serve(5002, "second")
    listen("third")
    for cport in range(5003, 5011):
        serve(cport, "second", "third")
    actors["second"].close(key="listener")
    serve(5011, "third")
    actors["third"].close(key="listener")
    listen("first")
    serve(5012, "first")


def _serve_unread(lab, actors, cport):
    """One of them accepts and does nothing that would name it: the client resets."""
    client = lab.connect(cport=cport)
    pair = Pair(client, None)
    actor = eventually(lambda: _accepted_by(actors), "somebody accepts")
    _reset(client)
    actor.close(key="a")
    lab.client(pair, "", closed="rst_sent", closed_first="local", reset_reason="TCP_STATE")
    lab.server(pair, "", closed="rst_received", closed_first="remote", error="ECONNRESET",
               **_of(actor, "listen"))
    return actor


def _accepted_by(actors):
    return next((actor for actor in actors if actor.try_accept(listener="listener", key="a")), None)


def _reset(client):
    reset_close(client)
    time.sleep(0.02)


@scenario
def socket_activation(lab):
    """The listener is made by one program and inherited by another, which serves."""
    activator = _server(lab, "activator")
    service = lab.also_end(activator.fork("starting"))
    service.become("service", ["listener"])
    pair = Pair(lab.connect(), None)
    service.accept(listener="listener", key="a")
    pair.client.sendall(b"u" * 6)
    pair.up = 6
    service.read(key="a", count=6)
    _end_by(lab, pair, service, **_of(service, "read"))


@scenario
def accepted_never_read(lab):
    """Nobody read and the client resets: the listener's process is all that is known."""
    actor = _server(lab, "idle")
    pair = Pair(lab.connect(), None)
    actor.accept(listener="listener", key="a")
    _reset(pair.client)
    actor.close(key="a")
    lab.client(pair, "", closed="rst_sent", closed_first="local", reset_reason="TCP_STATE")
    lab.server(pair, "", closed="rst_received", closed_first="remote", error="ECONNRESET",
               **_of(actor, "listen"))


@scenario
def sender_that_closes(lab):
    """A server that only sends, accepted by another process than listened."""
    parent = _server(lab, "parent")
    child = lab.also_end(parent.fork("sender"))
    pair = Pair(lab.connect(), None)
    child.accept(listener="listener", key="a")
    child.send(key="a", count=77)
    read_exactly(pair.client, 77)
    pair.down = 77
    _end_by(lab, pair, child, **_of(child, "close"))


@scenario
def client_process(lab):
    """connect() names a client, whoever reads and closes."""
    opener = lab.actor("opener", lab.c)
    listener = lab.listen()
    cport = opener.connect(key="a", address=SERVER4, port=PORT)
    pair = lab.accepted(listener, None, cport)
    listener.close()
    heir = lab.also_end(opener.fork("heir"))
    opener.close(key="a")
    pair.server.sendall(b"d" * 3)
    pair.down = 3
    heir.read(key="a", count=3)
    heir.close(key="a")
    read_end(pair.server)
    pair.server.close()
    lab.closed_by_client(pair, client=_of(opener, "connect"))


@scenario
def uid_after_setuid(lab):
    """The uid of a child is that of the task that accepted it."""
    actor = _server(lab, "dropping")
    pair = Pair(lab.connect(), None)
    actor.setuid(uid=1234)
    actor.accept(listener="listener", key="a")
    pair.client.sendall(b"u")
    pair.up = 1
    actor.read(key="a", count=1)
    _end_by(lab, pair, actor, **_of(actor, "read", uid=1234))


@scenario
def cgroup_of_listener(lab):
    """A child's cgroup is that in which its listener was made."""
    with _new_cgroup(lab.name) as (directory, path):
        if not directory:
            return
        actor = lab.actor("grouped")
        actor.enter_cgroup(path=directory)
        actor.listen(key="listener", address=SERVER4, port=PORT)
        pair = Pair(lab.connect(), None)
        actor.accept(listener="listener", key="a")
        pair.client.sendall(b"u")
        pair.up = 1
        actor.read(key="a", count=1)
        _end_by(lab, pair, actor, **_of(actor, "read", cgroup=path))
        actor.kill()
        time.sleep(DELAYED_ACK_S)  # its path is asked for when the event was read


@contextlib.contextmanager
def _new_cgroup(name):
    """A cgroup below the root, as (directory, path); (None, None) without cgroup v2."""
    root = cgroup_root()
    if not root:
        yield None, None
        return
    path = f"/connlife{os.getpid()}{name}"
    os.mkdir(root + path)
    try:
        yield root + path, path
    finally:
        os.rmdir(root + path)


def cgroup_root():
    """Where the unified hierarchy is mounted, or None."""
    with open("/proc/self/mounts") as mounts:
        for line in mounts:
            fields = line.split()
            if fields[2] == "cgroup2":
                return fields[1]
    return None
