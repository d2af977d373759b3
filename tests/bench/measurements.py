"""Each function measures one thing, several times, mount and local file by turns."""

import os
import shutil

import file_work
from process import effort_of_daemon, seconds
from report import Row
from subject import Subject
from warm_measurements import warm_reads

SMALL_FILES = 2000
DIRECTORY_FILES = 64
DIRECTORY_FILE_BYTES = 16 << 20
READERS = 32


def gigabytes_per_second(size_bytes: int, duration_s: float) -> float:
    return size_bytes / duration_s / 1e9


def cold_read_and_sweep(subject: Subject, runs: int) -> list:
    """First contact: nothing cached here, the store in the page cache. The sweep's base is `cat` on the mount."""
    rates = {"cat": [], "sweep": [], "local cat": [], "local sweep": []}
    for _ in range(runs):
        for name, work in (("cat", file_work.read_sequentially), ("sweep", file_work.sweep_mapping)):
            subject.remount_cold()
            duration = seconds(lambda: work(subject.mounted / "large"))
            rates[name].append(gigabytes_per_second(subject.size_bytes, duration))
            duration = seconds(lambda: work(subject.local / "large"))
            rates["local " + name].append(gigabytes_per_second(subject.size_bytes, duration))
    return [
        Row("cold sequential read", "GB/s", rates["cat"], rates["local cat"], more_is_better=True, aim="≥ 0.2",
            aim_ratio=0.2),
        Row("cold mmap sweep", "GB/s", rates["sweep"], rates["local sweep"], more_is_better=True),
        Row("cold mmap sweep", "GB/s", rates["sweep"], rates["cat"], base_name="cold read", more_is_better=True,
            aim="≥ 1 / 1.2", aim_ratio=1 / 1.2),
    ]


def write_and_close(subject: Subject, runs: int) -> list:
    ours, local = [], []
    for _ in range(runs):
        content = subject.fresh_bytes(subject.size_bytes)
        duration = seconds(lambda: file_work.write_durably(subject.mounted / "written", content, sync=False))
        ours.append(gigabytes_per_second(subject.size_bytes, duration))
        duration = seconds(lambda: file_work.write_durably(subject.local / "written", content, sync=True))
        local.append(gigabytes_per_second(subject.size_bytes, duration))
    for directory in (subject.mounted, subject.local):
        (directory / "written").unlink()
    return [Row("write + close", "GB/s", ours, local, base_name="with fsync", more_is_better=True, aim="≥ 0.4",
                aim_ratio=0.4)]


def rewrite_with_changes(subject: Subject, runs: int) -> list:
    """A checkpoint saved again, whole, with one stretch of 5 % changed."""
    content = bytearray(subject.fresh_bytes(subject.size_bytes))
    changed_bytes = subject.size_bytes // 20
    file_work.write_durably(subject.mounted / "rewritten", content, sync=False)
    ours, local, sent_percent = [], [], []
    for _ in range(runs):
        begin = subject.random.randrange((subject.size_bytes - changed_bytes) >> 22) << 22
        content[begin:begin + changed_bytes] = subject.fresh_bytes(changed_bytes)
        sent_before = subject.status()["writes"]["sent_bytes"]
        ours.append(seconds(lambda: file_work.write_durably(subject.mounted / "rewritten", content, sync=False)))
        sent = subject.status()["writes"]["sent_bytes"] - sent_before
        sent_percent.append(100 * sent / subject.size_bytes)
        local.append(seconds(lambda: file_work.write_durably(subject.local / "rewritten", content, sync=True)))
    for directory in (subject.mounted, subject.local):
        (directory / "rewritten").unlink()
    return [
        Row("rewrite with 5 % changed", "s", ours, local, base_name="with fsync"),
        Row("  of it sent to the store", "%", sent_percent, [], aim="< 8 %", aim_value=8),
    ]


def save_what_is_there(subject: Subject, runs: int) -> list:
    """The bytes of `large` under new names, in a process that has neither put nor fetched them: each chunk is looked at.
    Then once more, which is the base: it has looked."""
    content = (subject.local / "large").read_bytes()
    first, again, puts, gets, gets_again = [], [], [], [], []
    for run in range(runs):
        names = [subject.mounted / f"there-{run}", subject.mounted / f"there-too-{run}"]
        subject.remount_cold()
        first.append(seconds(lambda: file_work.write_durably(names[0], content, sync=False)))
        requests = subject.status()["requests"]
        puts.append(_count(requests, "put_if_absent"))
        gets.append(_count(requests, "get"))
        again.append(seconds(lambda: file_work.write_durably(names[1], content, sync=False)))
        gets_again.append(_count(subject.status()["requests"], "get") - gets[-1])
        for name in names:
            name.unlink()
    return [
        Row("save what the store has", "s", first, again, base_name="the second time"),
        Row("  requests: put", "", puts, []),
        Row("  requests: get", "", gets, []),
        Row("  requests: get, the second time", "", gets_again, []),
    ]


