# The SkyPilot API server, in an environment and a home of its own. Sourced by sky-slurm.sh.

server_url() { echo "http://$api_host:$api_port"; }

server_answers() { curl -sf --max-time 5 "$(server_url)/api/health"; }

# Run a command of the server's environment in its home, without what the caller has of SkyPilot.
sky() {
    env -u SKYPILOT_API_SERVER_ENDPOINT HOME="$dir/home" PATH="$dir/venv/bin:$PATH" \
        SKYPILOT_API_SERVER_LOCAL_PORT="$api_port" SKYPILOT_DISABLE_USAGE_COLLECTION=1 \
        "$dir/venv/bin/sky" "$@"
}

make_server_environment() {
    local lock=$here/sky-slurm/server.txt digest
    digest=$(sha256sum <"$lock")
    if [ "$(cat "$dir/venv/.digest" 2>/dev/null)" != "$digest" ]; then
        say "making the API server's environment (about a minute)"
        "${PYTHON:-python3.11}" -m venv --clear "$dir/venv" ||
            fail "no venv module; on Debian: apt-get install python3-venv"
        "$dir/venv/bin/pip" -qq --disable-pip-version-check install --no-deps -r "$lock"
        echo "$digest" >"$dir/venv/.digest"
    fi
    local packages
    packages=$("$dir/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    cp "$here/sky-slurm/sky_patch.py" "$packages/"
    echo 'import sky_patch' >"$packages/sky_patch.pth"
}

# SkyPilot installs itself on every new cluster. The first time it fills uv's cache, which takes a
# minute or two; afterwards the files are linked.
warm_runtime() {
    [ ! -e "$dir/runtime/warm" ] || return 0
    (
        set -a
        . "$dir/login/.profile"
        set +a
        uv venv --seed "$dir/runtime/first" --python 3.10 &&
            VIRTUAL_ENV=$dir/runtime/first uv pip install "skypilot[slurm,remote]==$(sky_version)" &&
            touch "$dir/runtime/warm"
        rm -rf "$dir/runtime/first"
    ) >"$dir/runtime/log" 2>&1 || say "uv's cache is cold: $(tail -n 1 "$dir/runtime/log")"
}

sky_version() { sed -n 's/^skypilot==//p' "$here/sky-slurm/server.txt"; }

start_server() {
    mkdir -p "$dir/home/.sky" "$dir/home/.slurm"
    write_ssh_config >"$dir/home/.slurm/config"
    write_sky_config >"$dir/home/.sky/config.yaml"
    write_catalog "$dir/home"
    if ! server_answers >/dev/null; then
        say "starting the API server"
        sky api start >"$dir/server.log" 2>&1 ||
            fail "no API server: $(tail -n 3 "$dir/server.log")"
        wait_for 60 server_answers || fail "the API server does not answer at $(server_url)"
    fi
    [ -e "$dir/home/checked" ] && return
    sky check slurm >>"$dir/server.log" 2>&1 || fail "sky check: $(tail -n 5 "$dir/server.log")"
    touch "$dir/home/checked"
}

# `sky api stop` kills the server and the controllers of its jobs.
stop_server() {
    [ ! -x "$dir/venv/bin/sky" ] || sky api stop >>"$dir/server.log" 2>&1 || true
}

write_ssh_config() {
    cat <<CONF
Host $cluster
  HostName 127.0.0.1
  Port $ssh_port
  User $login
  IdentityFile $dir/sshd/id
  IdentitiesOnly yes
CONF
}

# Consolidation mode: the controller of managed jobs is part of the server, not a cluster of its own.
# Prices are in dollars per hour, made up here: without any Slurm is free, and no budget is ever met.
write_sky_config() {
    cat <<CONF
allowed_clouds: [slurm]
jobs:
  controller:
    consolidation_mode: true
slurm:
  pricing: {cpu: 0.05, memory: 0.01, accelerators: {H100: 2.5}}
  cluster_configs:
    $cluster:
      workdir: $dir/login/work
      tmpdir: $dir/runtime
CONF
}

# SkyPilot reads a catalog as soon as a task names an accelerator, at the server and in the client,
# and would fetch it from GitHub. A file without a checksum beside it is taken as the user's own.
write_catalog() {
    local folder=$1/.sky/catalogs/v8/common
    mkdir -p "$folder"
    printf '%s\n' AcceleratorName,Clouds "H100,\"['AWS', 'GCP', 'Slurm']\"" >"$folder/accelerators.csv"
    printf '%s\n' GPU,MemoryGB,Manufacturer H100,80,NVIDIA >"$folder/metadata.csv"
}

# A client's home is not the server's: another user's settings never reach the server.
write_env() {
    mkdir -p "$dir/client"
    write_catalog "$dir/client"
    cat >"$dir/env" <<ENV
HOME=$dir/client
SKYPILOT_API_SERVER_ENDPOINT=$(server_url)
SKYPILOT_DISABLE_USAGE_COLLECTION=1
ENV
}
