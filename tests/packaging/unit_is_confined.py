"""systemd-analyze finds the unit confined, and nothing in it would hide the mount. Usage: unit_is_confined.py UNIT"""
import pathlib
import shutil
import subprocess
import sys
import tempfile

MOST_EXPOSURE = 3.5
SKIPPED = 77
# Each gives the service a mount namespace, out of which no mount comes (systemd.exec(5), MountFlags=).
HIDING = ["ProtectSystem", "ProtectHome", "PrivateTmp", "PrivateDevices", "PrivateMounts", "ProtectKernelTunables",
          "ProtectKernelModules", "ProtectKernelLogs", "ProtectControlGroups", "ProtectProc", "ProcSubset", "MountFlags",
          "ReadWritePaths", "ReadOnlyPaths", "InaccessiblePaths", "ExecPaths", "NoExecPaths", "BindPaths",
          "BindReadOnlyPaths", "TemporaryFileSystem", "RootDirectory", "RootImage", "DynamicUser", "PrivateIPC"]


def main(path):
    unit = pathlib.Path(path).read_text()
    lines = [line.strip() for line in unit.splitlines()]
    hiding = [line for line in lines if line.partition("=")[0] in HIDING]
    missing = [line for line in ("Type=notify", "LimitCORE=0", "UMask=0077", "NoNewPrivileges=yes") if line not in lines]
    if hiding or missing:
        return f"{path}: {', '.join(hiding)} hide the mount; {', '.join(missing)} are missing"
    if shutil.which("systemd-analyze") is None:
        print("systemd-analyze is missing")
        return SKIPPED
    with tempfile.TemporaryDirectory() as root:
        shutil.copy(path, root)
        done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--no-pager",
                               f"--threshold={round(MOST_EXPOSURE * 10)}", f"{root}/{pathlib.Path(path).name}"],
                              capture_output=True, text=True, timeout=30)
    print(done.stdout[-400:], done.stderr[-2000:])
    overall = [line for line in done.stdout.splitlines() if "Overall exposure level" in line]
    if not overall:
        return "systemd-analyze says nothing of an exposure level"
    exposure = float(overall[0].split(":")[1].split()[0])
    unknown = [line for line in done.stderr.splitlines() if "ignoring" in line.lower()]
    if exposure > MOST_EXPOSURE or unknown:
        return f"an exposure of {exposure}, at most {MOST_EXPOSURE}; {unknown}"
    return 0


sys.exit(main(sys.argv[1]))
