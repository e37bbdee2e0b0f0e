# SPDX-License-Identifier: GPL-2.0-only
"""One round of a case: its load under each tracer, and untraced before and after."""
import collections
import os
import statistics
import tempfile
import time

from cases import STORM, rate, run_load
from machine import (Failed, await_quiet, bpf_files, bpf_stats, family_cpu_ns, family_peak_kb,
                     memory_kb, program_deltas, program_stats, read, say)
from network import PLACES, SERVER4, SERVER6
from tracers import lost_events, segments_left_out, traced

DRAIN_SECONDS = 0.5    # after the load: what the tracer still has to do belongs to it
WARM_UP = 1000

# result: what the load generator says
# peak_kb: of all its processes together
# grown_kb: memory of the process while all connections were held, against that before
# lost: what it says and, where it tells each connection, what is not there
Run = collections.namedtuple(
    "Run", "result cpu_ns peak_kb grown_kb maps_kb lines records lost segments_left_out programs")
Counted = collections.namedtuple("Counted", "cpu_ns anon_kb programs")


def missing(tracer, case, result, records):
    expected = case.records * result["connections"] if tracer.tells else 0
    return max(0, expected - records)


def count(pid, ids):
    return Counted(family_cpu_ns(pid), memory_kb(pid, "RssAnon"), program_stats(ids))


def load_under(tracer, process, net, case, options):
    """What the load said, and what the tracer took for it: fields of Run."""
    ids, maps = bpf_files(process.pid)
    before, held_kb = count(process.pid, ids), []

    def while_held():
        time.sleep(DRAIN_SECONDS)
        held_kb.append(memory_kb(process.pid, "RssAnon"))

    result = run_load(case, options, net, while_held)
    time.sleep(DRAIN_SECONDS)
    if process.poll() is not None:
        raise Failed(f"{tracer.name} ended under the load with {process.returncode}")
    after = count(process.pid, ids)
    return {"result": result, "cpu_ns": after.cpu_ns - before.cpu_ns,
            "peak_kb": family_peak_kb(process.pid),
            "grown_kb": held_kb[0] - before.anon_kb if held_kb else None,
            "maps_kb": sum(maps.values()) // 1024,
            "programs": program_deltas(before.programs, after.programs)}


def told(tracer, case, result, folder):
    """What its output and its errors say: fields of Run."""
    lines = read(os.path.join(folder, "output")).splitlines()
    errors = read(os.path.join(folder, "errors"))
    records = sum(SERVER4.encode() in line or SERVER6.encode() in line for line in lines)
    return {"lines": len(lines), "records": records,
            "lost": lost_events(tracer, errors) + missing(tracer, case, result, records),
            "segments_left_out": segments_left_out(errors)}


def measure(tracer, case, options):
    """A case under one tracer, in a network of its own: no TIME_WAIT of another run is there."""
    with tempfile.TemporaryDirectory(prefix="connlife-bench-") as folder, \
            PLACES[tracer.place]() as net:
        await_quiet(options)
        with open(os.path.join(folder, "output"), "wb") as out, \
                traced(tracer, net, folder, out) as process:
            taken = load_under(tracer, process, net, case, options)
        return Run(**taken, **told(tracer, case, taken["result"], folder))


def untraced(case, place, options):
    with PLACES[place]() as net:
        await_quiet(options)
        speed = rate(case, run_load(case, options, net))
    say(f"  untraced on {place}: {speed:,.0f} {case.unit}/s")
    return speed


def one_round(case, rows, options):
    """{"untraced": {place: [speed]}, "kept": {name: ratio}, "speed": {name: Run}, "stats": ...}"""
    results = {"untraced": {}, "kept": {}, "speed": {}, "stats": {}}
    before_place = None
    for row in rows:
        speeds = results["untraced"].setdefault(row.place, [])
        if row.place != before_place:
            speeds.append(untraced(case, row.place, options))
            before_place = row.place
        run = results["speed"][row.name] = measure(row, case, options)
        say(f"  {row.name}: {rate(case, run.result):,.0f} {case.unit}/s, "
            f"{run.records} records, {run.lost} lost")
        speeds.append(untraced(case, row.place, options))
        results["kept"][row.name] = rate(case, run.result) / statistics.mean(speeds[-2:])
    with bpf_stats():
        for row in rows:
            run = results["stats"][row.name] = measure(row, case, options)
            bpf_ns = sum(ns for ns, _ in run.programs.values())
            say(f"  {row.name}: {bpf_ns / 1e3 / run.result[case.unit]:.3g} us of BPF, "
                f"by {case.unit}")
    return results


def drop_unusable(rows, options):
    """One small storm under each: also warms up."""
    small = STORM._replace(load=("--connections", str(WARM_UP)))
    usable = []
    for row in rows:
        try:
            measure(row, small, options)
            usable.append(row)
        except Failed as why:
            if row.ours:
                raise
            say(f"{why}; row left out")
    return usable
