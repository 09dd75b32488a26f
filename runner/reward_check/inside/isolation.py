"""A process of its own for code that nobody has reviewed: no network, no secrets, few files.

Linux namespaces give it a network without interfaces, a process table of its own (it neither sees
nor signals anything outside, and all it starts ends with it) and a file system that holds Python,
the system's programs and the bundle, all read-only, and an empty folder. It runs without any
privilege, as another user where the caller is root. Where the network cannot be cut nothing is run.

A process cannot move itself into all of this, so there are three: `start` is called by whoever
wants the code run, `keep` waits outside with the deadline, and the innermost one execs the code.
"""

from __future__ import annotations

import ctypes
import os
import resource
import shutil
import signal
import stat
import subprocess
import sys
import sysconfig
import time
from collections.abc import Sequence
from pathlib import Path

SECONDS_TO_CLEAR_UP = 10
"""After the deadline, until the caller gives up on whoever keeps it."""
NO_ISOLATION = 77
"""Exit status of the keeper: nothing was run, since the network could not be cut."""
DEADLINE_PASSED = 78
"""Exit status of the keeper: it stopped the code at the deadline."""

NOBODY = 1_879_048_191
"""User and group where the caller is root: no account has it, so that limits count it alone."""
LIMITS = {
    resource.RLIMIT_AS: 4 * 2**30,
    resource.RLIMIT_FSIZE: 16 * 2**20,
    resource.RLIMIT_NPROC: 256,
    resource.RLIMIT_NOFILE: 256,
    resource.RLIMIT_CORE: 0,
}
FOLDERS = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64")
FILES = ("/etc/ld.so.cache", "/etc/localtime")
DEVICES = ("/dev/null", "/dev/zero", "/dev/random", "/dev/urandom")
BUNDLE = "/bundle"
SCRATCH = "/tmp"  # noqa: S108 - inside it is a file system of its own
SCRATCH_SIZE = "64m"

CLONE_NEWNS, CLONE_NEWIPC, CLONE_NEWUSER = 0x20000, 0x8000000, 0x10000000
CLONE_NEWPID, CLONE_NEWNET = 0x20000000, 0x40000000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REMOUNT = 1, 2, 4, 8, 32
MS_BIND, MS_REC, MS_PRIVATE = 4096, 16384, 1 << 18
MNT_DETACH = 2
PR_SET_PDEATHSIG, PR_CAPBSET_DROP, PR_SET_NO_NEW_PRIVS = 1, 24, 38


def start(arguments: Sequence[str], seconds: int) -> subprocess.Popen[bytes]:
    """Run a Python program of this bundle, isolated, for at most `seconds`; with three pipes.

    `arguments` begin with a path inside the bundle. Exit statuses above tell what did not work.
    """
    bundle = Path(sys.argv[0]).resolve().parent
    keeper = [sys.executable, "-I", "-B", str(bundle / "check.py"), "--keep", str(seconds)]
    return subprocess.Popen(
        [*_as_root(), *keeper, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={"PATH": os.defpath},
        cwd=bundle,
    )


def _as_root() -> list[str]:
    """Return what is put before a command so that it may make namespaces; nothing where it may.

    Ubuntu 24.04 forbids them to people by AppArmor; its hosted runners have sudo instead.
    """
    sudo = ["sudo", "-n", "--"]
    if os.geteuid() == 0 or _may_make_namespaces() or shutil.which("sudo") is None:
        return []
    return sudo if subprocess.run([*sudo, "true"], capture_output=True).returncode == 0 else []


def _may_make_namespaces() -> bool:
    """Whether an ordinary user gets rights in a namespace of its own; tried in a child."""
    child = os.fork()
    if child == 0:
        try:
            _enter()
            os._exit(0)
        except BaseException:
            os._exit(1)
    return os.waitpid(child, 0)[1] == 0


def keep(seconds: int, arguments: Sequence[str]) -> int:
    """Run the program of `arguments` inside and wait for it; return its exit status or ours."""
    if not sys.platform.startswith("linux"):
        return _refuse("this is no Linux")
    bundle = Path(sys.argv[0]).resolve().parent
    try:
        _enter()
    except (OSError, AttributeError) as error:
        return _refuse(str(error))
    ready, told = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ready)
        _become(bundle, seconds, arguments, told)
    os.close(told)
    status = _wait(child, time.monotonic() + seconds)
    problem = os.read(ready, 1000)  # closed by exec: empty when the program was started
    if problem:
        return _refuse(problem.decode(errors="replace"))
    if status is None:
        return DEADLINE_PASSED
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status)


def _refuse(why: str) -> int:
    sys.stderr.write(f"{why}\n")
    return NO_ISOLATION


def _wait(child: int, deadline: float) -> int | None:
    """Return the wait status of `child`; None when it was killed at the deadline."""
    while time.monotonic() < deadline:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            return status
        time.sleep(0.02)
    os.kill(child, signal.SIGKILL)  # it is process 1 of its namespace: all others end with it
    os.waitpid(child, 0)
    return None


def _enter() -> None:
    """Move this process, and for processes its children, into namespaces of their own."""
    user, group = os.geteuid(), os.getegid()
    kinds = CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWPID | CLONE_NEWIPC
    before = os.stat("/proc/self/ns/net").st_ino  # noqa: PTH116 - a link that resolves to itself
    _call("unshare", kinds if user == 0 else kinds | CLONE_NEWUSER)
    if user != 0:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"{user} {user} 1")
        _write("/proc/self/gid_map", f"{group} {group} 1")
    _call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    if os.stat("/proc/self/ns/net").st_ino == before:  # noqa: PTH116
        raise OSError("the network is still the same")


