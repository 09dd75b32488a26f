#!/usr/bin/env bash
# The main job, in a registry of its own below .demo/ with a bare origin beside it, so that nothing
# of this checkout is pushed or changed: two experiments are merged, applied, trained, reported.
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
registry=$root/.demo/registry
runner=$root/.venv/bin/runner
export PATH=$root/.venv/bin:$PATH # DVC runs stages with the `python` it finds
git() { command git -C "$registry" -c advice.detachedHead=false "$@"; }

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }

make_registry() {
    say "1  A registry in .demo/registry, with a bare origin beside it"
    local building=$root/.demo/building
    rm -rf "$root/.demo/origin.git" "$registry" "$building"
    mkdir -p "$building"
    command git init -q --bare -b main "$root/.demo/origin.git"
    # What git knows of this checkout, as it is now; the experiments come by a merge.
    command git ls-files -z --cached --others --exclude-standard |
        grep -zvE '^(experiments/smoke/|tests/|docs/|\.github/)' |
        xargs -0 tar cf - | tar xf - -C "$building"
    mv "$building" "$registry"
    command git -C "$registry" init -q -b main
    git config user.name >/dev/null || git config user.name "Rollbook demo"
    git config user.email >/dev/null || git config user.email demo@rollbook.invalid
    git config runner.trainPython "$root/.venv-train/bin/python"
    git remote add origin ../origin.git
    (cd "$registry" && dvc repro --quiet smoke && dvc push --quiet smoke)
    git add -A
    git commit -qm "A registry with the smoke data"
    git push -q -u origin main
    $runner -C "$registry" init
}

merge_experiments() {
    say "2  Two experiments, merged to its default branch"
    git switch -qc add-smoke
    mkdir -p "$registry/experiments/smoke"
    cp experiments/smoke/{sft,grpo}.yaml "$registry/experiments/smoke/"
    $runner -C "$registry" validate
    git add -A
    git commit -qm "Smoke experiments: SFT, and GRPO from its checkpoint"
    git switch -q main
    git merge -q --no-ff -m "Merge add-smoke" add-smoke
    git push -q
    touch "$root/.demo/ready"
}

if [ ! -e .demo/ready ]; then
    make_registry
    merge_experiments
fi
say "3  runner apply --wait"
status=0
$runner -C "$registry" apply --wait || status=$?
say "4  What came of it"
$runner -C "$registry" status
$runner -C "$registry" sync
cat <<TXT

The report      $runner -C .demo/registry show smoke/grpo
with plots      git -C .demo/origin.git show runs:experiments/smoke/grpo/README.md
Next, in .demo/registry:
    runner plan                      nothing to do
    (change learning_rate in experiments/smoke/grpo.yaml)
    runner plan                      one launch, and why
    runner reproduce smoke/sft       the same run again: bitwise?
TXT
exit $status
