set -euo pipefail
cd "$ROLLBOOK_BUNDLE"
source ./places.sh
# What the runner itself needs, pinned; made once per list and kept in $ROLLBOOK_CACHE.
bash environment.sh node-requirements.txt '>=3.11,<3.14'
# What the trainer needs: from its lock, pinned; with an image it is in there.
if [ "$ROLLBOOK_TRAINING" = lock ]; then
  bash environment.sh training-requirements.txt '>=3.11,<3.12' "$ROLLBOOK_TORCH"
fi
