set -euo pipefail
cd "$ROLLBOOK_BUNDLE"
source ./places.sh
python=$(bash environment.sh node-requirements.txt '>=3.11,<3.14')
case $ROLLBOOK_TRAINING in
  image) trainer=$(bash image-python.sh "$ROLLBOOK_TRAINER") ;;
  lock)
    trainer=$(bash environment.sh training-requirements.txt '>=3.11,<3.12' "$ROLLBOOK_TORCH")
    ;;
  none) trainer=$python ;;
esac
export RUNNER_TRAIN_PYTHON=$trainer
# A folder of its own for every start and rank: a job that was recovered on the same machine must
# not find what its former start left.
start=$(mktemp -d "$PWD/start-XXXXXX")
mkdir -p "$start/$ROLLBOOK_BUNDLE/code"
tar -xf code.tar -C "$start/$ROLLBOOK_BUNDLE/code"
cp task.json "$start/$ROLLBOOK_BUNDLE/"
"$python" -m zipfile -e rollbook-*.whl "$start/runner"
# Its exit code is the job's: 0 it trained, 5 the run failed, 3 something around it did.
exec env PYTHONPATH="$start/runner" \
  "$python" -P -m runner node "$start/$ROLLBOOK_BUNDLE/task.json"
