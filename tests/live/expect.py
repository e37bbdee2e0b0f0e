# SPDX-License-Identifier: GPL-2.0-only
"""
What a record must say, written down by a scenario while it plays, and the
comparison with what connlife did say.

A field is compared with a value, or asked of a function of the value.
"""
import calendar
import dataclasses
import json
import re
import time

from netlab import SLOW

SECOND = 1_000_000_000
ANY = None  # for lport: a port that nobody can know


class Range:
    """Seconds, for a field in nanoseconds."""

    def __init__(self, low, high):
        self.low, self.high = low, high * SLOW

    def __call__(self, value):
        return value is not None and self.low * SECOND <= value <= self.high * SECOND

    def __repr__(self):
        return f"{self.low:g} to {self.high:g} s"


class OneOf:
    def __init__(self, *values):
        self.values = values

    def __call__(self, value):
        return value in self.values

    def __repr__(self):
        return f"one of {self.values}"


class AtLeast:
    def __init__(self, low):
        self.low = low

    def __call__(self, value):
        return value is not None and value >= self.low

    def __repr__(self):
        return f"at least {self.low}"


@dataclasses.dataclass
class Expected:
    """One end of one connection."""

    netns: int
    lport: int  # 0: none was chosen
    rport: int
    both: dict  # fields of the record with and without --whole
    states: list  # before the socket went to CLOSE
    after: list  # states that --whole adds
    whole: dict = dataclasses.field(default_factory=dict)
    prompt: dict = dataclasses.field(default_factory=dict)
    times: dict = dataclasses.field(default_factory=dict)  # state: Range
    whole_times: dict = dataclasses.field(default_factory=dict)
    is_whole_life: bool = True  # begun and ended under the tracer

    def names(self, record):
        return (record["netns"] == self.netns and record["rport"] == self.rport and
                (self.lport is ANY or record["lport"] == (self.lport or None)))

    def __str__(self):
        return f"netns {self.netns} {self.lport} > {self.rport}"


def parse_time(text):
    """RFC 3339 with nanoseconds, UTC, as ns since 1970."""
    found = re.fullmatch(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{9})(?:Z|\+00:00)", text)
    if not found:
        raise ValueError(f"not RFC 3339 with ns in UTC: {text!r}")
    seconds = calendar.timegm(time.strptime(found.group(1), "%Y-%m-%dT%H:%M:%S"))
    return seconds * SECOND + int(found.group(2))


def fits(wanted, value):
    return wanted(value) if callable(wanted) else wanted == value


def is_of_slowness(name, wanted, value):
    """Where an answer takes longer than the first timeout: what was repeated, or came later."""
    if SLOW == 1:
        return False
    if name in ("retrans", "fin_retrans", "syn_retrans", "synack_retrans"):
        return wanted == 0
    return name == "remains" and {wanted, value} == {"fin_wait2", "time_wait"}


def compare(record, expected, is_whole, played):
    """Every disagreement, as lines; played is (begin, end) of the scenario in ns since 1970."""
    complaints = []
    fields = {**expected.both, **(expected.whole if is_whole else expected.prompt)}
    for name, wanted in fields.items():
        if name not in record:
            complaints.append(f"{name}: missing, must be {wanted!r}")
        elif not fits(wanted, record[name]) and not is_of_slowness(name, wanted, record[name]):
            complaints.append(f"{name}: is {record[name]!r}, must be {wanted!r}")
    complaints += _compare_states(record, expected, is_whole)
    if expected.is_whole_life:
        complaints += _compare_times(record, played)
    return complaints


def _compare_states(record, expected, is_whole):
    wanted = expected.states + (expected.after if is_whole else [])
    found = [step["state"] for step in record["states"]]
    complaints = []
    if found != wanted:
        complaints.append(f"states: are {' '.join(found)}, must be {' '.join(wanted)}")
    times = {**expected.times, **(expected.whole_times if is_whole else {})}
    for state, time_range in times.items():
        for step in record["states"]:
            if step["state"] == state and not time_range(step["ns"]):
                complaints.append(f"{state}: lasted {step['ns']} ns, must be {time_range!r}")
    return complaints


def _compare_times(record, played):
    if record["start"] is None or record["end"] is None:
        return [f"start {record['start']}, end {record['end']}: both were seen"]
    start, end = parse_time(record["start"]), parse_time(record["end"])
    slack = SECOND // 4
    complaints = []
    if not played[0] - slack <= start <= played[1] + slack:
        complaints.append(f"start: {record['start']} is not while it was played")
    if abs(end - start - record["duration_ns"]) > 1000:
        complaints.append(f"duration_ns: {record['duration_ns']}, end - start is {end - start}")
    spent = [step["ns"] for step in record["states"] if step["state"] != "TIME_WAIT"]
    if None not in spent and abs(sum(spent) - record["duration_ns"]) > 1000:
        complaints.append(f"duration_ns: {record['duration_ns']}, its states took {sum(spent)}")
    return complaints


def match(records, wanted):
    """
    Pairs (expected, record or None), and the records that nobody expected.
    Several records of one tuple are taken in the order of their start.
    """
    left = sorted(records, key=lambda record: record["start"] or "")
    pairs = []
    for expected in sorted(wanted, key=lambda one: one.lport is ANY):
        record = next((one for one in left if expected.names(one)), None)
        if record:
            left.remove(record)
        pairs.append((expected, record))
    return pairs, left


def complaints_about(records, wanted, is_whole, played):
    """All that is wrong with what was told of one scenario, as text; empty if nothing."""
    pairs, surplus = match(records, wanted)
    lines = []
    for expected, record in pairs:
        if record is None:
            lines.append(f"{expected}: no record")
            continue
        found = compare(record, expected, is_whole, played)
        if found:
            lines.append(f"{expected}:")
            lines += ["    " + line for line in found]
            lines.append("    " + json.dumps(record))
    lines += ["nobody expected: " + json.dumps(record) for record in surplus]
    if lines:
        lines.insert(0, "with --whole:" if is_whole else "without --whole:")
    return "\n".join(lines)
