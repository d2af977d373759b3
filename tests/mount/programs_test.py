"""Unmodified programs, doing the same work on the mount and on a local disk: the results must be the same bytes."""
import contextlib
import hashlib
import os
import pathlib
import pickle
import sqlite3

import h5py
import numpy as np
import pytest
import torch

from conftest import run


def tree_of(root):
    """{relative path: what is there}"""
    found = {}
    for path in sorted(pathlib.Path(root).rglob("*")):
        name = str(path.relative_to(root))
        if path.is_symlink():
            found[name] = ("link", os.readlink(path))
        elif path.is_dir():
            found[name] = ("directory", path.stat().st_mode)
        else:
            found[name] = ("file", path.stat().st_mode, sha256(path))
    return found


def sha256(path):
    total = hashlib.sha256()
    with open(path, "rb") as file:
        while piece := file.read(1 << 20):
            total.update(piece)
    return total.hexdigest()


@pytest.fixture
def places(bench, tmp_path):
    """The mount, the same work's local place, and a way to see the mount cold: remounted, without its cache."""
    mount = bench.mount()
    local = tmp_path / "local"
    local.mkdir()

    def cold():
        mount.umount()
        run("rm", "-rf", mount.cache)
        mount.start()

    return mount.path, local, cold


def train_one(seed=0):
    torch.manual_seed(seed)
    model = torch.nn.Sequential(torch.nn.Linear(700, 900), torch.nn.ReLU(), torch.nn.Linear(900, 10))
    optimizer = torch.optim.Adam(model.parameters())
    for _ in range(3):
        loss = model(torch.randn(8, 700)).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return {"model": model.state_dict(), "optimizer": optimizer.state_dict()}


def same(left, right):
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(same(left[key], right[key]) for key in left)
    if isinstance(left, torch.Tensor):
        return torch.equal(left, right)
    return left == right


@pytest.mark.parametrize("zip_format", [True, False], ids=["zip", "legacy"])
def test_torch_saves_and_loads_the_same_tensors(places, zip_format):
    mnt, local, cold = places
    state = train_one()
    for place in (mnt, local):
        torch.save(state, place / "model.pt", _use_new_zipfile_serialization=zip_format)
    assert sha256(mnt / "model.pt") == sha256(local / "model.pt")
    cold()
    assert sha256(mnt / "model.pt") == sha256(local / "model.pt")
    assert same(torch.load(mnt / "model.pt"), state)


def test_torch_save_over_an_open_model_leaves_the_reader_its_version(places):
    mnt, _, _ = places
    torch.save(train_one(1), mnt / "model.pt")
    before = sha256(mnt / "model.pt")
    with open(mnt / "model.pt", "rb") as reader:
        torch.save(train_one(2), mnt / "model.pt.tmp")
        os.replace(mnt / "model.pt.tmp", mnt / "model.pt")
        assert hashlib.sha256(reader.read()).hexdigest() == before
    assert sha256(mnt / "model.pt") != before


def test_numpy_memmaps_are_written_and_changed_in_place(places):
    mnt, local, cold = places
    for place in (mnt, local):
        made = np.lib.format.open_memmap(place / "a.npy", mode="w+", dtype=np.float32, shape=(3000, 1000))
        made[:] = np.arange(3000, dtype=np.float32)[:, None]
        made.flush()
        del made
        changed = np.load(place / "a.npy", mmap_mode="r+")
        changed[1500, :] = -1
        changed[2999, 999] = 7
        del changed
    assert sha256(mnt / "a.npy") == sha256(local / "a.npy")
    cold()
    assert sha256(mnt / "a.npy") == sha256(local / "a.npy")
    assert np.load(mnt / "a.npy", mmap_mode="r")[1500].sum() == -1000


def test_savez_is_read_back(places):
    mnt, _, cold = places
    arrays = {f"layer{i}": np.random.default_rng(i).standard_normal((300, 400)) for i in range(8)}
    np.savez(mnt / "arrays.npz", **arrays)
    np.savez_compressed(mnt / "small.npz", **arrays)
    cold()
    for name in ("arrays.npz", "small.npz"):
        with np.load(mnt / name) as loaded:
            assert all(np.array_equal(loaded[key], arrays[key]) for key in arrays)


def test_h5py_writes_appends_and_reads(places):
    mnt, local, cold = places
    for place in (mnt, local):
        with h5py.File(place / "d.h5", "w") as file:
            file.create_dataset("x", data=np.arange(100000), chunks=(1000,), maxshape=(None,))
        with h5py.File(place / "d.h5", "r+") as file:
            file["x"].resize((200000,))
            file["x"][100000:] = np.arange(100000)
    cold()
    assert sha256(mnt / "d.h5") == sha256(local / "d.h5")


