# Where things are kept that outlive a run: read by setup and run, on every node.
#
# The first of $ROLLBOOK_CACHES, folders parted by `:`, that is there and can be written; else a
# folder in the node's home.
ROLLBOOK_CACHE=$HOME/.cache/rollbook
IFS=: read -r -a caches <<<"${ROLLBOOK_CACHES:-}"
for folder in ${caches[@]+"${caches[@]}"}; do
    if mkdir -p "$folder" 2>/dev/null && [ -w "$folder" ]; then
        ROLLBOOK_CACHE=$folder
        break
    fi
done
unset caches folder
mkdir -p "$ROLLBOOK_CACHE"
export ROLLBOOK_CACHE
export HF_HOME=$ROLLBOOK_CACHE/huggingface
export UV_CACHE_DIR=${UV_CACHE_DIR:-$ROLLBOOK_CACHE/uv}
export UV_PYTHON_INSTALL_DIR=${UV_PYTHON_INSTALL_DIR:-$ROLLBOOK_CACHE/python}
