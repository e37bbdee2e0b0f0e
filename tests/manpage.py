# SPDX-License-Identifier: GPL-2.0-only
"""
Holds the manual page against what connlife itself says: the options of --help,
the fields of the JSON of life, states and stuck, the columns, and the metrics
of export with their labels. What is there must have its entry in the section
where one looks for it, and the page names nothing that is not there.

Usage: manpage.py CONNLIFE PAGE WORK
"""
import json
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
USER = os.path.join(os.path.dirname(HERE), "user")
REPLAY = os.path.join(HERE, "replay")
COMMANDS = ("life", "states", "ladder", "stuck", "top", "hist", "export", "check")
SECONDS = 60

# In a source: what writes a field, and a word that a field may have.
FIELD = re.compile(r'(?:json_key|\w+_field)\(&?json,\s*((?:[^;]|\n)*?)\);')
KEY = re.compile(r'(?:^|,\s*)"(\w+)"')
WORD = re.compile(r'"([A-Za-z]\w+)"')
NOT_WORDS = {"UNKNOWN", "NEW_SYN_RECV"}  # of states that no connection has

FAMILY = re.compile(r"^# TYPE (connlife_\w+) \w+$", re.M)
SERIES = re.compile(r"^(connlife_\w+)\{(.*)\} \S+$", re.M)
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
FREE_LABELS = {"le", "port", "comm", "cgroup", "version"}  # any value
HISTOGRAM = ("_bucket", "_sum", "_count")


def read(*path):
    with open(os.path.join(*path), encoding="utf-8") as file:
        return file.read()


def run(*command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          encoding="utf-8", timeout=SECONDS, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} ends with {done.returncode}: {done.stderr}")
    return done.stdout


# ---- the page ----

def plain(line):
    """Without what only says how it looks."""
    line = re.sub(r"\\f[BIRP]", "", line)
    return line.replace("\\-", "-").replace("\\&", "")


def arguments(line):
    """(those in bold, all) of a line of the page."""
    words = [word.strip('"') for word in re.findall(r'"[^"]*"|\S+', line)]
    macro, rest = words[0], words[1:]
    bold = {".B": rest, ".BR": rest[::2], ".BI": rest[::2],
            ".RB": rest[1::2], ".IB": rest[1::2]}.get(macro, [])
    return bold, rest


def sections(page):
    """The lines of each section."""
    found = {}
    for line in page.splitlines():
        if line.startswith(".SH "):
            name = line[4:]
            found[name] = []
        elif found:
            found[name].append(line)
    return found


def entries(lines):
    """What each paragraph with a tag is about: all its tags, as they are read."""
    tags = []
    for before, line in zip(lines, lines[1:]):
        if before in (".TP", ".TQ"):
            joint = " " if line.startswith(".B ") else ""
            tags.append(plain(joint.join(arguments(line)[1])))
    return tags


def words(text):
    return set(re.findall(r"\w+", text))


def entry_texts(lines):
    """{name: all that is said of it}, for each word of a tag."""
    found = {}
    for entry in re.split(r"^(?=\.TP$|\.SS )", "\n".join(lines), flags=re.M):
        for name in set().union(*map(words, entries(entry.splitlines()))):
            found[name] = found.get(name, "") + plain(entry)
    return found


def names_in(lines, command):
    """Names that stand out, and are no options, where RECORD is about this command."""
    found = set()
    is_there = False
    for line in lines:
        if line.startswith(".SS "):
            is_there = re.search(rf"\({command}\b", line)
        elif is_there and line.startswith("."):
            for text in arguments(line)[0]:
                found |= set(re.findall(r"(?<![\w-])\w+", plain(text)))
    return found


# ---- what connlife says ----

def options(connlife):
    """(names, value) of each option, by all commands."""
    found = {}
    for command in COMMANDS:
        for line in run(connlife, command, "--help").splitlines():
            # "  -p, --pid=PID              only those ..."
            match = re.match(r" +(-\S(?:, -\S)*(?:, --[\w-]+)*|--[\w-]+)(?:=(\w+))?(?:  |$)", line)
            if match:
                names = match.group(1).split(", ")
                found[tuple(names)] = match.group(2)
    return found


def keys_of(value):
    """The names of all fields, also of objects in it."""
    if isinstance(value, dict):
        return set(value).union(*map(keys_of, value.values()))
    if isinstance(value, list):
        return set().union(*map(keys_of, value))
    return set()


def keys_in(lines):
    return set().union(*(keys_of(json.loads(line)) for line in lines.splitlines()))


def keys_in_source(name):
    """Names of fields that a writer has, those included that no recording brings about."""
    text = read(USER, "views", name)
    return {key for call in FIELD.findall(text) for key in KEY.findall(call)}


def words_in_source(*names):
    """What a field may say."""
    return set().union(*(WORD.findall(read(USER, "core", name + ".c"))
                         for name in names)) - NOT_WORDS


def recordings():
    return [os.path.join(REPLAY, name) for name in sorted(os.listdir(REPLAY))
            if name.endswith(".rec")]


def metrics(connlife, recording, work):
    """{name: {label: its values}}; none where any value may be."""
    run(connlife, "export", "--textfile", work, "--by", "comm", "--by", "cgroup", "--by", "port=80",
        "--at-stop", "keep", "--read", recording)
    text = read(work, "connlife.prom")
    found = {name: {} for name in FAMILY.findall(text)}
    for name, labels in SERIES.findall(text):
        for suffix in HISTOGRAM:
            if name not in found and name.endswith(suffix):
                name = name[:-len(suffix)]
        for label, value in LABEL.findall(labels):
            if label != "le":
                values = found[name].setdefault(label, set())
                if label not in FREE_LABELS:
                    values.add(value)
    return found