@pytest.mark.parametrize("journal", ["DELETE", "TRUNCATE", "MEMORY"])
def test_sqlite_transactions_survive(places, journal):
    mnt, _, cold = places
    with contextlib.closing(sqlite3.connect(mnt / "t.db")) as db, db:
        db.execute(f"PRAGMA journal_mode={journal}")
        db.execute("CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT)")
    for batch in range(5):
        with contextlib.closing(sqlite3.connect(mnt / "t.db")) as db, db:
            db.executemany("INSERT INTO t(b) VALUES (?)", [(f"{batch}:{i}" * 20,) for i in range(200)])
    cold()
    with contextlib.closing(sqlite3.connect(mnt / "t.db")) as db:
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("SELECT count(*) FROM t").fetchone() == (1000,)


def make_tree(root):
    root.mkdir()
    for i in range(40):
        folder = root / f"d{i % 5}" / f"e{i % 3}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"file{i}").write_bytes(os.urandom(i * i * 97))
    os.symlink("d0/e0", root / "link")
    os.chmod(root / "d1", 0o750)
    (root / "tool.sh").write_text("#!/bin/sh\necho it runs\n")
    os.chmod(root / "tool.sh", 0o755)
    os.utime(root / "tool.sh", ns=(1, 1_600_000_000_123_456_789))
    return root


def test_tar_cp_and_rsync_copy_trees_both_ways(places, tmp_path):
    mnt, local, cold = places
    source = make_tree(tmp_path / "source")
    run("cp", "-a", source, mnt / "cp")
    run("rsync", "-aX", f"{source}/", mnt / "rsync")
    run("tar", "-C", tmp_path, "-cf", mnt / "t.tar", "source")
    (mnt / "tar").mkdir()
    run("tar", "-C", mnt / "tar", "-xpf", mnt / "t.tar")
    cold()
    wanted = tree_of(source)
    assert tree_of(mnt / "cp") == tree_of(mnt / "rsync") == tree_of(mnt / "tar" / "source") == wanted
    assert (mnt / "cp" / "tool.sh").stat().st_mtime_ns == 1_600_000_000_123_456_789
    assert run(mnt / "cp" / "tool.sh").stdout == "it runs\n"
    run("cp", "-a", mnt / "cp", local / "back")
    assert tree_of(local / "back") == wanted
    assert run("rsync", "-ain", "--delete", f"{source}/", mnt / "rsync/").stdout == ""
    run("diff", "-r", source, mnt / "cp")


def test_git_clones_commits_and_checks(places, tmp_path):
    mnt, _, cold = places
    origin = make_tree(tmp_path / "origin")
    git = ("git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "safe.directory=*")
    run(*git, "init", "-q", origin)
    for i in range(5):
        (origin / "counter").write_text(str(i))
        run(*git, "-C", origin, "add", "-A")
        run(*git, "-C", origin, "commit", "-qm", f"commit {i}")
    run(*git, "clone", "-q", "--no-hardlinks", origin, mnt / "clone", timeout=120)
    (mnt / "clone" / "new").write_text("on the mount")
    run(*git, "-C", mnt / "clone", "add", "new")
    run(*git, "-C", mnt / "clone", "commit", "-qm", "on the mount")
    run(*git, "-C", mnt / "clone", "repack", "-adq")
    run(*git, "-C", mnt / "clone", "gc", "-q")
    cold()
    run(*git, "-C", mnt / "clone", "fsck", "--full", "--strict")
    assert run(*git, "-C", mnt / "clone", "status", "--porcelain").stdout == ""
    assert run(*git, "-C", mnt / "clone", "log", "--oneline").stdout.count("\n") == 6


def test_sharded_save_renamed_into_place_is_whole_on_the_other_host(hosts):
    writer, reader = (host.path for host in hosts)
    for step in range(3):
        (writer / "tmp").mkdir()
        for rank in range(8):
            (writer / "tmp" / f"shard{rank}").write_bytes(bytes([step]) * (100_000 + rank))
        os.rename(writer / "tmp", writer / f"step{step}")
        assert sorted(os.listdir(reader / f"step{step}")) == [f"shard{rank}" for rank in range(8)]
        assert all((reader / f"step{step}" / f"shard{rank}").read_bytes() == bytes([step]) * (100_000 + rank)
                   for rank in range(8))
        assert not (reader / "tmp").exists()


def test_two_hosts_renaming_over_one_name_tear_nothing(hosts):
    contents = {}
    for turn in range(10):
        host = hosts[turn % 2].path
        contents[turn] = pickle.dumps((turn, os.urandom(300_000)))
        (host / f"model.tmp{turn}").write_bytes(contents[turn])
        os.rename(host / f"model.tmp{turn}", host / "model")
        for other in hosts:
            assert (other.path / "model").read_bytes() == contents[turn]
    versions = hosts[0].path / ".versions" / "model"
    assert [(versions / str(turn + 1)).read_bytes() for turn in range(10)] == list(contents.values())
