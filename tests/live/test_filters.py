# SPDX-License-Identifier: GPL-2.0-only
"""
A filter holds for whole lives: a record is told as without the filter, or not
at all. Many tracers, each with its filter, watch the same connections.
"""
import contextlib
import ipaddress
import os
import socket
import time

import pytest

from netlab import SERVER4, SERVER6, reset_close
from scen_owner import cgroup_root
from stage import Lab, close_client_first, close_server_first
from tracer import Tracer, finished, kernel_hides_hooks

# What must be the same with a filter; times differ by the tracers' own clocks.
SAME = ("netns", "family", "laddr", "lport", "raddr", "rport", "role", "pid", "comm", "pid_source",
        "opened", "closed", "closed_first", "error", "remains", "tx_bytes", "rx_bytes", "complete",
        "reset_reason", "cookie")


def essence(record):
    return tuple(record[name] for name in SAME) + tuple(step["state"] for step in record["states"])


def in_network(text):
    network = ipaddress.ip_network(text)
    return lambda record: any(ipaddress.ip_address(record[name]) in network
                              for name in ("laddr", "raddr"))


class Play:
    """Two labs full of different connections, under an unfiltered tracer and filtered ones."""

    def __init__(self, directory):
        self.directory = directory
        self.cgroup = None
        with contextlib.ExitStack() as stack:
            self.labs = [Lab(f"filter-{number}") for number in (1, 2)]
            for lab in self.labs:
                stack.callback(lab.end)
            self.server, self.worker, self.client = self._start_actors(stack)
            self.filters = self._filters()
            self.tracers = self._trace(stack)
            self._live()
            time.sleep(0.3)
            finished(*self.tracers.values())
            self.clean = stack.pop_all().close

    def _start_actors(self, stack):
        lab = self.labs[0]
        server, client = lab.actor("filtered-srv", lab.s), lab.actor("filtered-cli", lab.c)
        root = cgroup_root()
        if root:
            self.cgroup = f"/connlife{os.getpid()}filter"
            os.mkdir(root + self.cgroup)
            stack.callback(os.rmdir, root + self.cgroup)
            stack.callback(lab.end_actors)
            server.enter_cgroup(path=root + self.cgroup)
        return server, lab.also_end(server.fork("filtered-wrk")), client

    def _filters(self):
        """name: (arguments, which records are wanted)"""
        first = self.labs[0]
        server, worker, client = self.server.pid, self.worker.pid, self.client.pid
        filters = {
            "pid-client": (["-p", str(client)], lambda r: r["pid"] == client),
            "pid-worker": (["-p", str(worker)], lambda r: r["pid"] == worker),
            "pid-server": (["-p", str(server)], lambda r: r["pid"] == server),
            "lport-server": (["-L", "80"], lambda r: r["lport"] == 80),
            "lport-client": (["-L", "5001,5003"], lambda r: r["lport"] in (5001, 5003)),
            "rport": (["-D", "443"], lambda r: r["rport"] == 443),
            "both-ports": (["-L", "5001", "-D", "80"],
                           lambda r: r["lport"] == 5001 and r["rport"] == 80),
            "ipv4": (["-4"], lambda r: r["family"] == 4),
            "ipv6": (["-6"], lambda r: r["family"] == 6),
            "network4": (["-a", "10.77.0.0/24"], in_network("10.77.0.0/24")),
            "network6": (["-a", "fd77::/64"], in_network("fd77::/64")),
            "address": (["-a", "10.77.0.99"], in_network("10.77.0.99/32")),
            "netns": (["--netns", first.c.name], lambda r: r["netns"] == first.c.inode),
            "netns-inode": (["--netns", str(first.s.inode)],
                            lambda r: r["netns"] == first.s.inode),
            "all-of-them": (["-4", "-D", "80", "-a", SERVER4, "--netns", first.c.name],
                            lambda r: r["family"] == 4 and r["rport"] == 80 and
                            r["netns"] == first.c.inode),
            "nothing": (["-L", "9999"], lambda r: False),
        }
        if self.cgroup:
            filters["cgroup"] = (["--cgroup", self.cgroup],
                                 lambda r: r["cgroup"] == self.cgroup)
        return filters

    def _trace(self, stack):
        tracers = {"": Tracer(self.directory, "unfiltered", "life", "--json")}
        for name, (arguments, _wanted) in self.filters.items():
            tracers[name] = Tracer(self.directory, name, "life", "--json", *arguments)
        for tracer in tracers.values():
            stack.callback(tracer.kill)
        for tracer in tracers.values():
            tracer.wait_ready()
        return tracers

    def _live(self):
        for lab in self.labs:
            self._ordinary(lab)
        self._of_processes(self.labs[0])

    @staticmethod
    def _ordinary(lab):
        pair = lab.pair(80, cport=5001)
        pair.say(3)
        close_client_first(pair)
        pair = lab.pair(81, cport=5002)
        close_server_first(pair)
        pair = lab.pair(80, cport=5003)
        reset_close(pair.client)
        time.sleep(0.02)
        pair.server.close()
        listener = lab.listen(80, address=SERVER6, family=socket.AF_INET6)
        client = lab.c.socket(socket.AF_INET6)
        client.connect((SERVER6, 80))
        pair = lab.accepted(listener, client)
        listener.close()
        close_client_first(pair)
        refused = lab.c.socket()  # its port is chosen by connect()
        with contextlib.suppress(ConnectionRefusedError):
            refused.connect((SERVER4, 443 if lab.name.endswith("2") else 82))
        refused.close()

    def _of_processes(self, lab):
        """Served by a worker that reads, and by the listening process that does nothing."""
        self.server.listen(key="listener", address=SERVER4, port=443)
        self.server.pass_to(self.worker, "listener")
        self.client.connect(key="a", address=SERVER4, port=443)
        self.worker.accept(listener="listener", key="a")
        self.client.send(key="a", count=9)
        self.worker.read(key="a", count=9)
        self.worker.close(key="a")
        self.client.read_fin(key="a")
        self.client.close(key="a")
        idle = lab.connect(443, cport=5004)
        self.server.accept(listener="listener", key="b")
        reset_close(idle)
        time.sleep(0.02)
        self.server.close(key="b")

    def own(self, tracer):
        inodes = {side.inode for lab in self.labs for side in (lab.c, lab.s)}
        return [record for record in tracer.records() if record["netns"] in inodes]


