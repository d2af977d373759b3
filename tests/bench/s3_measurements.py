"""Each function measures one thing over S3, several times, cairnfs and the others by turns."""

import contextlib
import dataclasses
import pathlib
import shutil
import statistics

import checkpoint
import file_work
from process import Effort, effort_of_daemon, settled
from report import Row
from s3_clients import AT_ONCE, LARGE, PART_BYTES, Curl, MountedClient, Rclone, limit_for
from s3_server import S3Server
from subject import Subject

CONNECTIONS = (4, 8, 16, 32)  # of curl; the best of them is what the network gives
CURLS = [f"curl x{connections}" for connections in CONNECTIONS]
MOUNTS = ["s3fs", "rclone mount"]
FILES = 32
WRITTEN = "written"  # an object that comes and goes
MORE_MEMORY = "2GiB"  # four times the default


@dataclasses.dataclass
class Bench:
    """All that takes part. `large` is a checkpoint of the subject's size, in the mount and as one plain object."""
    subject: Subject
    server: S3Server
    curl: Curl
    rclone: Rclone
    s3fs: MountedClient
    rclone_mount: MountedClient
    work: pathlib.Path
    chunk_keys: list[str]  # the objects that hold the chunks of `large`

    @property
    def large(self) -> pathlib.Path:
        return self.subject.mounted / "large"

    def effort(self, action, size_bytes: int) -> Effort:
        """Of cairnfs."""
        return effort_of_daemon(self.subject.pid, action, limit_for(size_bytes))


class Efforts:
    """Samples of work on `size_bytes`, by who did it."""

    def __init__(self, size_bytes: int):
        self._size_bytes = size_bytes
        self._efforts = {}

    def others(self) -> list:
        return [who for who in self._efforts if who != "cairnfs"]

    def add(self, who: str, effort: Effort) -> None:
        self._efforts.setdefault(who, []).append(effort)

    def rates(self, who: str) -> list:
        """GB/s."""
        return [self._size_bytes / effort.seconds / 1e9 for effort in self._efforts[who]]

    def cpu_per_gib(self, who: str) -> list:
        return [effort.cpu_seconds / (self._size_bytes / (1 << 30)) for effort in self._efforts[who]]

    def fastest(self, those: list) -> str:
        return max(those, key=lambda who: statistics.median(self.rates(who)))

    def rate_row(self, name: str, base: str, **aim) -> Row:
        return Row(name, "GB/s", self.rates("cairnfs"), self.rates(base), base_name=base, more_is_better=True, **aim)


def cold_read(bench: Bench, runs: int) -> list:
    """Nothing of the file on this machine. The sweep's base is `cat` on the mount."""
    size_bytes = bench.subject.size_bytes
    efforts, statuses, sweep = Efforts(size_bytes), [], "mmap sweep"
    for _ in range(runs):
        bench.subject.remount_cold()
        efforts.add("cairnfs", bench.effort(lambda: file_work.read_sequentially(bench.large), size_bytes))
        statuses.append(bench.subject.status())
        for who, connections in zip(CURLS, CONNECTIONS):
            efforts.add(who, bench.curl.read(bench.chunk_keys, connections, size_bytes))
        for who, client in zip(MOUNTS, (bench.s3fs, bench.rclone_mount)):
            efforts.add(who, client.read(LARGE, size_bytes))
        bench.subject.remount_cold()
        efforts.add(sweep, bench.effort(lambda: file_work.sweep_mapping(bench.large), size_bytes))
    raw = efforts.fastest(CURLS)
    aims = {raw: {"aim": "≥ 0.7", "aim_ratio": 0.7}, efforts.fastest(MOUNTS): {"aim": "≥ 2", "aim_ratio": 2}}
    return [
        *(efforts.rate_row("cold sequential read", who, **aims.get(who, {})) for who in CURLS + MOUNTS),
        Row("cold mmap sweep", "GB/s", efforts.rates(sweep), efforts.rates("cairnfs"), base_name="cold read",
            more_is_better=True, aim="≥ 1 / 1.2", aim_ratio=1 / 1.2),
        *_traffic_rows(bench, statuses),
        *(Row("  CPU of the client per GiB", "s", efforts.cpu_per_gib("cairnfs"), efforts.cpu_per_gib(who),
              base_name=who) for who in [raw, *MOUNTS]),
    ]


def _traffic_rows(bench: Bench, statuses: list) -> list:
    """What a mount and one cold read sent and got, from the daemon's own counters."""
    gib = bench.subject.size_bytes / (1 << 30)
    requests = [_requests(status) for status in statuses]
    fetched = [got["get"]["bytes"] / bench.subject.size_bytes for got in requests]
    dropped = [100 * status["cache"]["dropped_puts"] / len(bench.chunk_keys) for status in statuses]
    rows = [
        Row("  bytes fetched per byte read", "", fetched, [], aim="≤ 1.02", aim_value=1.02),
        Row("  chunks that the cache dropped", "%", dropped, []),
    ]
    for operation in sorted(set().union(*requests)):
        counts = [got.get(operation, {"requests": 0})["requests"] / gib for got in requests]
        row = Row(f"  requests per GiB: {operation}", "", counts, [])
        if operation == "get":
            row.aim, row.aim_value = "≤ chunks + 8", (len(bench.chunk_keys) + 8) / gib
        rows.append(row)
    return rows


