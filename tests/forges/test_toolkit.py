"""What a job prints and writes for GitHub, read as the job's runner reads it."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from runner.errors import OutsideError
from runner.findings import Finding
from runner.forges import toolkit

HOSTILE = (
    "fine\n::set-output name=try::pwned\r\n::add-mask::e\r::error::x\n"
    "##[add-mask]e%0A::stop-commands::x,file=a::b\x1b[31m\x00\u2028::warning::y"
)


class Command(NamedTuple):
    name: str
    properties: dict[str, str]
    message: str


def commands(printed: str) -> list[Command]:
    """Return the workflow commands of a log, by the rules of GitHub's runner."""
    found = []
    for line in re.split(r"\r\n|\r|\n", printed):
        match = re.match(r"::([^\s:]+)(?: (.*?))?::(.*)$", line.strip(), re.DOTALL)
        if match is None:
            assert not line.lstrip().startswith("::")
            assert "##[" not in line
            continue
        pairs = (pair.split("=", 1) for pair in (match[2] or "").split(",") if pair)
        properties = {key: _unescaped(value) for key, value in pairs}
        found.append(Command(match[1], properties, _unescaped(match[3])))
    return found


def _unescaped(text: str) -> str:
    for escape, sign in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(escape, sign)
    return text


def finding(level="error", number=1, **changes) -> Finding:
    plain = Finding(
        "experiments/a.yaml", number, 3, "model.path", "spec.type", level, "no number", "write 1"
    )
    return plain._replace(**changes)


@pytest.fixture
def job(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    for variable in ("GITHUB_STEP_SUMMARY", "GITHUB_OUTPUT"):
        (tmp_path / variable).touch()
        monkeypatch.setenv(variable, str(tmp_path / variable))
    return tmp_path


@pytest.fixture
def no_job(monkeypatch, job):
    monkeypatch.delenv("GITHUB_ACTIONS")
    return job


def test_an_error_and_a_hint_stand_beside_their_lines(job, capsys):
    toolkit.annotate([finding(), finding("hint", 7)])

    error, warning = commands(capsys.readouterr().out)

    assert (error.name, warning.name) == ("error", "warning")
    assert error.message == "no number\nwrite 1"
    assert error.properties == {
        "title": "spec.type",
        "file": "experiments/a.yaml",
        "line": "1",
        "endLine": "1",
        "col": "3",
        "endColumn": "3",
    }
    assert warning.properties["line"] == "7"


def test_what_is_over_githubs_limit_is_counted(job, capsys):
    toolkit.annotate([finding("hint", n) for n in range(1, 13)])
    toolkit.annotate([finding("error", n) for n in range(1, 15)] + [finding("hint")])

    found = commands(capsys.readouterr().out)

    assert [c.name for c in found] == (
        ["warning"] * 10 + ["notice"] + ["error"] * 10 + ["warning", "notice"]
    )
    assert found[10].message.startswith("0 more errors and 2 more hints")
    assert found[-1].message.startswith("4 more errors and 0 more hints")


@pytest.mark.parametrize("field", ["message", "cure", "path", "rule"])
def test_hostile_text_stays_text(job, capsys, field):
    toolkit.annotate([finding(**{field: HOSTILE})])

    (only,) = commands(capsys.readouterr().out)

    assert only.name == "error"
    assert set(only.properties) == {"title", "file", "line", "endLine", "col", "endColumn"}
    assert only.properties["line"] == "1"
    shown = {
        "message": only.message,
        "cure": only.message,
        "path": only.properties["file"],
        "rule": only.properties["title"],
    }
    assert "::set-output name=try::pwned" in shown[field]
    assert not re.search("[\x00\x1b\r\u2028]", shown[field])


def test_a_hostile_notice_is_one_notice(job, capsys):
    toolkit.notice(HOSTILE)

    assert [c.name for c in commands(capsys.readouterr().out)] == ["notice"]


def test_a_secret_is_masked_once_and_an_empty_one_not(job, capsys):
    toolkit.mask("abc\ndef")
    toolkit.mask(" \n")

    assert commands(capsys.readouterr().out) == [Command("add-mask", {}, "abc\ndef")]


def test_outputs_keep_their_lines_apart(job, capsys):
    toolkit.set_output("try", "a\nrefused=false\nghadelimiter_x\nb")
    toolkit.set_output("refused", "true")

    assert outputs((job / "GITHUB_OUTPUT").read_text()) == {
        "try": "a\nrefused=false\nghadelimiter_x\nb",
        "refused": "true",
    }
    assert capsys.readouterr().out == ""


def outputs(text: str) -> dict[str, str]:
    """Return the outputs in a job's file, by GitHub's rules: name<<end, lines, end."""
    found, lines = {}, iter(text.splitlines())
    for line in lines:
        name, end = line.split("<<", 1)
        value = []
        while (line := next(lines)) != end:
            value.append(line)
        found[name] = "\n".join(value)
    return found


def test_summaries_add_up(job):
    toolkit.summarize("# Plan")
    toolkit.summarize("more \ud800")

    assert (job / "GITHUB_STEP_SUMMARY").read_text() == "# Plan\nmore ?\n"


def test_a_long_summary_is_cut_at_a_paragraph_with_its_folds_closed(job):
    toolkit.summarize("a first part")
    paragraph = "<details>\n\n```yaml\n" + "ä" * 700
    toolkit.summarize("\n\n".join(["head", paragraph, *["word " * 100] * 4000]))

    written = (job / "GITHUB_STEP_SUMMARY").read_bytes()

    assert toolkit.SUMMARY_LIMIT - 1500 < len(written) <= toolkit.SUMMARY_LIMIT
    end = written.decode()[-200:]
    assert end.endswith("word \n```\n</details>" + toolkit.CUT_NOTE + "\n")


def test_nothing_is_left_of_a_summary_that_does_not_fit_at_all():
    assert toolkit.cut("a\n\nb" * 100, 0) == ""
    assert toolkit.cut("a" * 300, 250).strip() == toolkit.CUT_NOTE.strip()


def test_a_job_without_the_file_says_so(job):
    (job / "GITHUB_OUTPUT").unlink()

    with pytest.raises(OutsideError, match="GITHUB_OUTPUT"):
        toolkit.set_output("a", "b")


def test_what_is_printed_while_commands_are_stopped_is_between_the_two_marks(job, capsys):
    with toolkit.commands_stopped():
        print("::error::from a spec", end="")
    toolkit.notice("ours")

    first, *between, last, ours, _ = capsys.readouterr().out.split("\n")

    token = first.removeprefix("::stop-commands::")
    assert len(token) == 32
    assert between == ["::error::from a spec"]
    assert last == f"::{token}::"
    assert ours == "::notice::ours"


def test_outside_of_a_job_nothing_happens(no_job, capsys):
    toolkit.annotate([finding()])
    toolkit.notice("a")
    toolkit.mask("secret")
    toolkit.set_output("a", "b")
    toolkit.summarize("c")
    with toolkit.commands_stopped():
        pass

    assert capsys.readouterr() == ("", "")
    assert (no_job / "GITHUB_STEP_SUMMARY").read_text() == ""
    assert (no_job / "GITHUB_OUTPUT").read_text() == ""
