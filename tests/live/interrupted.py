# SPDX-License-Identifier: GPL-2.0-only
"""
Interrupts hooks while they are at work, in the network namespace it is run in.

One process on each CPU opens and closes sockets without end, so that a hook is at
work in a task for some per cent of the time, while attempts that nobody answers
time out by the hundred, in softirqs that interrupt it. Run as: interrupted.py SECONDS
"""
import os
import resource
import socket
import sys
import time

NOBODY = ("127.9.9.9", 9)  # the caller sees to it that nobody answers there
ATTEMPTS = 6000
TCP_SYNCNT = 7
TIMEOUT_S = 3.2  # of an attempt that may repeat its SYN once


def attempt():
    sock = socket.socket()
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, TCP_SYNCNT, 1)
    sock.connect_ex(NOBODY)
    return sock


def churn(cpu, end):
    os.sched_setaffinity(0, {cpu})
    while time.monotonic() < end:
        for _one in range(200):
            attempt().close()


def main():
    end = time.monotonic() + float(sys.argv[1])
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    children = []
    for cpu in os.sched_getaffinity(0):
        child = os.fork()
        if not child:
            churn(cpu, end)
            os._exit(0)
        children.append(child)
    attempts = []
    while time.monotonic() < end - TIMEOUT_S and len(attempts) < ATTEMPTS:
        attempts += [attempt() for _one in range(20)]
        time.sleep(0.002)
    for child in children:
        os.waitpid(child, 0)
    print(len(attempts))


main()