def _become(bundle: Path, seconds: int, arguments: Sequence[str], told: int) -> None:
    """Turn this process into the isolated program; what does not work is written to `told`."""
    try:
        was_root = os.geteuid() == 0
        _change_root(bundle, was_root)
        _limit(seconds)
        _drop(was_root)
        _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        command = [sys.executable, "-I", "-B", "-W", "ignore", *arguments]
        os.execve(command[0], command, _environment())  # noqa: S606
    except BaseException as error:
        os.write(told, f"{type(error).__name__}: {error}"[:900].encode(errors="replace"))
    finally:
        os._exit(NO_ISOLATION)


def _environment() -> dict[str, str]:
    return {"PATH": "/usr/bin:/bin", "HOME": SCRATCH, "TMPDIR": SCRATCH, "LANG": "C.UTF-8",
            "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # fmt: skip


def _change_root(bundle: Path, was_root: bool) -> None:
    """Leave the file system for one that holds what a program needs and no more."""
    os.umask(0o022)
    root = Path("/tmp")  # noqa: S108 - only this process sees what is mounted there
    sources = {str(path): path.resolve() for path in _seen(bundle)}
    places = {path: os.open(source, os.O_PATH) for path, source in sources.items()}
    links = {path: Path(path).readlink() for path in FOLDERS if Path(path).is_symlink()}
    _call("mount", b"tmpfs", bytes(root), b"tmpfs", MS_NOSUID | MS_NODEV, b"mode=755,size=1m")
    for path in (SCRATCH, "/dev/shm"):  # noqa: S108 - first: Python may itself be below one
        _mount_scratch(root, path)
    for path, handle in places.items():
        inside = BUNDLE if path == str(bundle) else path
        _bind(handle, Path(f"{root}{inside}"), read_only=path not in DEVICES)
        os.close(handle)
    for path, target in links.items():
        if not Path(f"{root}{path}").exists():
            Path(f"{root}{path}").symlink_to(target)
    _mount_processes(root)
    _call("mount", None, bytes(root), None, MS_REMOUNT | MS_BIND | MS_RDONLY, None)
    os.chdir(root)
    _call("pivot_root", b".", b".")
    _call("umount2", b".", MNT_DETACH)
    os.chdir(SCRATCH)


def _seen(bundle: Path) -> list[Path]:
    """Return what of this file system is to be seen inside, outer folders first."""
    paths = sysconfig.get_paths()
    python = {sys.prefix, sys.base_prefix, *(paths[name] for name in ("stdlib", "platstdlib"))}
    python |= {paths[name] for name in ("purelib", "platlib")}
    plain = [path for path in FOLDERS if Path(path).is_dir() and not Path(path).is_symlink()]
    chosen = [*plain, *FILES, *DEVICES, *python]
    wanted = {Path(path) for path in chosen if Path(path).exists() and path != "/"}
    outer = [path for path in wanted if not any(parent in wanted for parent in path.parents)]
    return [*sorted(outer), bundle]


def _bind(handle: int, place: Path, read_only: bool) -> None:
    """Show an open file or folder at `place`."""
    source = f"/proc/self/fd/{handle}"
    if stat.S_ISDIR(os.fstat(handle).st_mode):
        place.mkdir(parents=True, exist_ok=True)
    else:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch()
    _call("mount", source.encode(), bytes(place), None, MS_BIND | MS_REC, None)
    if read_only:
        # What was forbidden on the file system before cannot be allowed by the second mount.
        flags = os.statvfs(place).f_flag & (MS_NODEV | MS_NOEXEC) | MS_NOSUID | MS_RDONLY
        _call("mount", None, bytes(place), None, MS_REMOUNT | MS_BIND | flags, None)


def _mount_scratch(root: Path, path: str) -> None:
    place = Path(f"{root}{path}")
    place.mkdir(parents=True, exist_ok=True)
    options = f"mode=1777,size={SCRATCH_SIZE}".encode()
    _call("mount", b"tmpfs", bytes(place), b"tmpfs", MS_NOSUID | MS_NODEV, options)


def _mount_processes(root: Path) -> None:
    """Show the processes of the new namespace; none where a container forbids it."""
    place = root / "proc"
    place.mkdir()
    try:
        _call("mount", b"proc", bytes(place), b"proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, None)
    except PermissionError:
        return


def _limit(seconds: int) -> None:
    for kind, most in {**LIMITS, resource.RLIMIT_CPU: seconds}.items():
        hard = resource.getrlimit(kind)[1]
        limit = most if hard == resource.RLIM_INFINITY else min(most, hard)
        resource.setrlimit(kind, (limit, limit))
    try:
        _write("/proc/self/oom_score_adj", "1000")  # the first to go where memory runs out
    except OSError:
        return


def _drop(was_root: bool) -> None:
    """Give up every privilege for good."""
    capability = 0
    libc = ctypes.CDLL(None, use_errno=True)
    while libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    if was_root:
        os.setgroups([])
        os.setresgid(NOBODY, NOBODY, NOBODY)
        os.setresuid(NOBODY, NOBODY, NOBODY)
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    _call("capset", ctypes.byref(header), ctypes.byref((ctypes.c_uint32 * 6)()))
    _call("prctl", PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:  # noqa: PTH123 - one write, without creating
        file.write(text)


def _call(name: str, *arguments: object) -> None:
    """Call a function of the C library; raises OSError where it fails."""
    function = getattr(ctypes.CDLL(None, use_errno=True), name)
    if function(*(_c(argument) for argument in arguments)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _c(argument: object) -> object:
    return ctypes.c_ulong(argument) if isinstance(argument, int) else argument
