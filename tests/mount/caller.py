"""A program that makes one call in a mount: `caller.py CALL DIRECTORY`. It prepares, says "ready", and calls when it is
told to; then it says what came of it, and ends when its input does. See CALLS in fault_matrix_test.py."""
import errno
import hashlib
import json
import os
import random
import signal
import sys
import threading
import time

SIZE = 200_000


def content(of):
    """What everybody knows that a file was given."""
    return random.Random(of).randbytes(SIZE)


def digest(data):
    return hashlib.sha256(data).hexdigest()


def written(path, flags=os.O_CREAT):
    """A descriptor of a file whose bytes are not published yet."""
    file = os.open(path, os.O_WRONLY | flags)
    os.write(file, content(path))
    return file


def opening(at):
    return lambda: os.open(f"{at}/cached", os.O_RDONLY) and None


def reading_cached(at):
    file = os.open(f"{at}/cached", os.O_RDONLY)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    return lambda: digest(os.pread(file, SIZE, 0))


def reading_cold(at):
    def read():
        with open(f"{at}/cold", "rb") as file:
            return digest(file.read())
    return read


def writing(at):
    file = os.open(f"{at}/writing", os.O_WRONLY | os.O_CREAT)
    return lambda: os.write(file, content(f"{at}/writing"))


def closing(at):
    file = written(f"{at}/contested", os.O_TRUNC)
    return lambda: os.close(file)


def closing_new(at):
    file = written(f"{at}/killed")
    return lambda: os.close(file)


def closing_while_signalled(at):
    file, closed = written(f"{at}/signalled"), threading.Event()
    signal.signal(signal.SIGCHLD, lambda *_: None)

    def disturb():
        while not closed.wait(0.05):
            os.kill(os.getpid(), signal.SIGCHLD)

    def close():
        thread = threading.Thread(target=disturb)
        thread.start()
        try:
            os.close(file)
        finally:
            closed.set()
            thread.join()
    return close


def syncing(at, name="synced"):
    file = written(f"{at}/{name}")
    return lambda: os.fsync(file)


CALLS = {
    "open": opening,
    "read cached": reading_cached,
    "read cold": reading_cold,
    "write": writing,
    "close": closing,
    "fsync": syncing,
    "rename": lambda at: lambda: os.rename(f"{at}/from", f"{at}/to"),
    "mkdir": lambda at: lambda: os.mkdir(f"{at}/made"),
    "unlink": lambda at: lambda: os.unlink(f"{at}/doomed"),
    "statfs": lambda at: lambda: os.statvfs(at) and None,
    "SIGCHLD": closing_while_signalled,
    "SIGKILL": closing_new,
    "bystander": lambda at: syncing(at, "bystander"),
}


def main():
    call = CALLS[sys.argv[1]](sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    print("calling", flush=True)
    started, result, value = time.monotonic(), "ok", None
    try:
        value = call()
    except OSError as failed:
        result = errno.errorcode[failed.errno]
    print(json.dumps({"result": result, "seconds": time.monotonic() - started, "value": value}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
