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
from runner.reward_check.here import check_rewards
from runner.reward_check.result import Checked, read_checked
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


FORGED = {
    "a number for a list": "'network': 1, 'files': True",
    "objects for lists": "'network': {'a': 1}, 'files': [[1], {}, None]",
    "seconds of 400 digits": "'score': 1.0, 'seconds': 10**400",
    "negative seconds": "'score': 1.0, 'seconds': -10**9",
    "no number of seconds": "'score': 1.0, 'seconds': float('nan')",
    "a score of 400 digits": "'score': 10**400, 'seconds': 1",
    "no texts": "'problem': [[1]], 'swallowed': {'a': 10**400}",
    "nested": "'problem': eval('[' * 90 + ']' * 90)",
}


@pytest.mark.parametrize("reply", FORGED.values(), ids=FORGED)
def test_a_forged_reply_costs_no_other_reward_its_table(reply):
    body = (
        "import os, json\nfor fd in range(3, 20):\n    try:\n"
        f"        os.write(fd, json.dumps({{{reply}}}).encode() + b'\\n')\n"
        "    except OSError:\n        pass\n" + RIGHT
    )
    forged, honest = check_all(function(body), f"{CASES}{EQUAL}", seconds=5)
    assert honest.table.verdict == "ok"
    assert forged.table.verdict in ("bad", "note")


GREETINGS = {
    "missing": {"missing": 1},
    "cases": {"cases": [["42", "42", 10**400]]},
    "nested": {"cases": [["42", [[]] * 50, 1.0], ["41", {}, 0.0]]},
    "problem": {"problem": {"a": [1]}},
}


@pytest.mark.parametrize("greeting", GREETINGS.values(), ids=GREETINGS)
def test_a_forged_greeting_costs_no_other_reward_its_table(greeting):
    before = (
        "import os\nfor fd in range(3, 20):\n    try:\n"
        f"        os.write(fd, {json.dumps(greeting)!r}.encode() + b'\\n')\n"
        "    except OSError:\n        pass\n"
    )
    _forged, honest = check_all(function(RIGHT, before), f"{CASES}{EQUAL}", seconds=5)
    assert honest.table.verdict == "ok"


def test_cases_with_scores_that_no_float_holds_are_none():
    found = check(f"CASES = [('42', '42', 10**400), ('43', '42', 0.0)]\n{EQUAL}")
    assert found.table.rows_from.startswith("made-up numbers")


def test_all_rewards_together_have_an_end(monkeypatch):
    monkeypatch.setattr(sys.modules[write_bundle.__module__], "SECONDS_OF_ALL", 3)
    hangs = function("while True:\n    pass")
    first, second, third = check_all(hangs, hangs, f"{CASES}{EQUAL}", seconds=2)
    assert kinds(first) == {"stopped"}
    for late in (second, third):
        assert late.table.verdict == "note"
        assert late.table.error.startswith("not reached: the ")


def check_all(*sources: str, seconds: int) -> list[Checked]:
    """The results for several rewards, checked by one program in their order."""
    files = {f"reward/r{n}.py": source.encode() for n, source in enumerate(sources)}
    rewards: dict[str, tuple[str, ...]] = {f"{path}:compute_score": () for path in files}
    return list(check_rewards(MemoryTree(files), rewards, seconds))


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
