# SPDX-License-Identifier: GPL-2.0-only
"""
What connlife is allowed once it runs: nothing, by /proc and by trying harm from
inside; its keeper, a child, a few things. And all that comes later goes on: looks at
sockets, new namespaces, new interfaces, files where only root may write.
"""
import contextlib
import fcntl
import os
import pty
import select
import shlex
import shutil
import signal
import struct
import subprocess
import termios
import time

import pytest

import bpf
from exported import FILE, Export, directory, ours, series  # noqa: F401: two are fixtures
from load import run_storm
from losses import status as counts_now
from losses import wait_repaired
from netlab import DEVICE, eventually
from stage import Lab, close_client_first
from test_command_line import is_loaded, programs_of
from test_faults import links_of
from test_packets import EXTRA, add_extra, saw_extra, says, use_extra
from tracer import (PROGRAM, REPOSITORY, as_nobody, children_of, finished, process_state,
                    run_program)

HARM = os.path.join(os.path.dirname(PROGRAM), "tests", "harm")
DEMO = os.path.join(REPOSITORY, "tests/replay/demo.rec")
NOTHING = "0" * 16
FILTER = "2"  # Seccomp: of /proc/PID/status
# 1 DAC_OVERRIDE, 2 DAC_READ_SEARCH, 3 FOWNER, 12 NET_ADMIN, 19 SYS_PTRACE, 21 SYS_ADMIN,
# 38 PERFMON, 39 BPF
KEEPERS = sum(1 << bit for bit in (1, 2, 3, 12, 19, 21, 38, 39))


def status_of(pid):
    with open(f"/proc/{pid}/status") as status:
        return {name: value.split() for name, value in
                (line.rstrip("\n").split(":", 1) for line in status)}


def own_user():
    """connlife where there is such a user, else nobody."""
    with open("/etc/passwd") as users:
        ids = {line.split(":")[0]: line.split(":")[2:4] for line in users}
    return ids.get("connlife") or ids.get("nobody") or ["65534", "65534"]


def check_dropped(pid):
    uid, gid = own_user()
    status = status_of(pid)
    assert (status["Uid"], status["Gid"], status["Groups"]) == ([uid] * 4, [gid] * 4, [])
    for which in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert status[which] == [NOTHING], (which, status[which])
    assert (status["NoNewPrivs"], status["Seccomp"]) == (["1"], [FILTER])


def keeper_of(pid):
    [keeper] = children_of(pid)
    return keeper


def check_keeper(pid):
    status = status_of(keeper_of(pid))
    assert status["Name"] == ["connlife-keeper"]
    for which in ("CapPrm", "CapEff", "CapBnd"):
        assert not int(status[which][0], 16) & ~KEEPERS, (which, status[which])
    assert status["CapInh"] == status["CapAmb"] == [NOTHING]
    assert (status["NoNewPrivs"], status["Seccomp"]) == (["1"], [FILTER])


# ---- what is given up ----


@pytest.mark.parametrize("command", [["life"], ["states"], ["hist"], ["ladder"],
                                     ["life", "--json", "--whole"]],
                         ids=lambda command: "-".join(command))
def test_commands(trace, command):
    tracer = trace("given-up", *command)
    check_dropped(tracer.pid)
    check_keeper(tracer.pid)
    keeper = keeper_of(tracer.pid)
    finished(tracer)
    assert not os.path.exists(f"/proc/{keeper}")


def test_export(trace, directory, ours):  # noqa: F811
    export = Export(trace, directory, *ours)
    export.fresh()
    check_dropped(export.tracer.pid)
    check_keeper(export.tracer.pid)
    finished(export.tracer)


def test_stuck(trace, ours):
    tracer = trace("stuck", "stuck", "--watch", "-v", *ours)
    check_dropped(tracer.pid)
    check_keeper(tracer.pid)
    finished(tracer)


