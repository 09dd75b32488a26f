"""Plan comments of real plans against golden files, and of hostile ones by what becomes of them.

After a wanted change write the golden files anew, and read the difference:

UPDATE_GOLDEN=1 python -m pytest tests/report/test_plan_comment.py
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from comment_html import CommentHtml
from plan_requests import BASE, GRPO, HEAD, REQUESTS, REWARD, Request, link, registry, request
from real_git import MakeRepository

from runner.findings import Finding
from runner.forecast.cost import Cost
from runner.forecast.span import Span
from runner.forges.base import COMMENT_LIMIT, DESCRIPTION_LIMIT
from runner.planning.actions import Action, Plan, Use
from runner.report.plan.about import About
from runner.report.plan.comment import (
    MARKER,
    WHOLE_LIMIT,
    carried_rewards,
    headline,
    plan_comment,
    whole_plan,
)
from runner.report.plan.reward import RewardRow, RewardTable
from runner.spec.identity import Change

GOLDEN = Path(__file__).parent / "golden" / "plan"
LINES = 20
"""Lines that are unfolded at most: about fifteen, with a mended line and what is held."""

Make = Callable[[str], Request]


@pytest.fixture
def made(make_repository: MakeRepository) -> Make:
    return lambda name: REQUESTS[name](make_repository(name))


def about(**values: object) -> About:
    known = {"number": 214, "head": HEAD, "base": BASE, "link": link, **values}
    return About(**known)  # type: ignore[arg-type]


def action(verb: str = "launch", **values: Any) -> Action:
    first = {"experiment": "x", "run_id": "0" * 12, "seed": 1, "action": verb, "reason": "new"}
    return Action(**{**first, "point": {}, **values})


def plan(*actions: Action, **values: object) -> Plan:
    known = {"head": HEAD, "base": BASE, "uncommitted": False, "digest": "d" * 64, **values}
    return Plan(**{**known, "actions": actions})


def unfolded(comment: str) -> list[str]:
    """Return the lines of Markdown that are seen at once."""
    seen = re.sub(r"<details>.*?</details>", "<details>", comment, flags=re.DOTALL)
    return [line for line in seen.splitlines()[1:] if line and not line.startswith("<")]


# Real plans


@pytest.mark.parametrize("name", REQUESTS)
def test_the_comment(name: str, made: Make) -> None:
    text = plan_comment(*made(name))
    path = GOLDEN / f"{name}.md"
    if os.environ.get("UPDATE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8"), "UPDATE_GOLDEN=1 writes it anew"
    assert len(unfolded(text)) <= LINES
    assert CommentHtml(text).misnested == []


def test_a_mended_line_stands_beside_the_one_that_is_there(made: Make) -> None:
    comment = plan_comment(*made("misspelt"))
    assert "```diff\n-algorithm: {name: grpo, groupsize: 5, " in comment
    assert "\n+algorithm: {name: grpo, group_size: 5, " in comment


def test_a_batch_that_does_not_divide_has_a_mended_line_too(made: Make) -> None:
    comment = plan_comment(*made("does-not-divide"))
    assert "+training: {prompts_per_update: 256}" in comment


def test_the_whole_has_at_least_what_the_comment_has(made: Make) -> None:
    found = made("new")
    comment, whole = plan_comment(*found), whole_plan(*found)
    assert len(whole) >= len(comment)
    assert whole.splitlines()[0] == comment.splitlines()[0]


def test_what_was_found_of_rewards_is_carried_over(made: Make) -> None:
    found = made("new")
    told = plan_comment(*found)
    carried = carried_rewards(told)
    assert "right number, other format" in carried
    again = plan_comment(found.plan, found.about._replace(rewards=(), carried=carried))
    assert carried_rewards(again).strip() == carried.strip()
    assert CommentHtml(again).misnested == []
    assert carried_rewards(plan_comment(*made("queued"))) == ""


def test_a_check_that_goes_on_says_so(made: Make) -> None:
    found = made("queued")
    running = plan_comment(found.plan, found.about._replace(rewards=None))
    assert "Reward check: running" in running
    assert "Reward check" not in plan_comment(*found)


def test_a_reward_that_could_not_be_checked_says_why() -> None:
    table = RewardTable("r.py:f", "its own cases", 0, 0.2, "bad", (), error="ImportError: no sums")
    comment = plan_comment(plan(action()), about(rewards=(table,)))
    assert "could not run" in comment
    assert "ImportError: no sums" in comment


def test_a_reward_that_is_not_sound_comes_first() -> None:
    row = RewardRow("empty", "0", "1.00", "bad", "everything is right")
    table = RewardTable("r.py:f", "its own cases", 20, 0.2, "bad", (row,))
    comment = plan_comment(plan(action()), about(rewards=(table,)))
    (seen,) = [line for line in unfolded(comment) if line.startswith("- ")]
    assert seen == "- ❌ `r.py:f`: empty is scored 1.00, not 0. everything is right"


# The headline, which is the status too


def cost(low: float, high: float) -> dict[str, object]:
    return {"gpu_hours": Span(low=low, high=high), "cost": Cost(low=3 * low, high=3 * high)}


@pytest.mark.parametrize(
    ("actions", "said"),
    [
        ([action(**cost(20, 30))] * 3, "launches 3 runs: about $180–270, 60–90 GPU-h"),
        (
            [action(**cost(20, 30)), action(seed=2)],
            "launches 2 runs: about $60–90, 20–30 GPU-h for 1 of them",
        ),
        ([action("refuse", reason="no such key")], "refused: no such key"),
        (
            [action("refuse", reason="no"), action("refuse", experiment="y"), action()],
            "refused: no (and 1 more experiment); launches 1 run",
        ),
        (
            [
                action(
                    "hold",
                    lifted_by="owner",
                    reason="new; $80 more would make $90 of $50 this month; "
                    "one of alice, bob may lift it: runner launch x",
                )
            ],
            "1 held for alice, bob: $80 more would make $90 of $50 this month",
        ),
        ([action("hold", lifted_by="writer")], "1 held until launched by hand"),
        ([action("stale"), action("wait")], "1 waiting for another run; 1 stale"),
        ([action("orphan", reason="its spec was edited, running; it is cancelled")],
         "cancels 1 running"),
        ([action("keep")], "nothing to do: 1 run as planned"),
        ([], "nothing to do"),
    ],
)  # fmt: skip
def test_the_headline(actions: list[Action], said: str) -> None:
    assert headline(plan(*actions), ("alice", "bob")) == said


def test_the_headline_fits_a_status() -> None:
    long = headline(plan(action("refuse", reason="\u202eno\n " * 100_000)))
    assert len(long) <= DESCRIPTION_LIMIT
    assert long.isprintable()


# What a person has to see


def test_seeds_are_one_row_and_stale_ones_one_per_cause(made: Make) -> None:
    rows = [line for line in plan_comment(*made("new")).splitlines() if line.startswith("| ")]
    assert next(row for row in rows if "launch" in row).count("3&nbsp;seeds") == 1
    (stale,) = [row for row in rows if "stale" in row]
    assert " and 2 more " in stale
    assert "training data md5:00000000 → md5:77777777" in stale


def test_an_edit_says_what_differs_and_what_it_makes_obsolete(made: Make) -> None:
    first, second = [
        line for line in plan_comment(*made("changed")).splitlines() if GRPO in line and "|" in line
    ]
    assert "learning_rate 1e-06 → 5e-07 (run again)" in first
    assert "\\$31.50 spent" in second


def test_owners_are_named_and_not_mentioned(made: Make) -> None:
    comment = plan_comment(*made("held"))
    assert "`alice` or `bob`" in comment
    assert "@alice" not in comment
    assert "/runner launch gsm8k/" in comment


def test_what_holds_a_run_back_is_strong() -> None:
    reason = "new; $80 more would make $90 of $50 this month; alice may lift it: runner launch x"
    uses = (
        Use(ceiling="launches_per_apply", used=0, planned=1, limit=10),
        Use(ceiling="usd_per_month", used=10, planned=0, limit=50),
    )
    held = action("hold", lifted_by="owner", reason=reason)
    comment = plan_comment(plan(held, policy=uses), about())
    assert "1 of 10 launches · **\\$10 of \\$50 this month**" in comment


def test_at_most_three_hints_are_seen_the_dearest_first() -> None:
    rules = ["spec.idle", "model.pinned", "batch.leftover", "signal.groups", "memory.tight"]
    found = tuple(Finding("experiments/x.yaml", 3, 1, "k", r, "hint", "m", "c") for r in rules)
    comment = plan_comment(plan(action(findings=tuple(found))), about())
    seen = [line for line in unfolded(comment) if line.startswith("- ")]
    assert [re.findall(r"`([a-z.]+)`$", line)[0] for line in seen] == [
        "memory.tight",
        "signal.groups",
        "batch.leftover",
    ]
    assert f"{HEAD}/experiments/x.yaml#L3" in seen[0]


def test_nothing_to_do_is_one_line(made: Make) -> None:
    comment = plan_comment(*made("nothing"))
    assert unfolded(comment) == ["✅ Nothing to do: 3 runs as planned."]


def test_a_change_of_the_policy_alone_is_seen(made: Make) -> None:
    plan, about = made("nothing")
    note = "this changes the policy; what it permits counts from the apply after, the rest at once"
    changed = plan._replace(notes=(note,))
    assert headline(changed) == "this changes the policy"
    comment = plan_comment(changed, about)
    assert "Merging this launches nothing: this changes the policy" in comment
    assert note in comment


def test_a_merge_queue_has_no_number_and_no_comments_to_write(made: Make) -> None:
    comment = plan_comment(*made("queued"))
    assert comment.startswith(f"{MARKER}digest=")
    assert "/runner" not in comment
    assert "edited in place" not in comment


# Hostile text

HOSTILE = [
    "@octocat and @org/team and #1 and GH-1 and org/repo#1",
    "<!-- rollbook:plan:v1 pr=1 digest=0 head=0 base=0 -->",
    "\n<!-- rollbook:plan:v1 pr=1 -->\n",
    "\n\n<!-- rollbook:rewards -->\n\n@octocat\n\n<!-- /rollbook:rewards -->\n\n",
    "</details></summary></sub><h1>x</h1>",
    "a | b \\| c",
    "`` ` ``` x `@octocat`",
    "one ` two",
    "${{ github.token }}",
    "[x](javascript:alert(1)) ![x](https://example.invalid/x.png) <https://example.invalid>",
    "https://example.invalid www.example.invalid mail@example.invalid",
    "\u202etxt.\u2066exe\u200b\u0007\x1b[31m",
    "<script>alert(1)</script><img src=x onerror=alert(1)><style>*{display:none}</style>",
    "[x]: https://example.invalid\n\n[x]",
    "- [ ] a\n# b\n> c\n1. d\n---\n===",
    "$\\sqrt{2}$ :rocket: ~~x~~ **y** __z__",
    "&lt;b&gt; &#64;octocat &commat;octocat",
]
TAGS = {
    "h3", "p", "table", "thead", "tbody", "tr", "th", "td", "a", "code", "pre", "strong", "ul",
    "li", "sub", "br", "details", "summary",
}  # fmt: skip


def hostile_plan(text: str) -> Request:
    """Return a plan with `text` wherever text of unknown origin may stand."""
    finding = Finding("experiments/x.yaml", 1, 1, text, text, "hint", text, text, text)
    error = finding._replace(level="error", rule="spec.value")
    change = Change(text, text, text, True)
    values = {
        "reason": text,
        "trainer": text,
        "point": {text: text},
        "changes": (change,),
        "findings": (finding, error),
    }
    verbs = ("launch", "hold", "stale", "wait", "keep", "orphan", "refuse")
    actions = [action(verb, experiment=f"{text}/{verb}", **values) for verb in verbs]
    actions.append(action("hold", lifted_by="owner", reason=f"{text}; {text}; {text}"))
    uses = (Use(ceiling=text, used=1, planned=1, limit=1),)
    row = RewardRow(text, text, text, "bad", text)
    tables = [RewardTable(text, text, 1, 1.0, "bad", (row,), error) for error in ("", text)]
    known = about(
        owners=(text,), version=text, complete=link("plan.json", None), rewards=tuple(tables),
        read=lambda path: text.encode("utf-8", "replace"),
    )  # fmt: skip
    return Request(plan(*actions, policy=uses, notes=(text,)), known)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("tell", [plan_comment, whole_plan])
def test_text_of_a_spec_stays_text(text: str, tell: Callable[..., str]) -> None:
    found = hostile_plan(text)
    comment = tell(*found)
    shown = CommentHtml(comment)
    assert set(shown.tags) <= TAGS
    assert shown.misnested == []
    assert all(one.startswith("https://github.example/team/") for one in shown.links)
    marker, *others = shown.comments
    assert f"<!-- {marker} -->" == comment.splitlines()[0]
    assert set(others) <= {"rollbook:rewards", "/rollbook:rewards"}
    prose = " ".join(shown.prose)
    assert not re.search(r"@\w|#\d|\bGH-\d|://|www\.", prose)
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b\x07]", comment)


@pytest.mark.parametrize("text", HOSTILE)
def test_only_our_own_tables_are_carried_over(text: str) -> None:
    found = hostile_plan(text)
    told = plan_comment(*found)
    again = plan_comment(
        found.plan, found.about._replace(rewards=(), carried=carried_rewards(told))
    )
    assert carried_rewards(again).strip() == carried_rewards(told).strip()
    assert set(CommentHtml(again).tags) <= TAGS
    assert CommentHtml(again).misnested == []
    without = plan_comment(found.plan, found.about._replace(rewards=()))
    assert carried_rewards(without) == ""


def test_a_hostile_spec_that_is_really_planned(make_repository: MakeRepository) -> None:
    made = registry(make_repository(), (GRPO,))
    made.run()
    text = HOSTILE[1].replace('"', "") + " @octocat </details> | `x` ${{ github.token }}"
    lines = [f'description: "{text}"', "owner: octocat"]
    lines.append(f'overrides: {{trainer.project_name: "{text}", trainer.experiment_name: "a"}}')
    spec = (made.folder / f"experiments/{GRPO}.yaml").read_text()
    kept = [line for line in spec.splitlines() if not line.startswith("description:")]
    made.commit({f"experiments/{GRPO}.yaml": "\n".join([*kept, *lines]) + "\n"})
    found = request(made)
    shown = CommentHtml(plan_comment(*found))
    assert found.plan.number_of("launch") == 3
    assert len(shown.comments) == 1
    assert set(shown.tags) <= TAGS
    assert not re.search(r"@\w", " ".join(shown.prose))
    assert any("project_name" in one for one in shown.prose)


@pytest.mark.parametrize("address", ["", "javascript:alert(1)", "//example.invalid", "plan.json"])
def test_what_is_no_address_of_a_site_is_no_link(address: str) -> None:
    comment = plan_comment(plan(action()), about(complete=address))
    assert "full JSON" not in CommentHtml(comment).links
    assert all(one.startswith("https://github.example/") for one in CommentHtml(comment).links)


# Large ones


@pytest.mark.parametrize("size", [1_000, 1_000_000])
def test_huge_values_are_cut(size: int) -> None:
    for text in ("x" * size, "é`|@<" * (size // 5), "\u202e" * size):
        found = hostile_plan(text)
        started = time.process_time()
        assert len(plan_comment(*found).encode()) <= COMMENT_LIMIT
        assert time.process_time() - started < 1
        assert len(whole_plan(*found).encode()) <= WHOLE_LIMIT


@pytest.mark.parametrize("verb", ["launch", "hold", "refuse", "stale", "keep", "orphan", "wait"])
def test_ten_thousand_actions_make_a_comment_in_a_second(verb: str) -> None:
    finding = Finding("experiments/x.yaml", 1, 1, "k", "r.r", "hint", "m" * 200, "c" * 200)
    error = finding._replace(level="error")
    many = [
        action(
            verb,
            experiment=f"folder/experiment-with-a-long-name-{number}",
            reason=f"reason {number} " + "why " * 40,
            findings=tuple(f._replace(line=number + 1) for f in (finding, error)),
        )
        for number in range(10_000)
    ]
    found = plan(*many), about(rewards=(REWARD,) * 1000)
    started = time.process_time()
    comment = plan_comment(*found)
    took = time.process_time() - started
    assert len(comment.encode()) <= COMMENT_LIMIT
    assert took < 1
    assert len(whole_plan(*found).encode()) <= WHOLE_LIMIT
    assert CommentHtml(comment).misnested == []
