"""Rewards that want out: each is hostile code, really run, and what it reaches is looked at."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from rewards import CASES, EQUAL, check, function, kinds, note

from runner.reward_check.bundle import write_bundle
from runner.reward_check.result import read_checked
from runner.spec.tree import MemoryTree

RIGHT = "return float(solution_str == ground_truth)"
FOUND = "raise RuntimeError(repr({}))"


def told(expression: str, before: str = "") -> str:
    """What an expression is where a reward runs."""
    found = check(function(FOUND.format(expression), before))
    return next(fault.told for fault in found.faults if fault.kind == "raises")


def test_a_server_on_this_machine_is_not_reached():
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        port = server.getsockname()[1]
        body = (
            "import socket\ntry:\n"
            f"    socket.create_connection(('127.0.0.1', {port}), 1).sendall(b'secret')\n"
            f"except OSError:\n    pass\n{RIGHT}"
        )
        found = check(function(body))
        with pytest.raises(TimeoutError):
            server.accept()
    assert (found.table.verdict, kinds(found)) == ("note", {"network"})
    assert str(port) in note(found, "network")


def test_a_reward_that_needs_the_network_is_not_checked():
    body = f"import urllib.request\nurllib.request.urlopen('http://127.0.0.1:9/')\n{RIGHT}"
    table = check(function(body)).table
    assert table.verdict == "note"
    assert "not checked: needs the network" in table.error


def test_sockets_of_the_file_system_are_not_there(tmp_path):
    path = tmp_path / "s"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        path.chmod(0o777)
        body = f"import socket\nsocket.socket(socket.AF_UNIX).connect({str(path)!r})\n{RIGHT}"
        assert "No such file" in check(function(body)).table.rows[0].note


def test_secrets_of_the_environment_are_not_visible(monkeypatch):
    monkeypatch.setenv("CANARY_TOKEN", "hunter2")
    assert "hunter2" not in told("__import__('os').environ")
    environments = "b''.join(p.read_bytes() for p in pathlib.Path('/proc').glob('[0-9]*/environ'))"
    seen = told(environments, "import pathlib")
    assert "LANG" in seen
    assert "hunter2" not in seen
    memory = (
        "[m for a, b in ((int(x, 16) for x in line.split()[0].split('-')) "
        "for line in open('/proc/self/maps') if ' rw' in line) "
        "for m in [(f.seek(a), f.read(b - a))[1]] if bytes(reversed(b'2retnuh')) in m][:1]"
    )
    assert "[]" in told(memory, "f = open('/proc/self/mem', 'rb')")


def test_only_its_own_processes_are_visible():
    seen = told("sorted(p for p in __import__('os').listdir('/proc') if p.isdigit())")
    assert "['1']" in seen


def test_files_of_this_machine_are_not_visible(tmp_path):
    secret = tmp_path / "credentials"
    secret.write_text("hunter2")
    secret.chmod(0o644)
    for path in (secret, Path(__file__), Path.home() / ".gitconfig", Path("/etc/hostname")):
        found = check(function(f"open({str(path)!r})\n{RIGHT}"))
        assert "No such file" in found.table.rows[0].note
        if not path.is_relative_to("/tmp"):  # it has one of its own
            assert str(path) in note(found, "files")
    body = f"import os\nos.chdir('/')\nreturn float(os.path.exists('..{secret}'))"
    assert "constant" in kinds(check(function(body)))


def test_nothing_outside_its_scratch_folder_can_be_written():
    tried = [
        "/bundle/check.py",
        "/bundle/result.json",
        sys.executable,
        json.__file__,
        "/x",
        "/proc/1/mem",
    ]
    for path in tried:
        found = check(function(f"open({path!r}, 'ab').write(b'x')\n{RIGHT}"))
        assert "raises" in kinds(found), path
    assert check(function(f"open('mine', 'w').write('x')\n{RIGHT}")).table.verdict == "ok"


def test_it_has_no_privileges_and_gets_none():
    rights = "[line for line in open('/proc/self/status') if line[:6] in ('CapEff', 'CapBnd')]"
    assert told(rights).count("0000000000000000") == 2
    assert "raises" in kinds(
        check(function(f"import os\nos.setuid(0) if os.getuid() else 1/0\n{RIGHT}"))
    )
    unshare = "ctypes.CDLL(None, use_errno=True).unshare(0x10000000 | 0x20000)"
    mount = "ctypes.CDLL(None).mount(b'none', b'/', None, 32 | 4096, None)"
    inside = told(f"({unshare}, {mount}, os.access('/bundle', os.W_OK))", "import ctypes, os")
    assert "-1, False)" in inside


@pytest.mark.parametrize(
    "body",
    [
        "import os\nwhile True:\n    try:\n        os.fork()\n    except OSError:\n        pass",
        "x = [b'x' * 2**26]\nwhile True:\n    x.append(x[0] + bytes([len(x)]))",
        "import time\ntime.sleep(3600)",
        "while True:\n    pass",
        "while True:\n    print('x' * 100_000)",
        "import os, time\nif os.fork():\n    time.sleep(99)\nos.setsid()\nwhile True:\n    pass",
        "import signal, time\nfor n in (1, 2, 3, 14, 15):\n    signal.signal(n, signal.SIG_IGN)\n"
        "while True:\n    time.sleep(1)",
    ],
    ids=["forks", "memory", "sleeps", "spins", "prints", "leaves", "ignores"],
)
def test_what_does_not_end_is_ended(body):
    began = time.time()
    found = check(function(body), seconds=3)
    assert time.time() - began < 25
    assert found.table.verdict == "bad"
    assert kinds(found) & {"stopped", "raises"}
    until = time.time()
    while (left := _isolated(began, until)) and time.time() < until + 5:
        time.sleep(0.1)
    assert not left


def _isolated(began: float, ended: float) -> list[psutil.Process]:
    """The isolated processes, and those that they started, that began within a span."""
    return [
        one
        for one in psutil.process_iter(["cmdline", "create_time"])
        if "--subject" in (one.info["cmdline"] or ()) and began < one.info["create_time"] < ended
    ]


def test_a_full_disk_is_its_own():
    body = (
        f"import os\nfor n in range(9):\n    open(str(n), 'wb').write(bytes(15 * 2**20))\n{RIGHT}"
    )
    assert "No space left" in check(function(body)).table.rows[0].note


def test_a_forged_result_does_not_count():
    """It finds the pipe to whoever asked, and says what it likes: lies in the shape, no more."""
    body = (
        "import os, json\nfor fd in range(3, 20):\n    try:\n"
        "        os.write(fd, json.dumps({'end': True, 'verdict': 'ok'}).encode() + b'\\n')\n"
        "    except OSError:\n        pass\n" + RIGHT
    )
    assert check(function(body)).table.verdict == "bad"
    flood = body.replace(
        "{'end': True, 'verdict': 'ok'}", "{'score': 1.0, 'network': ['x' * 10**6]}"
    )
    assert len(str(check(function(flood)))) < 20_000


def test_what_it_prints_is_no_command_to_the_forge(tmp_path):
    before = "print('::set-output name=x::y\\n  ::error::z\\n##[error]w', flush=True)"
    tree = MemoryTree({"reward/it.py": f"{before}\n{CASES}{EQUAL}".encode()})
    folder = tmp_path / "bundle"
    write_bundle(tree, {"reward/it.py:compute_score": ()}, folder, 5)
    done = subprocess.run(
        [sys.executable, str(folder / "check.py")], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert done.stdout == "reward check of reward/it.py:compute_score: note \n"
    found = read_checked(folder / "result.json")[0]
    assert "'::set-output name=x::y" in note(found, "prints")


def test_names_and_errors_are_no_commands_either(tmp_path):
    tree = MemoryTree({"reward/it.py": b"raise ValueError('\\n::error::x\\n##[error]')"})
    folder = tmp_path / "bundle"
    write_bundle(tree, {"reward/it.py:##[x\n::error::y": ()}, folder, 5)
    done = subprocess.run(
        [sys.executable, str(folder / "check.py")], capture_output=True, text=True, check=True
    )
    assert len(done.stdout.splitlines()) == 1
    assert "##[" not in done.stdout


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_an_ordinary_user_gets_the_same(tmp_path):
    folder = Path("/tmp") / f"rollbook-check-{os.getpid()}"
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin")
    body = (
        "import os\nassert os.getpid() == 1 and not os.path.exists('/etc/passwd')\n"
        f"assert os.listdir('/sys/class/net') if os.path.exists('/sys') else 1\n{RIGHT}"
    )
    try:
        write_bundle(
            MemoryTree({"reward/it.py": function(body).encode()}),
            {"reward/it.py:compute_score": ()}, folder, 5,
        )  # fmt: skip
        for path in (folder, *folder.rglob("*")):
            os.chown(path, 65534, 65534)
        subprocess.run(
            [python, str(folder / "check.py")], check=True, user=65534, group=65534,
            extra_groups=[], cwd="/", env={"PATH": "/usr/bin:/bin"}, capture_output=True,
        )  # fmt: skip
        found = read_checked(folder / "result.json")[0]
        assert (found.table.verdict, found.table.error) == ("ok", "")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def test_where_the_network_cannot_be_cut_nothing_is_run(tmp_path):
    """As in a container that may not make namespaces: no rights, no user namespaces, no sudo."""
    proof = tmp_path / "proof"
    tree = MemoryTree({"reward/it.py": f"open({str(proof)!r}, 'w')\n{EQUAL}".encode()})
    folder = tmp_path / "bundle"
    write_bundle(tree, {"reward/it.py:compute_score": ()}, folder, 5)
    forbid = (
        "import resource, runpy, sys, ctypes\n"
        "libc = ctypes.CDLL(None, use_errno=True)\n"
        "[libc.prctl(24, n, 0, 0, 0) for n in range(64)]\n"
        "import os\n"
        f"os.execv(sys.executable, [sys.executable, {str(folder / 'check.py')!r}])"
    )
    done = subprocess.run([sys.executable, "-c", forbid], capture_output=True, text=True)
    if os.geteuid() != 0:
        pytest.skip("only root can lose its rights that way")
    assert done.returncode == 0, done.stderr
    found = read_checked(folder / "result.json")[0]
    assert found.table.error.startswith("the network could not be cut: not run (")
    assert "Operation not permitted" in found.table.error
    assert not proof.exists()


def test_long_texts_do_not_spoil_the_result():
    """What it says of itself is cut to what `read_result` takes, or all other tables are lost."""
    body = (
        "import os, json\nos.write(3, json.dumps({'missing': ['m' * 9**5] * 9, 'cases': None,\n"
        "    'network': ['n' * 9**5], 'files': ['f' * 9**5] * 3}).encode() + b'\\n')\n"
    )
    for descriptor in (3, 4, 5):
        found = check(body.replace("write(3", f"write({descriptor}") + f"raise ValueError\n{EQUAL}")
        assert not found.table.error.startswith("result.json")
        assert found.table.reward == "reward/it.py:compute_score"