@pytest.fixture(scope="module")
def play(tmp_path_factory):
    for tries_left in (2, 1, 0):
        play = Play(str(tmp_path_factory.mktemp("filters")))
        unseen = sum(tracer.unseen() for tracer in play.tracers.values())
        if not unseen or not kernel_hides_hooks() or not tries_left:
            break
        play.clean()
    yield play
    play.clean()


NAMES = ("pid-client", "pid-worker", "pid-server", "lport-server", "lport-client", "rport",
         "both-ports", "ipv4", "ipv6", "network4", "network6", "address", "netns", "netns-inode",
         "all-of-them", "nothing", "cgroup")


def test_unfiltered(play):
    """The judge of the others: it told of both ends of everything."""
    records = play.own(play.tracers[""])
    # a lab: four connections with two ends, one refused; and two of processes with two ends
    assert len(records) == 2 * (4 * 2 + 1) + 2 * 2
    assert all(record["complete"] for record in records)


@pytest.mark.parametrize("name", NAMES)
def test_filter(play, name):
    if name not in play.filters:
        pytest.skip("no cgroup2 is mounted")
    _arguments, wanted = play.filters[name]
    everything = play.own(play.tracers[""])
    must_be = sorted(essence(record) for record in everything if wanted(record))
    told = sorted(essence(record) for record in play.own(play.tracers[name]))
    missing = [one for one in must_be if one not in told]
    surplus = [one for one in told if one not in must_be]
    assert not missing and not surplus, f"missing: {missing}\nnot wanted, or changed: {surplus}"
    assert len(told) == len(must_be)
    if name not in ("nothing", "address"):
        assert told, "the test itself has nothing to tell"