def test_top(tmp_path):
    """In a terminal: it draws, takes keys, and puts the terminal back."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    before = termios.tcgetattr(slave)
    with open(tmp_path / "err", "wb") as err:
        process = subprocess.Popen([PROGRAM, "top"], stdin=slave, stdout=slave, stderr=err,
                                   env={**os.environ, "TERM": "xterm"})
    shown = b""

    def is_drawn():
        nonlocal shown
        while select.select([master], [], [], 0)[0]:
            shown += os.read(master, 65536)
        return b"STATE" in shown and b"oldest state first" in shown

    try:
        eventually(is_drawn, "a screen", 20)
        check_dropped(process.pid)
        check_keeper(process.pid)
        os.write(master, b"q")
        assert process.wait(10) == 0
        assert termios.tcgetattr(slave) == before
        assert (tmp_path / "err").read_text() == ""
    finally:
        process.kill()
        process.wait()
        os.close(master)
        os.close(slave)


def reading_of(fifo, *arguments, **keywords):
    """connlife reads a recording that does not end yet; and what ends it."""
    os.mkfifo(fifo)
    process = subprocess.Popen([PROGRAM, "--read", str(fifo), *arguments], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, **keywords)
    with open(DEMO, "rb") as demo:
        data = demo.read()
    writer = open(fifo, "wb", buffering=0)  # waits until it is read
    writer.write(data[:-1])

    def end():
        writer.write(data[-1:])
        writer.close()
        out, err = process.communicate(timeout=20)
        assert process.returncode == 0, err
        return out

    return process, end


def test_reading(tmp_path):
    """A recording that only root may read: not even a keeper is left."""
    os.chmod(tmp_path, 0o700)
    process, end = reading_of(tmp_path / "a.rec", "--json")
    eventually(lambda: status_of(process.pid)["Seccomp"] == [FILTER], "it has begun")
    check_dropped(process.pid)
    assert children_of(process.pid) == []
    with open(os.path.join(REPOSITORY, "tests/replay/demo.json")) as wanted:
        assert end() == wanted.read()


def test_reading_into_files(tmp_path):
    """export --read: only files are left to be opened."""
    process, end = reading_of(tmp_path / "a.rec", "export", "--json", str(tmp_path / "a.json"),
                              "--at-stop", "keep", "--textfile", str(tmp_path))
    eventually(lambda: status_of(process.pid)["Seccomp"] == [FILTER], "it has begun")
    check_dropped(process.pid)
    check_keeper(process.pid)
    end()
    assert len((tmp_path / "a.json").read_text().splitlines()) == 32
    assert "connlife_running 0" in (tmp_path / FILE).read_text()
    for name in ("a.json", FILE):
        assert os.stat(tmp_path / name).st_uid == 0


def test_reading_without_root(public_program, tmp_path):
    """Who has nothing to give up notices nothing."""
    copy = shutil.copy(DEMO, os.path.dirname(public_program))
    run = as_nobody(public_program, "--read", str(copy), "--json")
    assert (run.returncode, run.stderr) == (0, run_program("--read", DEMO, "--json").stderr)
    assert run.stdout == run_program("--read", DEMO, "--json").stdout


def test_switched_off(trace):
    """--keep-privileges: one process with all that it was started with."""
    tracer = trace("kept", "life", "--keep-privileges")
    status, ours = status_of(tracer.pid), status_of("self")
    for which in ("Uid", "Gid", "CapPrm", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp"):
        assert status[which] == ours[which]
    assert children_of(tracer.pid) == []
    finished(tracer)


def test_check_tells():
    lines = run_program("check").stdout.splitlines()
    rows = {line[:26].strip(): line[27:].split(None, 1) for line in lines}
    for what in ("capability bounding set", "user", "capabilities", "no_new_privs", "seccomp",
                 "Landlock"):
        assert rows[what][0] in ("yes", "no"), rows
    assert rows["user"][1].endswith(f"({own_user()[0]})")


@pytest.mark.parametrize("verbose", [[], ["-v"]], ids=["quiet", "verbose"])
def test_refused_layer(lab, tmp_path, verbose):
    """
    Where the user may not be changed (a container): a line with -v, and the others
    hold; root without capabilities it is then.
    """
    err = tmp_path / "err"
    with open(err, "wb") as out:
        process = subprocess.Popen(
            ["setpriv", "--bounding-set=-setuid,-setgid,-setpcap", PROGRAM, "life", "--netns",
             lab.c.name, *verbose], stdout=subprocess.DEVNULL, stderr=out)
    try:
        eventually(lambda: "connlife: tracing" in err.read_text(), "it traces", 20)
        status = status_of(process.pid)
        assert status["CapEff"] == status["CapPrm"] == [NOTHING]
        assert (status["NoNewPrivs"], status["Seccomp"]) == (["1"], [FILTER])
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
    told = [line for line in err.read_text().splitlines() if "not given up" in line]
    assert told == (["connlife: capability bounding set: not given up: Operation not permitted",
                     "connlife: user: not given up: Operation not permitted"] if verbose else [])


# ---- harm from inside ----

needs_harm = pytest.mark.skipif(not os.access(HARM, os.X_OK), reason=f"{HARM} is not built")
# what the keeper is for, or can't be told from that
KEEPER_MAY = {"read /etc/shadow", "make a file", "write a file", "read a file", "rename a file",
              "remove a file", "fork", "read memory", "unix socket", "become dumpable"}


@pytest.fixture
def public(tmp_path_factory):
    """Where anybody may write, with a file of who the loop is."""
    path = tmp_path_factory.mktemp("harm")
    for part in (path, path.parent, path.parent.parent):
        os.chmod(part, 0o755)
    os.chmod(path, 0o777)
    (path / "victim").write_text("x")
    os.chown(path / "victim", *map(int, own_user()))
    return path


def tries(*arguments):
    """{what was tried: what came of it}"""
    run = run_program(*map(str, arguments), program=HARM)
    assert run.returncode == 0, run.stderr
    return dict(line.split(": ", 1) for line in run.stderr.splitlines())


@needs_harm
def test_harm_by_the_loop(public):
    found = tries("loop", public)
    assert len(found) > 25 and set(found.values()) == {"refused"}, found
    assert os.listdir(public) == ["victim"]


@needs_harm
def test_harm_by_the_keeper(public):
    found = tries("keeper", public)
    done = {what for what, result in found.items() if result == "DONE"}
    assert done <= KEEPER_MAY and len(found) > 25, done
    assert {"execve", "setuid 0", "capset", "ptrace", "mount", "mount namespace", "load bpf",
            "write a bpf map", "internet socket", "raw socket", "load a module", "reboot",
            "stop a bystander", "own a descriptor for it", "choose its signal"} <= {
                what for what, result in found.items() if result == "refused"}


@needs_harm
@pytest.mark.parametrize("layers, refused", [
    (["user", "caps"], {"read /etc/shadow", "setuid 0", "setgid 0", "capset", "ptrace", "mount",
                        "read memory", "signal pid 1", "raw socket", "load bpf"}),
    (["no_new_privs", "landlock"], {"make a file", "write a file", "read a file",
                                    "rename a file", "remove a file", "make a directory",
                                    "read /etc/shadow"}),
    (["no_new_privs", "seccomp"], {"execve", "fork", "setuid 0", "ptrace", "mount", "make a file",
                                   "write a file", "remove a file", "internet socket",
                                   "unix socket", "load bpf", "make code", "user namespace",
                                   "become dumpable", "change a mode", "set a limit",
                                   "stop a bystander", "own a descriptor for it",
                                   "choose its signal"}),
], ids=lambda value: "-".join(value) if isinstance(value, list) else "")
def test_each_layer_alone(public, layers, refused):
    """One that fails does not take the others with it; and the tries can succeed."""
    found = tries("loop", public, *layers)
    assert {what: found[what] for what in refused} == dict.fromkeys(refused, "refused")
    assert "DONE" in found.values()


# ---- what comes later ----


def test_memory_after_dropped_caches(trace, directory, ours):  # noqa: F811
    """The kernel makes /proc/PID anew, and it is no longer what Landlock was told."""
    export = Export(trace, directory, *ours)
    memory = series("connlife_resident_memory_bytes")
    before = export.fresh()[memory]
    for _ in range(3):
        with open("/proc/sys/vm/drop_caches", "w") as caches:
            caches.write("2")
    after = export.fresh()
    assert before > 1e6 and after.get(memory, 0) > 1e6, (before, after.get(memory))
    finished(export.tracer)


def test_repair_after_a_loss(lab, trace):
    """The hook that is attached then, and the look at all sockets."""
    tracer = trace("repaired", "life", "--json", "--ring-size", "4096", "--netns", lab.c.name)
    before = len(links_of(tracer.pid))
    run_storm(lab.c, 3000)
    eventually(lambda: int(counts_now(tracer)[2]) > 0, "a loss", 12)
    wait_repaired(tracer)
    assert len(links_of(tracer.pid)) == before + 1
    check_dropped(tracer.pid)
    finished(tracer)
    assert "could not be read" not in tracer.stderr()


def test_namespace_that_comes_later(lab, trace, tmp_path):
    """Its sockets, who holds them and its limits, by snapshots that began before it was there."""
    tracer = trace("later", "stuck", "--watch", "--json", "--interval", "1s", "--older-than", "1s",
                   "-v")
    later = Lab("later")
    try:
        pair = later.pair(cport=5001)
        pair.client.close()

        def is_told():
            return [one for one in tracer.new_records()
                    if one.get("netns") == later.s.inode and one.get("state") == "CLOSE_WAIT"]

        [found] = eventually(is_told, "the connection that hangs", 20)[:1]
        assert [one["pid"] for one in found["holders"]] == [os.getpid()]
        pair.server.close()
    finally:
        later.end()
    finished(tracer)


@pytest.mark.parametrize("mode", ["xdp", "tc"])
def test_interface_that_comes_later(lab, trace, mode):
    way = {"xdp": "native XDP", "tc": "tc"}[mode]
    add_extra(lab)
    tracer = trace("iface", "life", "--json", "--netns", lab.s.name, "-i", DEVICE, "-i", EXTRA,
                   "--packets", mode, "--flags")
    check_dropped(tracer.pid)
    lab.s.run("ip", "link", "del", EXTRA)
    says(tracer, f"no longer watching {EXTRA}")
    add_extra(lab)
    says(tracer, f"watching {EXTRA} ({way})", times=2)
    use_extra(lab, 5002)
    finished(tracer)
    assert saw_extra(tracer, lab, 5002)
    assert bpf.is_clean(lab.s, EXTRA) and bpf.is_clean(lab.s, DEVICE)


def own_group():
    with open("/proc/self/cgroup") as groups:
        return next(line.rstrip("\n").split("::")[1] for line in groups if line.startswith("0::"))


def move_to(group):
    with open(os.path.join(group, "cgroup.procs"), "w") as procs:
        procs.write(str(os.getpid()))


def test_control_group_that_comes_later(lab, trace):
    """Its path is found by its number."""
    mount = next((line.split()[1] for line in open("/proc/mounts")
                  if line.split()[2] == "cgroup2"), None)
    path = mount and os.path.join(mount, f"connlife-test-{time.time_ns()}")
    tracer = trace("cgroup", "life", "--json", "--netns", lab.c.name)
    try:
        os.mkdir(path or "")
    except OSError as error:
        pytest.skip(f"no control group can be made: {error}")
    try:
        home = os.path.join(mount, own_group().lstrip("/"))
        move_to(path)
        try:
            pair = lab.pair(cport=5001)
        finally:
            move_to(home)
        close_client_first(pair)
        finished(tracer)
    finally:
        os.rmdir(path)
    assert f"/{os.path.basename(path)}" in {one["cgroup"] for one in tracer.records()}


def test_files_where_only_root_may_write(lab, trace, ours, tmp_path):
    """Text file, JSON file (opened anew too) and recording, in directories of mode 0700."""
    secret = tmp_path / "secret"
    secret.mkdir(mode=0o700)
    lines, old = secret / "a.json", secret / "old.json"
    export = Export(trace, secret, "--json", str(lines), "--record", str(secret / "a.rec"), *ours)
    export.fresh()
    check_dropped(export.tracer.pid)
    os.rename(lines, old)
    os.kill(export.tracer.pid, signal.SIGHUP)
    eventually(lines.exists, "the new JSON file")
    export.fresh()
    for name in (FILE, "a.json", "old.json", "a.rec"):
        status = os.stat(secret / name)
        assert (status.st_uid, status.st_mode & 0o777) == (0, 0o644), name
    finished(export.tracer)
    assert sorted(os.listdir(secret)) == ["a.json", "a.rec", "old.json"]
    assert run_program("--read", str(secret / "a.rec")).returncode == 0


def of_unit(name):
    """What connlife.service has behind this name."""
    with open(os.path.join(REPOSITORY, "tools/systemd/connlife.service")) as unit:
        [line] = [line for line in unit if line.startswith(name + "=")]
    return line.rstrip("\n").partition("=")[2]


def with_rights_of_unit(*command):
    allowed = of_unit("CapabilityBoundingSet").lower().replace("cap_", "+").split()
    return ["setpriv", "--bounding-set=-all," + ",".join(allowed), *command]


def test_capabilities_of_the_unit(lab, trace, directory, ours, tmp_path):  # noqa: F811
    """Those that connlife.service leaves it are enough to give all of them up, and to export."""
    err = tmp_path / "err"
    with open(err, "wb") as out:
        process = subprocess.Popen(
            with_rights_of_unit(PROGRAM, "export", "-v", "--textfile", str(directory),
                                "--interval", "1s", *ours), stderr=out)
    try:
        eventually((directory / FILE).exists, "the text file", 20)
        check_dropped(process.pid)
        check_keeper(process.pid)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    finally:
        process.kill()
        process.wait()
    assert "not given up" not in err.read_text() and "not narrowed" not in err.read_text()


def test_reload_of_the_unit(trace, directory, ours, tmp_path):  # noqa: F811
    """Its command reaches who traces, another user by then, and only with the rights of '+'."""
    lines = tmp_path / "a.json"
    export = Export(trace, directory, "--json", str(lines), *ours)
    check_dropped(export.tracer.pid)
    lines.rename(tmp_path / "old.json")
    command = of_unit("ExecReload")
    words = shlex.split(command.lstrip("+"))

    def status(reload):
        return subprocess.run(reload, env={**os.environ, "MAINPID": str(export.tracer.pid)},
                              stderr=subprocess.DEVNULL).returncode

    assert status(with_rights_of_unit(*words)) != 0
    assert not lines.exists()
    assert status(words if command.startswith("+") else with_rights_of_unit(*words)) == 0
    eventually(lines.exists, "the new JSON file")
    finished(export.tracer)


# ---- the end ----


def test_keeper_killed(lab, trace):
    """It can't go on then: it says so, fails, and leaves nothing attached."""
    tracer = trace("orphaned", "life", "--netns", lab.s.name, "-i", DEVICE)
    programs = programs_of(tracer.pid)
    assert programs
    os.kill(keeper_of(tracer.pid), signal.SIGKILL)
    assert tracer.wait() == 1
    assert "connlife-keeper, was ended by somebody else" in tracer.stderr()
    eventually(lambda: not any(map(is_loaded, programs)), "its programs are gone")
    assert bpf.is_clean(lab.s, DEVICE)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: how.name)
