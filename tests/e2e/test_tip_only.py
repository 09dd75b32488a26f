"""Only the tip of the default branch is launched, and only by the registry that it belongs to."""

from __future__ import annotations

import re

from live_registry import LiveRegistry, script_spec
from real_git import write_files

SPEC = script_spec()


def nothing_was_launched(registry: LiveRegistry) -> bool:
    return registry.ledger_commits() == ["The ledger of a registry [skip ci]"]


def test_a_dirty_tree_is_refused(registry):
    write_files(registry.root, {"experiments/demo.yaml": SPEC})
    answer = registry.runner("apply")
    assert answer.code == 1
    assert "the work tree holds changes that no commit does: experiments/demo.yaml" in answer.err
    assert "runner try SPEC" in answer.err
    assert nothing_was_launched(registry)


def test_what_is_not_pushed_is_refused(registry):
    write_files(registry.root, {"experiments/demo.yaml": SPEC})
    registry.git("add", "--all")
    registry.git("commit", "--quiet", "--message", "mine")
    answer = registry.runner("apply")
    assert answer.code == 1
    assert "is not on origin/main: only what is merged is launched" in answer.err
    assert "git push origin HEAD:main" in answer.err
    assert nothing_was_launched(registry)


def test_an_older_commit_is_superseded(registry):
    registry.merge({"demo": SPEC})
    old = registry.clone("old")
    tip = registry.merge({"another": script_spec(steps=4)})
    answer = old.succeed("apply")
    assert answer.err == f"superseded by {tip}: nothing done\n"
    assert old.succeed("apply", "--json").json == {"superseded_by": tip, "actions": []}
    assert nothing_was_launched(registry)


def test_a_default_branch_that_was_set_back_is_refused(registry):
    before = registry.merge({"notes.md": "one\n"})
    applied = registry.merge({"notes.md": "two\n"})
    registry.succeed("apply")
    registry.git("reset", "--quiet", "--hard", before)
    registry.git("push", "--quiet", "--force", "origin", "HEAD:main")
    commits = registry.ledger_commits()
    answer = registry.runner("apply")
    assert answer.code == 1
    assert f"{before[:12]} is older than {applied[:12]}, which was applied already" in answer.err
    assert registry.ledger_commits() == commits


def test_a_fork_that_changed_its_lineage_cannot_use_the_ledger(registry):
    settings = (registry.root / "registry.yaml").read_text()
    changed = re.sub(r'"\w{32}"', f'"{"0" * 32}"', settings)
    registry.merge({"registry.yaml": changed, "demo": SPEC})
    answer = registry.runner("apply")
    assert answer.code == 1
    assert "belongs to another registry" in answer.err
    assert nothing_was_launched(registry)


def test_a_set_back_branch_is_seen_from_a_fresh_clone_too(registry):
    before = registry.merge({"notes.md": "one\n"})
    applied = registry.merge({"notes.md": "two\n"})
    registry.succeed("apply")
    registry.git("reset", "--quiet", "--hard", before)
    registry.git("push", "--quiet", "--force", "origin", "HEAD:main")
    registry.git("gc", "--quiet", "--prune=now", cwd=registry.origin)
    answer = registry.clone("fresh").runner("apply")
    assert answer.code == 1
    assert applied[:12] in answer.err  # it is older, or nobody here can tell


def test_only_the_plan_that_was_seen_is_applied(registry):
    registry.merge({"demo": SPEC})
    seen = registry.succeed("plan", "--json").json["digest"]
    registry.merge({"another": script_spec(steps=4)})
    answer = registry.runner("apply", "--plan", seen)
    assert answer.code == 1
    assert "the plan is another one now" in answer.err
    assert nothing_was_launched(registry)
    seen = registry.succeed("plan", "--json").json["digest"]
    registry.succeed("apply", "--wait", "--plan", seen)
    assert registry.attempt("another")["outcome"] == "succeeded"


def test_only_what_is_named_is_applied(registry):
    registry.merge({"demo": SPEC, "another": script_spec(steps=4)})
    answer = registry.runner("apply", "--only", "nothing")
    assert answer.code == 1
    assert "there is no experiment `nothing`" in answer.err
    registry.succeed("apply", "--wait", "--only", "another")
    assert registry.attempt("another")["outcome"] == "succeeded"
    assert registry.succeed("plan", "--json").json["actions"][1]["action"] == "launch"