# ---- one against the other ----

def has_value(tag):
    return any(not word.startswith("-") for word in tag)


def check_options(page, connlife):
    there = options(connlife)
    names = {name for all_names in there for name in all_names}
    if len(there) < 30 or "--pid" not in names or there.get(("-p", "--pid")) != "PID":
        yield f"--help is not read as it is meant: {there}"
    # the parts of a tag are divided by ";" where they are several options
    tags = [part.split() for section in ("OPTIONS", "EXPORT") for tag in entries(page[section])
            for part in re.split("; ?", tag)]
    tags = [{word.rstrip(",") for word in tag} for tag in tags]
    for all_names, value in there.items():
        shown = [tag for tag in tags if tag.issuperset(all_names)]
        if not shown:
            yield f"no entry in OPTIONS or EXPORT has {', '.join(all_names)}"
        elif not any(has_value(tag) == bool(value) for tag in shown):
            yield f"{', '.join(all_names)}: whether it takes a value is not as in --help"
    text = plain("\n".join(line for lines in page.values() for line in lines))
    for name in sorted(set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*[a-z0-9]", text)) - names):
        yield f"{name} is named, and there is no such option"
    for line in (line for lines in page.values() for line in lines):
        if re.search(r"(?<![\w\\-])--[a-z]", line):
            yield f"an option with hyphens in place of \\-: {line}"


def fields(connlife):
    """{command: names of the fields of its JSON}, as it comes from recordings."""
    there = {"life": set(), "states": set(), "stuck": set()}
    for recording in recordings():
        for command, names in there.items():
            names |= keys_in(run(connlife, command, "--json", "--read", recording))
    for name in sorted(os.listdir(REPLAY)):
        if name.endswith(".json"):
            there["life"] |= keys_in(read(REPLAY, name))
    for state in words_in_source("names"):
        there["stuck"].discard(state)  # of an object by state
    return there


def check_fields(page, connlife):
    record = page["RECORD"]
    told = {command: names_in(record, command) for command in ("life", "states", "stuck")}
    there = fields(connlife)
    lines, stuck = keys_in_source("jsonl.c"), keys_in_source("stuck_json.c")
    for command, source in (("life", lines), ("states", lines), ("stuck", stuck)):
        if len(there[command]) < 10 or there[command] - source:
            yield f"{command}: the source is not read as it is meant: {there[command] - source}"
        for name in sorted(there[command] - told[command]):
            yield f"the field {name} of {command} has no entry in RECORD"
    # what no recording brings about
    for name in sorted(lines - told["life"] - told["states"]) + sorted(stuck - told["stuck"]):
        yield f"the field {name} has no entry in RECORD"
    for tag in entries(record):
        for name in sorted(words(tag) - lines - stuck):
            yield f"{name} has an entry in RECORD, and is no field"
    for name in sorted(words_in_source("names", "reason", "zeek") - words("\n".join(record))):
        yield f"the word {name} is not in RECORD"


def check_columns(page, connlife):
    told = words("\n".join(page["COLUMNS"]))
    for recording in recordings():
        header = run(connlife, "life", "-x", "-w", "--read", recording).splitlines()[0].split()
        if len(header) < 25:
            yield f"no header: {header}"
        for name in header:
            if name not in told:
                yield f"the column {name} is not in COLUMNS"


def check_values(page, there):
    """Of labels: in the entry of the metric, in fields of the record that it names, or above all."""
    said, fields_said = entry_texts(page["METRICS"]), entry_texts(page["RECORD"])
    above_all = words("\n".join(page["METRICS"]).partition("\n.SS ")[0])
    for name, labels in sorted(there.items()):
        own = words(said.get(name, ""))
        if "record" in own:
            own |= words("".join(fields_said[field] for field in own & set(fields_said)))
        for label, values in sorted(labels.items()):
            for value in sorted(values - own - (above_all if label in above_all else set())):
                yield f"{name}: no entry that it has or names tells of {label} {value}"


def check_metrics(page, connlife, work):
    there = metrics(connlife, recordings()[0], work)
    if len(there) < 30:
        yield f"the file is not read as it is meant: {sorted(there)}"
    tags = {}
    for tag in entries(page["METRICS"]):
        name, _, labels = tag.partition("{")
        tags[name] = words(labels)
    for name, labels in sorted(there.items()):
        if name not in tags:
            yield f"the metric {name} has no entry in METRICS"
        elif tags[name] != set(labels):
            yield f"{name} has the labels {sorted(labels)}, in METRICS {sorted(tags[name])}"
    text = plain("\n".join(line for lines in page.values() for line in lines))
    for name in sorted(set(re.findall(r"\bconnlife_\w+", text)) - set(there)):
        yield f"{name} is named, and nobody exports it"
    yield from check_values(page, there)


def main(connlife, path, work):
    page = sections(read(path))
    missing = [name for name in ("OPTIONS", "COLUMNS", "RECORD", "EXPORT", "METRICS", "SEE ALSO")
               if name not in page]
    if missing:
        raise SystemExit(f"{path} has no section {', '.join(missing)}")
    faults = [*check_options(page, connlife), *check_fields(page, connlife),
              *check_columns(page, connlife), *check_metrics(page, connlife, work)]
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