def test_keeper_ends_with_it(trace, how):
    tracer = trace("ended", "life")
    keeper, programs = keeper_of(tracer.pid), programs_of(tracer.pid)
    tracer.stop(how)
    eventually(lambda: not os.path.exists(f"/proc/{keeper}"), "the keeper is gone")
    eventually(lambda: not any(map(is_loaded, programs)), "its programs are gone")


def test_signals_to_the_group(tmp_path):
    """Ctrl-C reaches both: the end is in order nevertheless."""
    err = tmp_path / "err"
    with open(err, "wb") as out:
        process = subprocess.Popen([PROGRAM, "life", "--json"], stdout=subprocess.DEVNULL,
                                   stderr=out, start_new_session=True)
    try:
        eventually(lambda: "connlife: tracing" in err.read_text(), "it traces", 20)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(15) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert "ended by somebody else" not in err.read_text()


def test_one_goes_on_after_a_stop(tmp_path):
    """Ctrl-Z stops both; who continues the loop only can end it nevertheless."""
    err = tmp_path / "err"
    with open(err, "wb") as out:
        process = subprocess.Popen([PROGRAM, "life", "--json"], stdout=subprocess.DEVNULL,
                                   stderr=out, process_group=0)  # an orphaned group is not stopped
    try:
        eventually(lambda: "connlife: tracing" in err.read_text(), "it traces", 20)
        os.killpg(process.pid, signal.SIGTSTP)
        eventually(lambda: process_state(process.pid) == "T", "it is stopped")
        os.kill(process.pid, signal.SIGCONT)
        process.send_signal(signal.SIGTERM)
        assert process.wait(15) == 0
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


