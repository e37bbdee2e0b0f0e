# SPDX-License-Identifier: GPL-2.0-only
"""What the load generator is told to do: one row a case.

Knows nothing of tracers.
"""
import collections
import json
import subprocess
import threading

from machine import Failed
from network import SERVER4, SERVER6, inside

LOAD_SECONDS = 300

# load: arguments; {} is the amount
# unit: field of the load's answer that speed and costs are counted by
# records: lines that a connection gives, both ends together
Case = collections.namedtuple("Case", "name load amount unit records about")

CASES = [
    Case("storm", ("--connections", "{}"), 40000, "connections", 2,
         "the client closes, 1 byte each way"),
    Case("server-closes", ("--connections", "{}", "--close", "server"), 40000, "connections", 2,
         "the server closes"),
    Case("reset", ("--connections", "{}", "--close", "reset"), 40000, "connections", 2,
         "the client closes by RST"),
    Case("refused", ("--connections", "{}", "--close", "refused"), 40000, "connections", 1,
         "nobody listens"),
    Case("1k", ("--connections", "{}", "--bytes", "1024"), 40000, "connections", 2,
         "1 KiB each way"),
    Case("64k", ("--connections", "{}", "--bytes", "65536"), 10000, "connections", 2,
         "64 KiB each way, by 4 KiB"),
    Case("ipv6", ("--connections", "{}", "--ipv6"), 40000, "connections", 2,
         "the storm over IPv6"),
    Case("rr", ("--rr", "--seconds", "{}"), 3, "requests", 2,
         "requests and responses of 1 byte for 3 seconds, one long-lived connection a client"),
    Case("bulk", ("--bulk", "{}", "--clients", "1"), 4096, "mebibytes", 2,
         "one stream of 4 GiB"),
    Case("idle", ("--hold", "{}"), 100000, "connections", 2,
         "100,000 connections are opened, held while memory is looked at, closed"),
    Case("flood", ("--flood", "{}"), 400000, "syns", 0,
         "SYNs from raw sockets; nobody gets the answers"),
]
BY_NAME = {case.name: case for case in CASES}
STORM, RR = BY_NAME["storm"], BY_NAME["rr"]


def is_storm(case):
    return "--connections" in case.load


def amount_of(case, options):
    return options.connections if is_storm(case) and options.connections else case.amount


def arguments_of(case, options, net):
    words = ["--clients", str(options.clients),
             *(word.format(amount_of(case, options)) for word in case.load),
             "--address", SERVER6 if "--ipv6" in case.load else SERVER4]
    if not options.unpinned:
        words.append("--pin")
    if net.servers != net.clients:
        words += ["--server-netns", net.servers]
    return words


def run_load(case, options, net, while_held=None):
    """What it says; while_held() is called before connections that are held are closed."""
    command = [options.load, *arguments_of(case, options, net)]
    with subprocess.Popen(inside(net.clients, command), stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as process:
        end = threading.Timer(LOAD_SECONDS, process.kill)
        end.start()
        try:
            line = process.stdout.readline()
            if while_held and "--hold" in case.load:
                while_held()
            process.stdin.close()
            process.wait()
        finally:
            end.cancel()
            process.kill()
    if process.returncode:
        raise Failed(f"the load failed ({' '.join(command)})")
    return json.loads(line)


def rate(case, result):
    return result[case.unit] / result["seconds"]
