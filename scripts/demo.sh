#!/usr/bin/env bash
# The main job, in a registry of its own below .demo/ with a bare origin beside it, so that nothing
# of this checkout is pushed or changed: two experiments are merged, applied, trained, reported.
#
#     scripts/demo.sh          DEMO=folder instead of .demo
set -euo pipefail
cd "$(dirname "$0")/.."

root=$PWD
unset CI # its places are folders on purpose, which `runner` refuses in a job of CI
demo=${DEMO:-.demo}
registry=$demo/registry
export PATH=$root/.venv/bin:$PATH # the runner, and the `python` with which DVC runs stages
git() { command git -C "$registry" "$@"; }

say() { [ -t 1 ] && printf '\n\033[1m%s\033[0m\n' "$*" || printf '\n%s\n' "$*"; }

make_registry() {
    say "1  A registry in $registry, with a bare origin beside it"
    rm -rf "$demo"
    mkdir -p "$registry"
    command git init -q --bare -b main "$demo/origin.git"
    # What git knows of this checkout, as it is now; the experiments come by a merge.
    command git ls-files -z --cached --others --exclude-standard |
        grep -zvE '^(experiments/(dapo|gsm8k|math|mixture|preferences|smoke|tools)/|tests/|docs/|benchmarks/|\.github/|\.ci/)' |
        xargs -0 tar cf - | tar xf - -C "$registry"
    git init -q -b main
    git config user.name >/dev/null || git config user.name "Rollbook demo"
    git config user.email >/dev/null || git config user.email demo@rollbook.invalid
    git config runner.trainPython "$root/.venv-train/bin/python"
    git remote add origin ../origin.git
    (cd "$registry" && dvc repro --quiet smoke && dvc push --quiet smoke)
    git add -A
    git commit -qm "A registry with the smoke data"
    git push -q -u origin main
    runner -C "$registry" init
}

merge_experiments() {
    say "2  Two experiments, merged to its default branch"
    git switch -qc add-smoke
    mkdir -p "$registry/experiments/smoke"
    cp experiments/smoke/{sft,grpo}.yaml "$registry/experiments/smoke/"
    runner -C "$registry" validate
    git add -A
    git commit -qm "Smoke experiments: SFT, and GRPO from its checkpoint"
    git switch -q main
    git merge -q --no-ff -m "Merge add-smoke" add-smoke
    git push -q
    touch "$demo/ready"
}

[ -e "$demo/ready" ] || {
    make_registry
    merge_experiments
}
say "3  runner apply --wait"
status=0
runner -C "$registry" apply --wait || status=$?
say "4  runner status"
runner -C "$registry" status
rm -rf "$demo/reports"
command git clone -q -b runs "$demo/origin.git" "$demo/reports"
cat <<TXT

The reports, with plots, as the branch \`runs\` has them: $demo/reports/README.md
Next:

    export PATH=$root/.venv/bin:\$PATH && cd $registry
    runner show smoke/grpo           the report
    runner plan                      nothing to do; change a learning rate, and it says what runs again
    runner reproduce smoke/sft       the same run again: is it the same, number for number?
TXT
exit $status