# ---- descriptors ----

RECORDING = os.path.join(REPOSITORY, "tests/replay/demo.rec")


def test_standard_output_by_name(tmp_path):
    """The keeper opens it, and means the same by it."""
    run = run_program("--read", RECORDING, "export", "--json", "/dev/stdout")
    plain = run_program("--read", RECORDING, "export", "--json", str(tmp_path / "lines"))
    assert run.returncode == plain.returncode == 0
    assert run.stdout and run.stdout == (tmp_path / "lines").read_text()


def closed(*fds):
    def close():
        for fd in fds:
            with contextlib.suppress(OSError):
                os.close(fd)

    return close


def test_no_standard_descriptors(lab, tmp_path):
    """Nothing of ours is taken for one of them."""
    def is_told(path):
        close_client_first(lab.pair())
        return path.exists() and "10.77." in run_program("--read", str(path)).stdout

    for fds in ((0,), (1,), (2,), (0, 1, 2)):
        path = tmp_path / f"{len(fds)}{fds[0]}.rec"
        with subprocess.Popen([PROGRAM, "life", "--record", str(path)], preexec_fn=closed(*fds),
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            try:
                eventually(lambda path=path: is_told(path), "a connection in the recording", 30)
                process.terminate()
                assert process.wait(15) == 0, fds
            finally:
                process.kill()
        read = run_program("--read", str(path))
        assert read.returncode == 0, read.stderr


def test_reading_without_a_keeper(tmp_path):
    """It was killed while the recording came: what could not be written is no success."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with open(RECORDING, "rb") as file:
        data = file.read()
    process = subprocess.Popen([PROGRAM, "--read", str(fifo), "export", "--json",
                                str(tmp_path / "lines")], stderr=subprocess.PIPE, text=True)
    with open(fifo, "wb") as out:
        out.write(data[:200])
        out.flush()
        [keeper] = eventually(lambda: children_of(process.pid), "the keeper")
        os.kill(keeper, signal.SIGKILL)
        out.write(data[200:])
    _out, err = process.communicate(timeout=20)
    assert process.returncode == 1, err
