#!/usr/bin/env bash
# A real SkyPilot on one Debian machine, for tests: Slurm with two virtual nodes and fake H100s, an
# sshd on loopback through which SkyPilot reaches it, and a SkyPilot API server. No cloud account, no
# systemd, no GPU. As root.
#
#     scripts/sky-slurm.sh up DIR        from nothing (minutes) or what is missing (seconds)
#     scripts/sky-slurm.sh down DIR      stops every process; DIR stays, for the next `up`
#     scripts/sky-slurm.sh status DIR    what answers; exit code 1 where something does not
#     scripts/sky-slurm.sh packages DIR  the packages of Debian alone, which `up` installs too
#     scripts/sky-slurm.sh stop-server DIR    the API server alone: Slurm's jobs go on, until `up`
#
# SKY_SLURM_PORT (46600) is the first of the 100 ports it uses: two of them side by side need two
# folders and two ranges. Needs: root, apt-get or its packages there already, a Python 3.11 (PYTHON),
# and an index of Python packages. `up` writes DIR/env: the variables that lead a client to it.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
fail() {
    echo "sky-slurm: $1" >&2
    exit 1
}
say() { echo "sky-slurm: $*"; }

[ $# -eq 2 ] || fail "usage: scripts/sky-slurm.sh up|down|status|packages|stop-server DIR"
command=$1
mkdir -p "$2"
dir=$(cd "$2" && pwd)

port=${SKY_SLURM_PORT:-46600}
ssh_port=$((port + 22))
slurmctld_port=$((port + 17))
slurmd_port=$((port + 40)) # one more per node
api_port=$((port + 80))
cluster=virtual      # Slurm's name, SkyPilot's "region": infra slurm/virtual
nodes="n1 n2"        # each claims 16 CPUs, 64 GB and four H100s that it does not have
login=sky$port       # the account SkyPilot logs in with
api_host=sky-slurm   # this machine, by a name: see name_the_hosts
gpus_per_node=4

# A process that wrote its id to the file is alive.
alive() { [ -s "$1" ] && kill -0 "$(cat "$1")" 2>/dev/null; }

# Stop the process whose id is in the file, and wait for its end.
stop() {
    alive "$1" || return 0
    local pid
    pid=$(cat "$1")
    kill "$pid" 2>/dev/null || true
    for _ in $(seq 50); do
        kill -0 "$pid" 2>/dev/null || return 0
        sleep 0.1
    done
    kill -9 "$pid" 2>/dev/null || true
}

# Wait until the command succeeds, for so many seconds.
wait_for() {
    local seconds=$1
    shift
    for _ in $(seq "$((seconds * 4))"); do
        "$@" >/dev/null 2>&1 && return 0
        sleep 0.25
    done
    return 1
}

. "$here/sky-slurm/login.sh"
. "$here/sky-slurm/slurm.sh"
. "$here/sky-slurm/server.sh"

install_packages() {
    local program missing=
    for program in slurmctld slurmd munged sshd ssh rsync nc socat curl ps; do
        command -v "$program" >/dev/null || [ -x "/usr/sbin/$program" ] || missing+=" $program"
    done
    [ -n "$missing" ] || return 0
    command -v apt-get >/dev/null || fail "these are missing, and there is no apt-get:$missing"
    say "installing Slurm and sshd (missing:$missing)"
    apt-get update -qq || fail "apt-get update failed: is there a mirror of Debian in reach?"
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        slurm-wlm munge openssh-server openssh-client rsync curl netcat-openbsd socat procps \
        >"$dir/apt.log" 2>&1 || fail "apt-get install failed: $(tail -n 1 "$dir/apt.log")"
}

# SkyPilot resolves the nodes' names; and a client that is given the API server by a name that is
# not loopback's treats it as remote, and sends it the files of a task, as it does in production.
name_the_hosts() {
    local name number=0
    for name in $nodes; do
        number=$((number + 1))
        name_host "127.0.0.$number" "$name"
    done
    name_host 127.0.0.1 "$api_host"
}

name_host() {
    grep -qE "[[:space:]]$2([[:space:]]|$)" /etc/hosts || echo "$1 $2" >>/etc/hosts
}

# Daemons would keep what is open here, for example a lock that the caller holds.
close_inherited() {
    local number
    for number in $(ls "/proc/$$/fd"); do
        [ "$number" -le 2 ] || [ "$number" = 255 ] || eval "exec $number>&-"
    done
}

up() {
    close_inherited
    [ "$(id -u)" = 0 ] || fail "needs root: Slurm starts jobs as another user, and sshd logs in"
    install_packages
    name_the_hosts
    make_account
    start_sshd
    start_slurm
    make_server_environment
    warm_runtime & # what every cluster of SkyPilot installs first, while the server starts
    start_server
    wait
    write_env
    say "ready: infra slurm/$cluster; set -a; . $dir/env"
}

down() {
    stop_server
    stop_slurm
    stop_sshd
    remove_account
}

status() {
    local bad=0
    report sshd alive "$dir/sshd/pid"
    report slurm slurm_idle_or_busy
    report server server_answers
    return $bad
}

report() {
    local what=$1
    shift
    if "$@" >/dev/null 2>&1; then say "$what: up"; else
        say "$what: down"
        bad=1
    fi
}

case $command in
    up | down | status) "$command" ;;
    packages) install_packages ;;
    stop-server) stop_server ;;
    *) fail "'$command' is none of up, down, status, packages, stop-server" ;;
esac
