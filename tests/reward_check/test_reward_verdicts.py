"""What the check says of good and bad rewards; each runs isolated, as in a forge's job."""

from __future__ import annotations

import pytest
from rewards import CASES, EQUAL, HEAD, ROOT, check, function, kinds, note

from runner.reward_check.here import check_rewards
from runner.spec.tree import WorkTree


def test_the_rewards_of_this_repository_are_sound():
    names = ("arithmetic", "dapo_math", "gsm8k", "math")
    rewards = {f"reward/{name}.py:compute_score": () for name in names}
    found = check_rewards(WorkTree(ROOT), rewards)
    assert [(one.table.verdict, one.faults) for one in found] == [("ok", ())] * 4
    assert {one.table.rows_from for one in found} == {"its own CASES"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("return 0.0", "constant"),
        ("return 1.0", "constant"),
        ("return float(bool(solution_str.strip()))", "always_right"),
        ("return float(solution_str == 'yes')", "rejects_truth"),
        ("return 1 / (len(solution_str) - 2)", "raises"),
        ("return float('nan') if not solution_str else 1.0", "raises"),
        ("return None if not solution_str else 1.0", "raises"),
        ("return {'acc': 1.0}", "raises"),
        ("return '1.0' if solution_str == ground_truth else '0.0'", "raises"),
        ("raise SystemExit", "raises"),
        ("import os\nos._exit(0)", "stopped"),
        ("import ctypes\nctypes.string_at(0)", "stopped"),
        ("return 1.0 if ground_truth in solution_str else 0.5", "cases"),
        ("return undefined", "raises"),
    ],
)
def test_a_reward_that_cannot_teach_is_bad(body, kind):
    found = check(function(body))
    assert found.table.verdict == "bad"
    assert kind in kinds(found), found


def test_a_mistake_that_is_caught_is_told_with_its_line():
    source = "try:\n    return float(answre(solution_str) == ground_truth)\n"
    source += "except Exception:\n    return 0"
    found = check(function(source))
    assert found.table.verdict == "bad"
    assert "NameError: name 'answre' is not defined (line 6)" in note(found, "swallows")
    assert note(found, "swallows_all").endswith(
        "line 7 catches every exception: mistakes earn a score"
    )


def test_catching_everything_is_a_note_where_the_reward_works():
    body = (
        "try:\n    return float(int(solution_str) == int(ground_truth))\n"
        "except Exception:\n    return 0.0"
    )
    found = check(function(body))
    assert (found.table.verdict, kinds(found)) == ("note", {"swallows_all"})
    narrow = check(function(body.replace("Exception", "ValueError")))
    assert (narrow.table.verdict, kinds(narrow)) == ("ok", set())


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ("import random\nreturn (solution_str == ground_truth) * random.uniform(.9, 1)", "random"),
        ("print('x' * 100)\nreturn float(solution_str == ground_truth)", "prints"),
        ("import time\ntime.sleep(.06)\nreturn float(solution_str == ground_truth)", None),
    ],
)
def test_what_is_worth_a_look_is_a_note(body, kind):
    source = function(body).replace(CASES, "") if kind == "random" else function(body)
    found = check(source, seconds=20)
    assert (found.table.verdict, kinds(found)) == ("note" if kind else "ok", {kind} - {None})


def test_a_slow_reward_is_told_from_one_that_hangs():
    slow = check(function("import time\ntime.sleep(1.1)\nreturn float(solution_str == '42')"))
    assert "slow" in kinds(slow)
    assert slow.table.verdict == "note"
    hangs = check(function("while solution_str == '42':\n    pass\nreturn 0.0"))
    assert hangs.table.verdict == "bad"
    assert "does not return" in note(hangs, "stopped")


def test_coroutines_and_mappings_are_rewards_too():
    source = EQUAL.replace("def ", "async def ").replace("return float(", "return {'score': float(")
    found = check(CASES + source.replace("(ground_truth))", "(ground_truth))}"))
    assert (found.table.verdict, found.faults) == ("ok", ())


def test_without_cases_the_usual_forms_are_tried():
    boxed = EQUAL.replace("== str(ground_truth)", "== '\\\\boxed{' + str(ground_truth) + '}'")
    found = check(boxed)
    assert found.table.verdict == "ok"
    assert "made-up" in found.table.rows_from
    assert found.table.rows[0][1:3] == ("right", "1.00")
    odd = check(EQUAL.replace("== str(", "== 'ANSWER IS ' + str("))
    assert "write CASES" in note(odd, "constant")


def test_cases_that_are_computed_are_read_where_they_may_run():
    computed = "CASES = [(str(n), str(n), 1.0) for n in range(3)] + [('x', '1', 0.0)]\n" + EQUAL
    found = check(computed)
    assert (found.table.rows_from, found.table.count) == ("its own CASES", 3)
    assert found.table.verdict == "ok"


def test_what_it_imports_is_bundled_and_a_missing_package_is_no_fault():
    source = f"from tools import same\n{CASES}{HEAD}    return same(solution_str, ground_truth)\n"
    assert check(source, tools="def same(a, b): return float(a == b)\n").table.verdict == "ok"
    missing = check("import no_such_package\n" + CASES + EQUAL)
    assert missing.table.verdict == "note"
    assert missing.table.error == "not checked: imports no_such_package, which is not here"
    assert "importing it raised ZeroDivisionError" in note(check("1 / 0\n" + EQUAL), "imports")
