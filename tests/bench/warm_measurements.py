"""What is on this machine, read again after a restart: as fast as a local file on the same disk?

fio does the reading, the same for both. The kernel's page cache is dropped before each run, for the whole machine.
"""

import json
import os
import pathlib

from process import effort_of_daemon, run
from report import Row
from subject import Subject

LIMIT_S = 300
RANDOM_S = 3

# What is read how: name, unit, aim, fio's options. "clat" would do for latencies; what loaders feel is the rate.
JOBS = [
    ("warm sequential read", 0.95, ["--rw=read", "--bs=1M", "--ioengine=psync"]),
    ("warm mmap sweep", 0.95, ["--rw=read", "--bs=1M", "--ioengine=mmap"]),
    ("warm O_DIRECT read, 8 MiB x 32", 0.95, ["--rw=read", "--bs=8M", "--ioengine=libaio", "--direct=1", "--iodepth=32"]),
] + [
    (f"warm random read, {size} x {depth}", 0.9,
     ["--rw=randread", f"--bs={size}", "--ioengine=libaio", "--direct=1", f"--iodepth={depth}", "--time_based",
      f"--runtime={RANDOM_S}"])
    for size in ("4k", "128k") for depth in (1, 32)
]


def warm_reads(subject: Subject, runs: int) -> list:
    subject.remount_warm()
    local = subject.local / "large"
    rows, cpu = [], []
    for name, aim, options in JOBS:
        ours, base = [], []
        for turn in range(runs):
            for ours_now in (True, False) if turn % 2 == 0 else (False, True):
                (ours if ours_now else base).append(_rate(subject, ours_now, local, options, cpu))
        rows.append(Row(name, "GB/s", ours, base, base_name="same disk", more_is_better=True, aim=f"≥ {aim}",
                        aim_ratio=aim))
    fetched = subject.status()["reads"]["chunks_fetched"]
    rows.append(Row("  chunks fetched", "", [fetched], [], aim="0", aim_value=0))
    rows.append(Row("  CPU of the daemon, all of these", "s", [sum(cpu)], [], aim="0", aim_value=0.05))
    return rows


def _rate(subject: Subject, is_ours: bool, local: pathlib.Path, options: list, cpu: list) -> float:
    drop_all_pages()
    path = subject.mounted / "large" if is_ours else local
    answer = []
    effort = effort_of_daemon(subject.pid, lambda: answer.append(_fio(path, options)), LIMIT_S)
    if is_ours:
        cpu.append(effort.cpu_seconds)
    return answer[0]["jobs"][0]["read"]["bw_bytes"] / 1e9


def _fio(path: pathlib.Path, options: list) -> dict:
    return json.loads(run("fio", "--name=read", f"--filename={path}", "--readonly", "--invalidate=0", "--thread",
                          "--output-format=json", *options, timeout_s=LIMIT_S))


def drop_all_pages() -> None:
    os.sync()
    with open("/proc/sys/vm/drop_caches", "w") as control:
        control.write("3")
