"""What packaging/try lets an unmodified PyTorch do on the mount."""
import hashlib
import json
import os
import subprocess
import sys

import numpy as np
import torch


def build_model():
    torch.manual_seed(1)
    model = torch.nn.Sequential(
        torch.nn.Embedding(8192, 256), torch.nn.Flatten(), torch.nn.Linear(16 * 256, 512), torch.nn.ReLU(),
        torch.nn.Linear(512, 512))
    model[0].weight.requires_grad_(False)  # frozen: the same chunks in every checkpoint
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-3)
    return model, optimizer


def train_steps(model, optimizer, first, count):
    for step in range(first, first + count):
        torch.manual_seed(step)
        tokens = torch.randint(0, 8192, (32, 16))
        loss = torch.nn.functional.cross_entropy(model(tokens), tokens[:, 0] % 512)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return first + count, loss.item()


def save(path, model, optimizer, step):
    temporary = path + ".tmp"
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}, temporary)
    os.replace(temporary, path)


def digest(state):
    total = hashlib.sha256()
    for name in sorted(state):
        total.update(state[name].numpy().tobytes())
    return total.hexdigest()[:16]


def train(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    model, optimizer = build_model()
    step = 0
    for _ in range(3):
        step, loss = train_steps(model, optimizer, step, 5)
        save(path, model, optimizer, step)
        print(f"  step {step:3}: loss {loss:.4f}, saved {os.path.getsize(path) / 2**20:.1f} MiB, "
              f"weights {digest(model.state_dict())}")
    rows = np.random.default_rng(1).standard_normal((16, 1 << 20), dtype=np.float32)
    np.save(os.path.join(os.path.dirname(path), "embedding.npy"), rows)


def resume(path):
    checkpoint = torch.load(path)
    model, optimizer = build_model()
    model.load_state_dict(checkpoint["model"])
    optimizer.load_state_dict(checkpoint["optimizer"])
    print(f"  loaded step {checkpoint['step']}, weights {digest(model.state_dict())}")
    step, loss = train_steps(model, optimizer, checkpoint["step"], 5)
    save(path, model, optimizer, step)
    print(f"  step {step:3}: loss {loss:.4f}, saved, weights {digest(model.state_dict())}")


def fetched_bytes(mountpoint):
    status = subprocess.run(["cairnfs", "status", "--json", mountpoint], check=True, capture_output=True, timeout=30)
    return json.loads(status.stdout)["reads"]["fetched_bytes"]


def partial(path, mountpoint):
    before = fetched_bytes(mountpoint)
    row = np.load(path, mmap_mode="r")[9, :1000].sum()
    fetched = fetched_bytes(mountpoint) - before
    size = os.path.getsize(path)
    print(f"  1,000 numbers of row 9 (sum {row:.3f}): fetched {fetched / 2**20:.1f} MiB of {size / 2**20:.0f} MiB")


if __name__ == "__main__":
    {"train": train, "resume": resume, "partial": partial}[sys.argv[1]](*sys.argv[2:])