def _requests(status: dict) -> dict:
    """{"get": {"requests": 12, "bytes": 4096}}: by operation, whatever caused them."""
    return {operation: {what: sum(counted[what] for counted in causes.values()) for what in ("requests", "bytes")}
            for operation, causes in status["requests"].items()}


def one_tensor(bench: Bench, runs: int) -> list:
    """Out of the middle of the cold checkpoint, through a mapping: safetensors' way, and that of torch.load(mmap=True),
    which needs torch 2.1. Chunks that arrive after the tensor is there count too."""
    tensors = checkpoint.tensor_count(bench.subject.size_bytes)
    name = f"layers.{tensors // 2}.weight"
    touched = checkpoint.chunk_count(1)
    durations, beyond = [], []
    for _ in range(runs):
        bench.subject.remount_cold()
        effort = bench.effort(lambda: file_work.load_one_tensor(bench.large, name), checkpoint.TENSOR_BYTES)
        durations.append(1e3 * effort.seconds)
        beyond.append(settled(lambda: bench.subject.status()["reads"]["chunks_fetched"]) - touched)
    return [
        Row(f"one tensor of {tensors}, {checkpoint.TENSOR_BYTES >> 20} MiB", "ms", durations, []),
        Row("  chunks fetched beyond those touched", "", beyond, [], aim="≤ 2", aim_value=2),
    ]


def write_and_close(bench: Bench, runs: int) -> list:
    """Half the size. What the others wrote is removed each time; the versions of cairnfs stay."""
    size_bytes = bench.subject.size_bytes // 2
    written = bench.subject.mounted / "written"
    efforts = Efforts(size_bytes)
    for _ in range(runs):
        content = bench.subject.fresh_bytes(size_bytes)
        efforts.add("cairnfs", bench.effort(lambda: file_work.write_durably(written, content, sync=False), size_bytes))
        with _on_disk(content, bench.work / "content") as (whole, parts):
            for who, signed in (("curl", True), ("curl, payload unsigned", False)):
                efforts.add(who, bench.curl.write(parts, AT_ONCE, size_bytes, signed))
                bench.rclone.remove_all("parts")
            efforts.add("rclone copy", bench.rclone.upload(whole, WRITTEN))
        bench.rclone.remove(WRITTEN)
        efforts.add("s3fs", bench.s3fs.write(WRITTEN, content))
        bench.rclone.remove(WRITTEN)
        bench.server.collect_garbage()
    aims = {"curl": {"aim": "≥ 0.7", "aim_ratio": 0.7}}
    return [efforts.rate_row("write + close", who, **aims.get(who, {})) for who in efforts.others()]


@contextlib.contextmanager
def _on_disk(content: bytes, directory: pathlib.Path):
    """(one file, the same cut into many), written back, so that no disk is busy with them when the clock runs."""
    directory.mkdir()
    try:
        whole = directory / "whole"
        file_work.write_durably(whole, content, sync=True)
        parts = []
        for begin in range(0, len(content), PART_BYTES):
            parts.append(directory / f"part-{begin // PART_BYTES:05}")
            file_work.write_durably(parts[-1], content[begin:begin + PART_BYTES], sync=True)
        yield whole, parts
    finally:
        shutil.rmtree(directory)


def many_readers(bench: Bench, runs: int) -> list:
    """Of FILES cold files, all at once: with the memory that is the default, and with more."""
    size_bytes = bench.subject.size_bytes // FILES * FILES
    paths = [bench.subject.mounted / f"shard-{i:02}" for i in range(FILES)]
    for path in paths:
        file_work.write_durably(path, bench.subject.fresh_bytes(size_bytes // FILES), sync=False)
    efforts, anonymous, resident, fetched = Efforts(size_bytes), [], [], []
    for _ in range(runs):
        for who, options in (("cairnfs", ()), (f"--memory {MORE_MEMORY}", ("--memory", MORE_MEMORY))):
            bench.subject.remount_cold(*options)
            bench.subject.peak.reset()
            efforts.add(who, bench.effort(lambda: file_work.read_files_in_parallel(paths), size_bytes))
            bench.subject.peak.stop()
            if not options:
                anonymous.append(bench.subject.peak.anonymous_kib / 1024)
                resident.append(bench.subject.peak.total_kib / 1024)
                fetched.append(bench.subject.status()["reads"]["fetched_bytes"] / size_bytes)
    bench.subject.remount_cold()
    return [
        Row(f"{FILES} readers of {FILES} files: peak RssAnon", "MiB", anonymous, [], aim="≤ 512", aim_value=512),
        Row("  peak VmHWM, mapped files included", "MiB", resident, []),
        Row("  bytes fetched per byte read", "", fetched, [], aim="≤ 1.1", aim_value=1.1),
        efforts.rate_row("  throughput", f"--memory {MORE_MEMORY}", aim="≥ 0.8", aim_ratio=0.8),
    ]


MEASUREMENTS = [cold_read, one_tensor, write_and_close, many_readers]