def _count(requests: dict, operation: str) -> int:
    return sum(counted["requests"] for counted in requests.get(operation, {}).values())


def digest_checked_read(subject: Subject, runs: int) -> list:
    """A cold read with every chunk's SHA-256 checked. The base is the same with checksums alone."""
    efforts = {"digest": [], "checksum": []}
    for _ in range(runs):
        for verify, samples in efforts.items():
            subject.remount_cold("--verify", verify)
            read = effort_of_daemon(subject.pid, lambda: file_work.read_sequentially(subject.mounted / "large"), 300)
            samples.append(read)
    gib = subject.size_bytes / (1 << 30)
    rates, cpu = ({verify: [measure(effort) for effort in samples] for verify, samples in efforts.items()}
                  for measure in (lambda effort: gigabytes_per_second(subject.size_bytes, effort.seconds),
                                  lambda effort: effort.cpu_seconds / gib))
    return [
        Row("cold read, verify=digest", "GB/s", rates["digest"], rates["checksum"], base_name="checksum",
            more_is_better=True),
        Row("  CPU of the daemon per GiB", "s", cpu["digest"], cpu["checksum"], base_name="checksum"),
    ]


def many_files(subject: Subject, runs: int) -> list:
    work = {
        f"create {SMALL_FILES} files": lambda directory: file_work.create_files(directory, SMALL_FILES),
        f"stat {SMALL_FILES} files": lambda directory: file_work.stat_files(directory, SMALL_FILES),
        f"list {SMALL_FILES} files": os.listdir,
    }
    samples = {name: ([], []) for name in work}
    for run in range(runs):
        for parent, which in ((subject.mounted, 0), (subject.local, 1)):
            directory = parent / f"many-{run}"
            directory.mkdir()
            for name, action in work.items():
                samples[name][which].append(1e3 * seconds(lambda: action(directory)))
            shutil.rmtree(directory)
    return [Row(name, "ms", ours, local) for name, (ours, local) in samples.items()]


def rename_directory(subject: Subject, runs: int) -> list:
    """With all that is in it; every file holds the same bytes, to have it filled soon."""
    content = subject.fresh_bytes(DIRECTORY_FILE_BYTES)
    for parent in (subject.mounted, subject.local):
        (parent / "before").mkdir()
        for i in range(DIRECTORY_FILES):
            file_work.write_durably(parent / "before" / f"shard-{i}", content, sync=False)
    samples = {subject.mounted: [], subject.local: []}
    for _ in range(runs):
        for parent, durations in samples.items():
            durations.append(1e3 * seconds(lambda: (parent / "before").rename(parent / "after")))
            (parent / "after").rename(parent / "before")
    for parent in samples:
        shutil.rmtree(parent / "before")
    return [Row(f"rename a directory of {DIRECTORY_FILES} × {DIRECTORY_FILE_BYTES >> 20} MiB", "ms",
                samples[subject.mounted], samples[subject.local], aim="< 20 ms", aim_value=20)]


def peak_memory(subject: Subject, runs: int) -> list:
    """Of the daemon, while many threads read a cold file."""
    resident, anonymous = [], []
    for _ in range(runs):
        subject.remount_cold()
        subject.peak.reset()
        file_work.read_in_parallel(subject.mounted / "large", subject.size_bytes, READERS)
        subject.peak.stop()
        resident.append(subject.peak.total_kib / 1024)
        anonymous.append(subject.peak.anonymous_kib / 1024)
    return [
        Row(f"peak memory, {READERS} readers (VmHWM)", "MiB", resident, [], aim="< 512", aim_value=512),
        Row("  of it anonymous (RssAnon)", "MiB", anonymous, [], aim="< 512", aim_value=512),
    ]


MEASUREMENTS = [cold_read_and_sweep, digest_checked_read, warm_reads, write_and_close, rewrite_with_changes,
                save_what_is_there, many_files, rename_directory, peak_memory]
