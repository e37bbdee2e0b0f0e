# SPDX-License-Identifier: GPL-2.0-only
"""What the kernel tells of BPF programs, processes and the machine, for the bench.

Knows nothing of cases and tracers.
"""
import contextlib
import ctypes
import datetime
import json
import os
import platform
import re
import subprocess
import sys
import time

SETTLE_SECONDS = 1.0   # between the attachment and the storm, and between two runs
BUSY = 0.1             # share of the CPUs' time, before a run
TRACING = ("tracing", "tracepoint", "raw_tracepoint", "kprobe", "perf_event", "lsm")
BPF_STATS_RUN_TIME = 0


class Failed(Exception):
    """A run that gave no result; says why."""


def say(text):
    print(text, file=sys.stderr, flush=True)


def read(path):
    with open(path, "rb") as file:
        return file.read()


# ---- BPF and processes ----

def bpftool(*arguments):
    done = subprocess.run(["bpftool", "-j", *arguments], stdout=subprocess.PIPE, timeout=30,
                          check=True)
    return json.loads(done.stdout)


@contextlib.contextmanager
def bpf_stats():
    """On while the file is open: nothing to restore, however we end."""
    fd = ctypes.CDLL("libbpf.so.1").bpf_enable_stats(BPF_STATS_RUN_TIME)
    if fd < 0:
        raise Failed(f"cannot enable the statistics of BPF programs: {os.strerror(-fd)}")
    try:
        yield
    finally:
        os.close(fd)


def bpf_files(pid):
    """The BPF programs and maps that a process holds: ids, and memory of the maps in bytes."""
    programs, maps = set(), {}
    folder = f"/proc/{pid}/fdinfo"
    for name in os.listdir(folder):
        try:
            with open(f"{folder}/{name}", encoding="ascii", errors="replace") as file:
                fields = dict(line.split(":", 1) for line in file if ":" in line)
        except FileNotFoundError:
            continue
        if "prog_id" in fields:
            programs.add(int(fields["prog_id"]))
        if "map_id" in fields:
            maps[int(fields["map_id"])] = int(fields["memlock"])
    return programs, maps


def program_stats(ids):
    """{(id, name): (ns, runs)}"""
    return {(program["id"], program.get("name", "")):
            (program.get("run_time_ns", 0), program.get("run_cnt", 0))
            for program in bpftool("prog", "show") if program["id"] in ids}


def program_deltas(before, after):
    """By name: two programs of one name are counted together."""
    deltas = {}
    for key, (ns, runs) in after.items():
        old_ns, old_runs = before.get(key, (0, 0))
        sum_ns, sum_runs = deltas.get(key[1], (0, 0))
        deltas[key[1]] = (sum_ns + ns - old_ns, sum_runs + runs - old_runs)
    return deltas


def cpu_ns(pid):
    """CPU time of a process, user and system, finer than the ticks of /proc/PID/stat."""
    process_clock = ~pid << 3 | 2  # CPUCLOCK_SCHED, include/linux/posix-timers_types.h
    return time.clock_gettime_ns(process_clock)


def family(pid):
    """It and its children: connlife has one that keeps privileges."""
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [pid, *map(int, file.read().split())]


def family_cpu_ns(pid):
    return sum(map(cpu_ns, family(pid)))


def family_peak_kb(pid):
    """What they share is counted for each."""
    return sum(memory_kb(one, "VmHWM") for one in family(pid))


def memory_kb(pid, field):
    """VmHWM: the peak; RssAnon: now, without what it shares with the kernel."""
    with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
        found = re.search(rf"^{field}:\s+(\d+) kB", file.read(), re.M)
    if not found:
        raise Failed(f"process {pid} has no {field}: it ended")
    return int(found.group(1))


# ---- a quiet machine ----

def busy_share(seconds=0.3):
    def ticks():
        fields = [int(field) for field in read("/proc/stat").split(b"\n")[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]  # idle, iowait

    total, idle = ticks()
    time.sleep(seconds)
    total_after, idle_after = ticks()
    return 1 - (idle_after - idle) / max(1, total_after - total)


def other_tracers():
    return [program.get("name", "?") for program in bpftool("prog", "show")
            if program["type"] in TRACING]


def await_quiet(options):
    """At most --wait seconds; what begins on a busy machine all the same is counted."""
    time.sleep(SETTLE_SECONDS)
    options.runs += 1
    end = time.monotonic() + options.wait
    while busy_share() > BUSY or other_tracers():
        if time.monotonic() >= end:
            options.noisy += 1
            return
        time.sleep(0.5)


# ---- versions ----

def first_line(command):
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              stdin=subprocess.DEVNULL, timeout=10, check=True)
        return done.stdout.decode(errors="replace").strip().splitlines()[0]
    except (OSError, subprocess.SubprocessError, IndexError):
        return None


def cpu_model():
    found = re.search(rb"^model name\s*: (.*)$", read("/proc/cpuinfo"), re.M)
    return found.group(1).decode(errors="replace") if found else platform.machine()


def surroundings(options):
    return {
        "date": datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        "kernel": platform.release(), "machine": platform.machine(),
        "cpu": cpu_model(), "cpus": len(os.sched_getaffinity(0)),
        "bpf_jit_enable": read("/proc/sys/net/core/bpf_jit_enable").decode().strip(),
        "connlife": first_line([options.connlife, "-V"]),
        "libbpf_tools": first_line(["dpkg-query", "-W", "-f", "${Version}", "libbpf-tools"]),
        "bpftool": bpftool("version").get("version"),
    }
