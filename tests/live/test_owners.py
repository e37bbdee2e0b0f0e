# SPDX-License-Identifier: GPL-2.0-only
"""Owners where many sockets are open at once: each record names who read from it."""
import resource
import socket

from netlab import SERVER4
from stage import PORT
from tracer import finished

EACH = 1500  # so many that some hundred share their place in the array of notes


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
