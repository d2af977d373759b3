"""Every call beside every fault of a store: how soon it is answered, with what, and what is true once the fault is gone.

Each fault has a store of its own. Two hosts meet it: one is unmounted then, the other one's daemon is killed, and each
tries to mount again; once the fault is gone both do. A third host looks on, and saves what they could not. All faults
are tried at once, since nearly everybody waits."""
import concurrent.futures
import contextlib
import json
import os
import pathlib
import select
import signal
import subprocess
import sys
import time
import traceback

import pytest

from caller import CALLS, content, digest
from conftest import BINARY, Bench, Mount, cairnfs, is_running, run, wait_until
from faults import FaultyEndpoint, FrozenDisk, FullDisk, ReadOnlyDisk

# What is wrong, and how long a call may wait for the store (--timeout).
FAULTS = {
    "silent": (lambda home: FaultyEndpoint(home, "silent"), 5),
    "slow": (lambda home: FaultyEndpoint(home, "slow"), 30),
    "refuses": (lambda home: FaultyEndpoint(home, "refuses"), 5),
    "flapping": (lambda home: FaultyEndpoint(home, "flapping"), 10),
    "frozen": (FrozenDisk, 5),
    "full": (FullDisk, 5),
    "read-only": (ReadOnlyDisk, 5),
}

if os.environ.get("CAIRN_FAULTS"):  # some of them, to look at closely
    FAULTS = {name: FAULTS[name] for name in os.environ["CAIRN_FAULTS"].split(",")}

# now: nobody was asked. late: some requests to the store, each within the timeout. any: either is right, whatever else
# is promised. What is done here first (write, unlink) is ok, and what needs no store as well: an unlink waits for a commit
# that is under way in its directory.
MATRIX = """
              silent      slow      refuses     flapping   frozen      full         read-only
open          ok now      ok now    ok now      ok now     ok now      ok now       ok now
read cached   ok now      ok now    ok now      ok now     ok now      ok now       ok now
read cold     fails late  ok late   fails late  any late   ok late     ok late      ok late
write         ok now      ok now    ok now      ok now     ok now      ok now       ok now
close         fails late  ok late   fails late  any late   fails late  ENOSPC late  EROFS late
fsync         fails late  ok late   fails late  any late   fails late  ENOSPC late  EROFS late
rename        fails late  ok late   fails late  any late   fails late  ENOSPC late  EROFS late
mkdir         fails late  ok late   fails late  any late   fails late  ENOSPC late  EROFS late
unlink        ok late     ok late   ok late     ok late    ok late     ok late      ok late
statfs        ok now      ok now    ok now      ok now     ok now      ok now       ok now
SIGCHLD       fails late  ok late   fails late  any late   fails late  ENOSPC late  EROFS late
SIGKILL       any now     any now   any now     any now    any now     any now      any now
umount        any late    any late  any late    any late   any late    any late     any late
kill -9       fails now   fails now fails now   any now    fails late  any now      any now
restart       fails late  ok late   fails late  any late   any late    any late     ok late
"""
NOW_SECONDS = 2.5  # below every timeout
LATE_TIMEOUTS = 4  # a call may ask for some things, one after the other

CALLER = pathlib.Path(__file__).with_name("caller.py")
PATIENCE = 130  # until an answer counts as none


def cells():
    faults, *rows = [line for line in MATRIX.splitlines() if line]
    for row in rows:
        call, words = row[:14].strip(), row[14:].split()
        for fault, result, bound in zip(faults.split(), words[::2], words[1::2]):
            if fault in FAULTS:
                yield pytest.param(fault, call, result, bound, id=f"{fault}-{call}")


