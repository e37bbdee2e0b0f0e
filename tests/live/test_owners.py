# SPDX-License-Identifier: GPL-2.0-only
"""Owners where many sockets are open at once: each record names who read from it."""
import os
import resource
import socket

from actor import cookie_of
from losses import status
from netlab import SERVER4, eventually, reset_close
from stage import PORT, own_comm
from tracer import finished, stopped

EACH = 1500
READER_SLOTS = 65536


def test_crowd(lab, trace):
    """Two workers of one listener hold three thousand connections between them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    tracer = trace("crowd", "life", "--json", "-L", str(PORT))
    plain = trace("plain", "life", "--json")
    parent = lab.actor("parent")
    parent.listen(key="listener", address=SERVER4, port=PORT, backlog=2 * EACH)
    workers = [lab.also_end(parent.fork(f"worker-{number}")) for number in (1, 2)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    clients, owner = [], {}
    try:
        for worker in workers:
            for _one in range(EACH):
                with lab.c.entered():
                    clients.append(socket.create_connection((SERVER4, PORT), timeout=8))
                clients[-1].sendall(b"u")
            ports = worker.serve_crowd(listener="listener", count=EACH)
            owner.update(dict.fromkeys(ports, worker))
        for client in clients:
            client.close()
        for worker in workers:
            worker.close_crowd(count=EACH)
    finally:
        for client in clients:
            client.close()
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    for one in (tracer, plain):
        finished(one)
        told = {record["rport"]: record for record in one.records()
                if record["netns"] == lab.s.inode and record["role"] == "server"}
        assert told.keys() == owner.keys()
        wrong = [(port, record["pid"], record["comm"], record["pid_source"])
                 for port, record in told.items()
                 if (record["pid"], record["comm"], record["pid_source"]) !=
                 (owner[port].pid, owner[port].name, "read")]
        assert not wrong, (len(wrong), wrong[:5])


def socket_of_slot(cookie):
    """A socket whose reader is noted in the same place: cookies are drawn in turn."""
    for _try in range(4 * READER_SLOTS):
        sock = socket.socket()
        if cookie_of(sock) % READER_SLOTS == cookie % READER_SLOTS:
            return sock
        sock.close()
    raise RuntimeError("no cookie of this slot was drawn")


def test_two_of_one_slot(lab, trace):
    """Another socket takes the place where it stood that nobody has read from the first one."""
    tracer = trace("slot", "life", "--json")
    parent = lab.actor("parent")
    parent.listen(key="listener", address=SERVER4, port=PORT)
    worker = lab.also_end(parent.fork("worker"))
    with lab.c.entered():
        first = socket.create_connection((SERVER4, PORT), timeout=8)
        worker.accept(listener="listener", key="first")
        thief = socket_of_slot(worker.cookie(key="first"))
        thief.connect((SERVER4, PORT))
    worker.accept(listener="listener", key="second")
    ports = first.getsockname()[1], thief.getsockname()[1]
    for _twice in range(2):
        first.sendall(b"u")
        worker.read(key="first", count=1)
    for sock, key in ((first, "first"), (thief, "second")):
        sock.close()
        worker.close(key=key)
    finished(tracer)
    owners = {(record["role"], record["lport"], record["rport"]):
              (record["pid"], record["comm"], record["pid_source"]) for record in tracer.records()
              if record["netns"] in (lab.s.inode, lab.c.inode)}
    own = os.getpid(), own_comm(), "connect"
    assert owners == {("server", PORT, ports[0]): (worker.pid, worker.name, "read"),
                      ("server", PORT, ports[1]): (worker.pid, worker.name, "close"),
                      ("client", ports[0], PORT): own, ("client", ports[1], PORT): own}


def test_reader_in_a_full_ring(lab, trace):
    """Its only read finds no room in the ring: who read is told by what comes later."""
    tracer = trace("full", "life", "--json", "--ring-size", "4096")
    parent = lab.actor("parent")
    parent.listen(key="listener", address=SERVER4, port=PORT, backlog=256)
    worker = lab.also_end(parent.fork("worker"))
    with lab.c.entered():
        client = socket.create_connection((SERVER4, PORT), timeout=8)
    worker.accept(listener="listener", key="first")
    with stopped(tracer):
        with lab.c.entered():
            fill = [socket.create_connection((SERVER4, PORT), timeout=8) for _one in range(64)]
        client.sendall(b"u")
        worker.read(key="first", count=1)
    eventually(lambda: status(tracer)[2] != "0", "the loss is told")
    port = client.getsockname()[1]
    reset_close(client)
    eventually(lambda: any(one["rport"] == port for one in tracer.records()), "its record")
    for one in fill:
        one.close()
    finished(tracer)
    [record] = [one for one in tracer.records()
                if one["role"] == "server" and one["rport"] == port]
    assert (record["closed"], record["pid"], record["comm"], record["pid_source"]) == (
        "rst_received", worker.pid, worker.name, "read"), record
