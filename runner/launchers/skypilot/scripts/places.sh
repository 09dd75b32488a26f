# Where things are kept that outlive a run: read by setup and run, on every node.
#
# The first of $ROLLBOOK_CACHES, folders parted by `:`, that is there and can be written; where none
# is there, the first that can be made; else a folder in the node's home.
IFS=: read -r -a caches <<<"${ROLLBOOK_CACHES:-}"
ROLLBOOK_CACHE=
for folder in ${caches[@]+"${caches[@]}"}; do
    if [ -z "$ROLLBOOK_CACHE" ] && [ -d "$folder" ] && [ -w "$folder" ]; then
        ROLLBOOK_CACHE=$folder
    fi
done
for folder in ${caches[@]+"${caches[@]}"} "$HOME/.cache/rollbook"; do
    if [ -z "$ROLLBOOK_CACHE" ] && mkdir -p "$folder" 2>/dev/null; then
        ROLLBOOK_CACHE=$folder
    fi
done
unset caches folder
export ROLLBOOK_CACHE
export HF_HOME=$ROLLBOOK_CACHE/huggingface
export UV_CACHE_DIR=${UV_CACHE_DIR:-$ROLLBOOK_CACHE/uv}
export UV_PYTHON_INSTALL_DIR=${UV_PYTHON_INSTALL_DIR:-$ROLLBOOK_CACHE/python}
