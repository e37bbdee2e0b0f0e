# SPDX-License-Identifier: GPL-2.0-only
"""What the bench found as tables for a terminal, each as soon as it is there."""
import sys


def cell(values, digits=2):
    return "{median:,.{d}f} ({min:,.{d}f}-{max:,.{d}f})".format(d=digits, **values)


def us_cell(values):
    """Requests cost little, mebibytes much."""
    return cell(values, 2 if values["median"] >= 0.1 else 4)


def print_rows(table):
    widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
    for row in table:
        print("  ".join(text.ljust(width) if i == 0 else text.rjust(width)
                        for i, (text, width) in enumerate(zip(row, widths))).rstrip())
    print()


def print_head(around, options):
    print(f"\nLinux {around['kernel']}, {around['cpu']}, {around['cpus']} CPUs; "
          f"{around['connlife']}, libbpf-tools {around['libbpf_tools']}")
    kind = "placed by the scheduler" if options.unpinned else "pinned, CPUs saturated"
    print(f"{options.rounds} rounds; {kind}; median (least-most)\n", flush=True)


def print_programs(tracers, one):
    for name, row in tracers.items():
        print_rows([[name + ":", f"us/{one}", f"runs/{one}", "ns/run"]] + [
            ["  " + program, f"{of['us']:.2f}", f"{of['runs']:.2f}", f"{of['ns_per_run']:,.0f}"]
            for program, of in row["programs"].items() if of["runs"] >= 0.005])


def print_case(name, case, with_programs):
    one = {"connections": "conn", "requests": "request", "mebibytes": "MiB",
           "syns": "SYN"}[case["unit"]]
    print(f"{name}: {case['about']}")
    for place, speeds in case["untraced_per_second"].items():
        print(f"untraced on {place} {cell(speeds, 0)} {case['unit']} a second")
    held = any("bytes_of_an_end" in row for row in case["tracers"].values())
    head = ["", "speed kept", f"BPF us/{one}", f"CPU us/{one}", "peak kB", "maps kB",
            *(["B/end"] if held else []), "lines", "lost"]
    print_rows([head] + [
        [tracer, cell(row["speed_kept"]), us_cell(row["bpf_us"]), us_cell(row["cpu_us"]),
         f"{row['peak_kb']['median']:,.0f}", f"{row['maps_kb']['median']:,.0f}",
         *([f"{row['bytes_of_an_end']['median']:,.0f}"] if held else []),
         f"{row['lines']['median']:,.0f}",
         cell(row["lost"], 0) if row["lost"]["max"] else "0"]
        for tracer, row in case["tracers"].items()])
    if with_programs:
        print_programs(case["tracers"], one)
    sys.stdout.flush()


def print_delays(delays):
    print_rows([["line: from the end of a connection to its line on a terminal", "ms"]] +
               [[tracer, cell(of)] for tracer, of in delays.items()])


def print_bars(bars):
    print_rows([["bar", "measured", "limit", ""]] + [
        [one["bar"], "-" if one["value"] is None else f"{one['value']:.3g}",
         f"{one['limit']:.3g}",
         {None: "not measured", True: "met", False: "MISSED"}[one["met"]]]
        for one in bars])


def print_end(report):
    if report["line_ms"]:
        print_delays(report["line_ms"])
    if report["bars"]:
        print_bars(report["bars"])
    run = report["run"]
    if run["noisy"]:
        print(f"{run['noisy']} of {run['runs']} runs began on a busy machine: "
              "look at the spread, and repeat")
