# SPDX-License-Identifier: GPL-2.0-only
"""The tracers that are measured: their commands, how they start and end.

Knows nothing of cases.
"""
import collections
import contextlib
import ctypes
import os
import re
import shutil
import signal
import subprocess
import time

from machine import SETTLE_SECONDS, Failed, bpf_files, read, say
from network import WIRE, inside

START_SECONDS = 20
STOP_SECONDS = 30
PR_SET_PDEATHSIG = 1

# command: {folder} is a temporary one, its own
# tells: writes a line, at least, for each end of a connection
# place: where the load runs, of network.PLACES
# inside: runs in the namespace of the servers; else outside, and sees all
Tracer = collections.namedtuple("Tracer", "name command tells ours place inside")

LIFE, JSON, WHOLE = "connlife life", "connlife life --json", "connlife life --whole"
XDP = f"connlife life --packets xdp -i {WIRE} (veth)"
USUAL = (LIFE, "tcplife", "tcpstates", JSON, WHOLE, "connlife life (veth)", XDP,
         f"connlife life --packets tc -i {WIRE} (veth)")
OF_CASES = (LIFE, "tcplife", "tcpstates", JSON, "connlife export",
            "connlife life --packets tc -i lo", XDP)

libc = ctypes.CDLL(None)


def known(options):
    """{name: Tracer}"""
    def ours(words, place="lo", more=(), tells=True):
        name = "connlife " + words + (" (veth)" if place == "veth" else "")
        return Tracer(name, [options.connlife, *words.split(), *more], tells, True, place,
                      place == "veth" or " -i " in words)

    def peer(name, tells):
        return Tracer(name, [shutil.which(name)], tells, False, "lo", False)

    rows = [
        ours("life"), peer("tcplife", True), peer("tcpstates", False),
        ours("life --whole"), ours("life --json"),
        ours("export", more=["--textfile", "{folder}"], tells=False),
        ours("life --packets tc -i lo"),
        ours("life", "veth"),
        ours(f"life --packets xdp -i {WIRE}", "veth"),
        ours(f"life --packets tc -i {WIRE}", "veth"),
    ]
    return {row.name: row for row in rows}


def wanted(options):
    """The rows, without the peers that are not there."""
    rows = known(options)
    names = options.only or (OF_CASES if options.case else USUAL)
    found = []
    for row in (rows[name] for name in names):
        if not row.command[0]:
            say(f"{row.name}: not installed (libbpf-tools), row left out")
        elif not shutil.which(row.command[0]):
            say(f"{row.name}: {row.command[0]} is not there, row left out")
        else:
            found.append(row)
    return found


def command_of(tracer, net, folder):
    """The peers attach to tracepoints by tracefs, which is not mounted everywhere."""
    command = [word.format(folder=folder) for word in tracer.command]
    if tracer.inside:
        return inside(net.servers, command)
    if tracer.ours or os.path.exists("/sys/kernel/tracing/events") or \
            os.path.exists("/sys/kernel/debug/tracing/events"):
        return command
    return ["unshare", "--mount", "sh", "-c",
            'mount -t tracefs tracefs /sys/kernel/tracing && exec "$0" "$@"', *command]


def is_attached(pid):
    """A tracepoint is a perf event, which comes after the program."""
    folder = f"/proc/{pid}/fd"
    targets = (os.readlink(os.path.join(folder, name)) for name in os.listdir(folder))
    with contextlib.suppress(FileNotFoundError):  # closed meanwhile
        return bool(bpf_files(pid)[0]) and any("[perf_event]" in target for target in targets)
    return False


def is_ready(tracer, pid, errors):
    if tracer.ours:
        return b"connlife: tracing" in read(errors)
    return is_attached(pid)


def await_ready(tracer, process, errors):
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if is_ready(tracer, process.pid, errors):
            time.sleep(SETTLE_SECONDS)
            if process.poll() is None:
                return
        time.sleep(0.05)
    what = "is not ready" if process.poll() is None else f"ended with {process.returncode}"
    tail = read(errors).decode(errors="replace").strip().splitlines()[-3:]
    raise Failed(f"{tracer.name} {what}: {' / '.join(tail) or 'it says nothing'}")


def stop(tracer, process):
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        raise Failed(f"{tracer.name} did not end at SIGINT") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


@contextlib.contextmanager
def traced(tracer, net, folder, out):
    """While it runs; what it prints goes to the file out, its errors to FOLDER/errors."""
    errors = os.path.join(folder, "errors")
    with open(errors, "wb") as err:
        process = subprocess.Popen(
            command_of(tracer, net, folder), stdin=subprocess.DEVNULL, stdout=out, stderr=err,
            preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGINT))
    try:
        await_ready(tracer, process, errors)
        yield process
    finally:
        stop(tracer, process)


def lost_events(tracer, errors):
    counts = [int(a or b) for a, b in re.findall(rb"(\d+) lost|[Ll]ost (\d+)", errors)]
    if tracer.ours and not counts:
        raise Failed(f"{tracer.name} did not say at its end how much was lost")
    return sum(counts)


def segments_left_out(errors):
    return sum(map(int, re.findall(rb"(\d+) segments left out", errors)))