class Caller:
    """A process that has prepared one call."""

    def __init__(self, name, directory):
        self.name = name
        self.process = subprocess.Popen([sys.executable, "-I", "-S", CALLER, name, directory], bufsize=0,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdout.readline() == b"ready\n", name

    def call(self):
        self.process.stdin.write(b"go\n")
        assert self.process.stdout.readline() == b"calling\n"

    def outcome(self):
        if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
            return {"result": "nothing", "seconds": PATIENCE}
        return json.loads(self.process.stdout.readline())

    def kill(self):
        started = time.monotonic()
        self.process.kill()
        self.process.wait(timeout=PATIENCE)
        return {"result": "ok", "seconds": time.monotonic() - started}

    def end(self):
        """The kernel closes its files."""
        self.process.stdin.close()
        self.process.wait(timeout=PATIENCE)


def timed(call):
    """An outcome, of a command."""
    started = time.monotonic()
    done = call()
    return {"result": "fails" if done.returncode else "ok", "seconds": time.monotonic() - started,
            "said": done.stdout + done.stderr}


class Victim:
    """A host that meets the fault. Its files are in a directory of its name."""

    def __init__(self, trial, name):
        self.trial, self.name, self.outcomes = trial, name, {}
        home, timeout = trial.home, trial.timeout
        self.mount = Mount(trial.fault.url, home / name, home / f"{name}.cache", "--timeout", f"{timeout}s",
                           "--mount-timeout", f"{2 * timeout}s", "--shutdown-timeout", "2s", "--revalidate", "10m")
        self.at = self.mount.path / name

    def prepare(self):
        for file in ("cached", "cold", "contested", "from", "doomed"):
            self.seen_by_others(file).write_bytes(self.content(file))
        self.mount.start()
        assert (self.at / "cached").read_bytes() == self.content("cached")
        assert len(os.listdir(self.at)) == 5
        self.callers = {name: Caller(name, str(self.at)) for name in CALLS}
        wait_until(lambda: self.mount.status()["files"]["pending_directories"] == 0)

    def content(self, file):
        return content(f"{self.at}/{file}")

    def seen_by_others(self, file):
        return self.trial.onlooker.path / self.name / file

    def call_all(self):
        calling = [caller for name, caller in self.callers.items() if name != "bystander"]
        for caller in calling:
            caller.call()
        self.outcomes["SIGKILL"] = self.callers["SIGKILL"].kill()
        for caller in calling:
            if caller.name not in self.outcomes:
                self.outcomes[caller.name] = caller.outcome()

    def end(self):
        """Of its mount, while the fault is there."""
        self.pids = [self.mount.pid]
        self.unmount() if self.name == "unmounted" else self.be_killed()
        self.gone = not os.path.ismount(self.mount.path)
        self.mount.pid = None
        self.outcomes["restart"] = timed(lambda: self.mount.start(ok=None))
        if self.outcomes["restart"]["result"] == "ok":
            self.pids.append(self.mount.pid)
            self.take_down()
            self.mount.pid = None

    def unmount(self):
        for name, caller in self.callers.items():
            if name != "SIGKILL":
                caller.end()
        self.outcomes["umount"] = timed(self.take_down)

    def take_down(self):
        return cairnfs("umount", "--timeout", "10s", self.mount.path, ok=None, timeout=PATIENCE)

    def be_killed(self):
        bystander = self.callers["bystander"]
        bystander.call()
        started = time.monotonic()
        os.kill(self.mount.pid, signal.SIGKILL)
        cairnfs("umount", "--force", "--timeout", "1s", self.mount.path)
        outcome = bystander.outcome()
        self.outcomes["kill -9"] = {**outcome, "seconds": time.monotonic() - started}
        for name, caller in self.callers.items():
            if name != "SIGKILL":
                caller.end()

    def save_newer(self):
        self.seen_by_others("contested").write_bytes(b"newer")

    def recover(self):
        wait_until(lambda: not any(map(is_running, self.pids)), PATIENCE)
        if not self.trial.fault.spares_others:
            self.save_newer()
        self.mount.start()
        wait_until(lambda: not [file for file in self.kept() if file["state"] == "waiting"], PATIENCE)

    def kept(self):
        return self.mount.status()["unpublished"]

    def kept_content(self, file):
        path = self.trial.home / f"exported-{self.name}-{file['number']}"
        cairnfs("kept", "export", file["number"], path, self.mount.path)
        return path.read_bytes()

    def history(self, file):
        """Contents, oldest first; none if the store has never heard of the file."""
        versions = self.trial.onlooker.path / self.name / ".versions" / file
        if file not in os.listdir(versions.parent):
            return []
        return [(versions / number).read_bytes() for number in sorted(os.listdir(versions), key=int)]

    def close(self):
        for caller in self.callers.values():
            caller.process.kill()
            caller.process.wait(timeout=PATIENCE)
        self.mount.end()


class Trial:
    """One fault, from before it begins until all have recovered. What came of it is in the victims."""

    def __init__(self, name, home):
        self.home = home
        make, self.timeout = FAULTS[name]
        self.fault = make(home)
        self.bench, self.victims, self.failure = None, [], None

    def run(self):
        try:
            self.play()
        except Exception:  # pylint: disable=broad-except
            self.failure = traceback.format_exc()

    def play(self):
        self.bench = Bench(self.home, self.fault.healthy_url)
        self.onlooker = self.bench.mount("onlooker", "--revalidate", "0")
        self.victims = [Victim(self, name) for name in ("unmounted", "killed")]
        for victim in self.victims:
            (self.onlooker.path / victim.name).mkdir()
            victim.prepare()
        self.fault.begin()
        try:
            self.at_each(Victim.call_all)
            if self.fault.spares_others:
                self.at_each(Victim.save_newer)
            self.at_each(Victim.end)
        finally:
            self.fault.end()
        self.at_each(Victim.recover)

    def at_each(self, act):
        with concurrent.futures.ThreadPoolExecutor(len(self.victims)) as pool:
            for done in [pool.submit(act, victim) for victim in self.victims]:
                done.result()

    def close(self):
        self.fault.end()
        for victim in self.victims:
            victim.close()
        for mount in self.bench.mounts if self.bench else []:
            mount.end()
        self.fault.close()


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    """By fault."""
    with pytest.MonkeyPatch.context() as environment:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "anybody")
        environment.setenv("ASAN_OPTIONS", "detect_leaks=0")
        begun = {name: Trial(name, tmp_path_factory.mktemp(name)) for name in FAULTS}
        try:
            with concurrent.futures.ThreadPoolExecutor(len(begun)) as pool:
                for trial in begun.values():
                    pool.submit(trial.run)
            yield begun
        finally:
            for trial in begun.values():
                trial.close()


