# SPDX-License-Identifier: GPL-2.0-only
"""From runs to figures, and from figures to bars. Pure: nothing is measured here."""
import statistics

from cases import BY_NAME, is_storm, rate
from tracers import JSON, LIFE, WHOLE, XDP

# text, case, row, figure, which of its values, limit, least or most
BARS = [
    ("BPF time, of tcplife's", "storm", LIFE, "bpf_to_tcplife", "median", 1 / 6, "most"),
    ("BPF time with --whole, of tcplife's", "storm", WHOLE, "bpf_to_tcplife", "median", 1 / 6,
     "most"),
    ("tracer CPU, of tcplife's", "storm", LIFE, "cpu_to_tcplife", "median", 0.25, "most"),
    ("storm speed kept", "storm", LIFE, "speed_kept", "median", 0.95, "least"),
    ("storm speed kept, segments by XDP on veth", "storm", XDP, "speed_kept", "median", 0.90,
     "least"),
    ("tracer CPU with a JSON record each, of tcplife's line", "storm", JSON, "cpu_to_tcplife",
     "median", 0.5, "most"),
    ("request/response speed kept", "rr", LIFE, "speed_kept", "median", 0.98, "least"),
]


def spread(values):
    return {"median": statistics.median(values), "min": min(values), "max": max(values),
            "values": list(values)}


def bpf_us(case, run):
    return sum(ns for ns, _ in run.programs.values()) / 1e3 / run.result[case.unit]


def cpu_us(case, run):
    return run.cpu_ns / 1e3 / run.result[case.unit]


def program_table(case, runs):
    """{name: median us a unit, runs a unit, ns a run}"""
    table = {}
    for name in runs[0].programs:
        of_runs = [(run.programs[name], run.result[case.unit]) for run in runs]
        table[name] = {
            "us": statistics.median(ns / 1e3 / n for (ns, _), n in of_runs),
            "runs": statistics.median(count / n for (_, count), n in of_runs),
            "ns_per_run": statistics.median(ns / max(1, count) for (ns, count), _ in of_runs),
        }
    return table


def against_tcplife(figure, case, row, rounds, kind):
    """None where a peer's cost is none, as it may be with requests."""
    ratios = []
    for results in rounds:
        theirs = figure(case, results[kind]["tcplife"])
        if not theirs:
            return None
        ratios.append(figure(case, results[kind][row.name]) / theirs)
    return spread(ratios)


def figures_of(case, row, rounds):
    runs = [results["speed"][row.name] for results in rounds]
    with_stats = [results["stats"][row.name] for results in rounds]
    figures = {
        "command": row.command,
        "speed": spread([rate(case, run.result) for run in runs]),
        "speed_kept": spread([results["kept"][row.name] for results in rounds]),
        "bpf_us": spread([bpf_us(case, run) for run in with_stats]),
        "cpu_us": spread([cpu_us(case, run) for run in runs]),
        "peak_kb": spread([run.peak_kb for run in runs]),
        "maps_kb": spread([run.maps_kb for run in runs]),
        "lines": spread([run.lines for run in runs]),
        "records": spread([run.records for run in runs]),
        "lost": spread([run.lost for run in runs + with_stats]),
        "segments_left_out": spread([run.segments_left_out for run in runs + with_stats]),
        "programs": program_table(case, with_stats),
    }
    if "--hold" in case.load:
        figures["bytes_of_an_end"] = spread([run.grown_kb * 1024 / run.result["connections"] / 2
                                             for run in runs])
    if "tcplife" in rounds[0]["speed"]:
        figures["bpf_to_tcplife"] = against_tcplife(bpf_us, case, row, rounds, "stats")
        figures["cpu_to_tcplife"] = against_tcplife(cpu_us, case, row, rounds, "speed")
    return figures


def untraced_of(rounds):
    return {place: spread([speed for results in rounds for speed in results["untraced"][place]])
            for place in rounds[0]["untraced"]}


def case_figures(case, rows, rounds):
    return {"about": case.about, "load": case.load, "amount": case.amount, "unit": case.unit,
            "untraced_per_second": untraced_of(rounds),
            "tracers": {row.name: figures_of(case, row, rounds) for row in rows}}


def bar(name, value, limit, direction):
    met = None
    if value is not None:
        met = value <= limit if direction == "most" else value >= limit
    return {"bar": name, "value": value, "limit": limit, "met": met}


def is_storm_or_flood(case):
    return is_storm(case) or "--flood" in case.load


def lost_in_storms(cases):
    """The most in any run of connlife; None if there was none."""
    return max((figures["lost"]["max"]
                for case, of_case in cases.items() if is_storm_or_flood(BY_NAME[case])
                for name, figures in of_case["tracers"].items() if name.startswith("connlife")),
               default=None)


def bars_of(cases):
    """connlife against what it promises, of the cases that ran; met is None where it could not
    be measured."""
    bars = []
    for name, case, row, figure, which, limit, direction in BARS:
        if case not in cases or (row in (JSON, WHOLE) and row not in cases[case]["tracers"]):
            continue
        of_row = cases[case]["tracers"].get(row, {}).get(figure)
        bars.append(bar(name, of_row and of_row[which], limit, direction))
    lost = lost_in_storms(cases)
    if lost is not None:
        bars.append(bar("lost, in any run of a storm or flood", lost, 0, "most"))
    return bars
