# Slurm on one host: a munged of its own, slurmctld, and one slurmd per virtual node. Sourced by
# sky-slurm.sh.

slurm() { SLURM_CONF="$dir/slurm/slurm.conf" "$@"; }

slurm_idle_or_busy() {
    local wanted
    wanted=$(wc -w <<<"$nodes")
    [ "$(slurm sinfo -h -N -o %T | grep -cE '^(idle|mixed|allocated|completing)$')" = "$wanted" ]
}

start_slurm() {
    mkdir -p "$dir/slurm"/{state,spool,log,run} "$dir/munge"
    start_munged
    make_gpus
    write_epilog
    write_slurm_conf >"$dir/slurm/slurm.conf"
    # -c: a start from nothing remembers no jobs; nodes keep jobs only as long as they run.
    alive "$dir/slurm/run/slurmctld" || slurm slurmctld -c
    local node
    for node in $nodes; do
        mkdir -p "$dir/slurm/spool/$node"
        alive "$dir/slurm/run/$node" || slurm slurmd -N "$node"
    done
    wait_for 30 slurm_idle_or_busy || fail "Slurm's nodes are not ready:
$(slurm sinfo -N -l)
$(tail -n 3 "$dir/slurm/log"/*)"
}

stop_slurm() {
    if alive "$dir/slurm/run/slurmctld"; then
        slurm scancel --user=root || true
        wait_for 20 no_jobs || say "jobs are left: $(slurm squeue -h)"
    fi
    local node
    for node in $nodes; do stop "$dir/slurm/run/$node"; done
    stop "$dir/slurm/run/slurmctld"
    stop "$dir/munge/pid"
}

no_jobs() { [ -z "$(slurm squeue -h)" ]; }

# Slurm's messages are signed by munge. Its own daemon: the machine's is left as it is.
start_munged() {
    alive "$dir/munge/pid" && return
    chmod 711 "$dir/munge"
    [ -s "$dir/munge/key" ] || (umask 077 && head -c 1024 /dev/urandom >"$dir/munge/key")
    munged --force --key-file="$dir/munge/key" --socket="$dir/munge/socket" \
        --pid-file="$dir/munge/pid" --log-file="$dir/munge/log" --seed-file="$dir/munge/seed"
    wait_for 10 munge --socket="$dir/munge/socket" --no-input ||
        fail "munged did not start: $(tail -n 1 "$dir/munge/log")"
}

# Slurm counts the device files that gres.conf names, and does not look into them: these are copies
# of /dev/null. (Without files a node is invalid; with ordinary ones CUDA_VISIBLE_DEVICES is empty.)
make_gpus() {
    local number
    for number in $(seq 0 $((gpus_per_node - 1))); do
        [ -e "$dir/slurm/gpu$number" ] || mknod "$dir/slurm/gpu$number" c 1 3
    done
    echo "Name=gpu Type=H100 File=$dir/slurm/gpu[0-$((gpus_per_node - 1))]" >"$dir/slurm/gres.conf"
}

# On a real cluster a job is a cgroup: when its steps have ended, at SIGTERM or by themselves, what is
# left of it is killed at once. linuxproc leaves processes that ignored the signal or left the tree;
# here Slurm's epilog kills them, told by the environment that they inherited.
write_epilog() {
    cat >"$dir/slurm/epilog" <<EPILOG
#!/usr/bin/env bash
for process in /proc/[0-9]*; do
    pid=\${process#/proc/}
    [ "\$pid" != \$\$ ] &&
        grep -qzxF "SLURMD_NODENAME=\$SLURMD_NODENAME" "\$process/environ" &&
        grep -qzxF "SLURM_JOB_ID=\$SLURM_JOB_ID" "\$process/environ" &&
        grep -qzxF "SLURM_CONF=$dir/slurm/slurm.conf" "\$process/environ" &&
        kill -9 "\$pid"
done 2>/dev/null
exit 0
EPILOG
    chmod 755 "$dir/slurm/epilog"
}

# linuxproc, task/none: no cgroups, which a container does not have. config_overrides: a node may
# claim more CPUs than there are. KillWait: seconds between SIGTERM and SIGKILL of a cancelled job.
write_slurm_conf() {
    local host node number=0
    host=$(hostname -s)
    cat <<CONF
ClusterName=$cluster
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket=$dir/munge/socket
CredType=cred/munge
SlurmctldPort=$slurmctld_port
StateSaveLocation=$dir/slurm/state
SlurmdSpoolDir=$dir/slurm/spool/%n
SlurmctldPidFile=$dir/slurm/run/slurmctld
SlurmdPidFile=$dir/slurm/run/%n
SlurmctldLogFile=$dir/slurm/log/slurmctld
SlurmdLogFile=$dir/slurm/log/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=sched_interval=2,bf_interval=2,batch_sched_delay=0
SlurmdParameters=config_overrides
ReturnToService=2
KillWait=5
Epilog=$dir/slurm/epilog
GresTypes=gpu
CONF
    for node in $nodes; do
        number=$((number + 1))
        echo "NodeName=$node NodeHostname=$host NodeAddr=127.0.0.1 Port=$((slurmd_port + number))" \
            "CPUs=16 RealMemory=65536 Gres=gpu:H100:$gpus_per_node State=UNKNOWN"
    done
    echo "PartitionName=main Nodes=${nodes// /,} Default=YES MaxTime=24:00:00 DefaultTime=01:00:00"
}