@pytest.mark.parametrize("fault, call, result, bound", cells())
def test_call(trials, fault, call, result, bound):
    trial = trials[fault]
    assert not trial.failure, trial.failure
    outcomes = [victim.outcomes[call] for victim in trial.victims if call in victim.outcomes]
    assert outcomes
    for outcome in outcomes:
        said = outcome["result"]
        assert result == "any" or said == result or (result == "fails" and said not in ("ok", "nothing")), outcome
        assert outcome["seconds"] < (NOW_SECONDS if bound == "now" else LATE_TIMEOUTS * trial.timeout), outcome


@pytest.fixture(params=FAULTS)
def victims(request, trials):
    assert not trials[request.param].failure, "see test_call"
    return trials[request.param].victims


SAVES = {"close": "contested", "fsync": "synced", "SIGCHLD": "signalled", "SIGKILL": "killed", "write": "writing"}


def test_what_is_read_is_right(victims):
    for victim in victims:
        for call in ("read cached", "read cold"):
            outcome = victim.outcomes[call]
            assert outcome["result"] != "ok" or outcome["value"] == digest(victim.content(call.split()[1]))


def test_what_was_acknowledged_is_there(victims):
    for victim in victims:
        for call in ("close", "fsync", "SIGCHLD"):
            if victim.outcomes[call]["result"] == "ok":
                assert victim.content(SAVES[call]) in victim.history(SAVES[call]), (victim.name, call)
        for call, made in (("mkdir", "made"), ("rename", "to")):
            assert victim.outcomes[call]["result"] != "ok" or victim.seen_by_others(made).exists(), (victim.name, call)


def test_what_failed_is_published_later_or_kept(victims):
    for victim in victims:
        kept = {pathlib.Path(file["path"]).name: victim.kept_content(file) for file in victim.kept()}
        for call, file in SAVES.items():
            assert victim.content(file) in [*victim.history(file), kept.get(file)], (victim.name, file, victim.kept())


def test_what_others_saved_meanwhile_stays_current(victims):
    for victim in victims:
        assert victim.seen_by_others("contested").read_bytes() == b"newer"
        assert (victim.at / "contested").read_bytes() == b"newer"


def test_what_was_never_closed_is_kept_and_not_published(victims):
    for victim in victims:
        if victim.name == "killed":
            states = {pathlib.Path(file["path"]).name: file["state"] for file in victim.kept()}
            assert states.get("writing") == "never closed"
            assert victim.content("writing") not in victim.history("writing")


def test_renamed_file_has_one_of_its_names(victims):
    for victim in victims:
        names = [name for name in ("from", "to") if victim.seen_by_others(name).exists()]
        assert len(names) == 1 and victim.seen_by_others(names[0]).read_bytes() == victim.content("from")


def test_mountpoint_is_free_at_once(victims):
    assert all(victim.gone for victim in victims)


def test_store_is_clean(victims):
    assert victims[0].trial.bench.check().returncode == 0
