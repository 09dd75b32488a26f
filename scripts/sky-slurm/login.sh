# The account that SkyPilot logs in with, and the sshd it does so through. Sourced by sky-slurm.sh.

# A second account with root's number and a home of its own. A job must be able to run a Python from
# wherever the training environment was made, below /root or in a folder of the test that made it,
# and Slurm's daemons are root here anyway; an ordinary account could do neither. It is not root by
# name, because SkyPilot writes keys and a .bashrc into the home of the account.
make_account() {
    mkdir -p "$dir/login/.ssh" "$dir/login/work" "$dir/shims" "$dir/runtime" "$dir/sshd"
    # '*' is no password; the '!' that useradd writes by itself would lock the account for sshd.
    getent passwd "$login" >/dev/null ||
        useradd --non-unique --uid 0 --gid 0 --no-create-home --home-dir "$dir/login" \
            --shell /bin/bash --password '*' "$login"
    [ "$(getent passwd "$login" | cut -d: -f6)" = "$dir/login" ] ||
        fail "the account $login belongs to another folder: set SKY_SLURM_PORT"
    write_shims
    # Both: SkyPilot runs some commands in a login shell, others not.
    write_profile >"$dir/login/.profile"
    write_profile >"$dir/login/.bashrc"
}

remove_account() {
    # userdel refuses the number of a running process, root's always is: the line goes by itself.
    sed -i "/^$login:/d" /etc/passwd /etc/shadow
}

# What a job's shell starts with: the shims first, Slurm's settings, and what leads to the index of
# Python packages here, since a job installs some.
write_profile() {
    echo "export PATH=$dir/shims:\$PATH SLURM_CONF=$dir/slurm/slurm.conf"
    local name
    for name in $(compgen -e | grep -iE '^(PIP_|UV_)|_PROXY$|CA_BUNDLE$|^SSL_CERT_'); do
        printf 'export %s=%q\n' "$name" "${!name}"
    done
}

# SkyPilot fetches uv from astral.sh on every new cluster and asks it for Python 3.10, which uv would
# fetch from GitHub. Here `curl` answers that one address with a script that copies our `uv`, and
# `uv` is the one of the server's environment, which takes that Python for 3.10 and never downloads.
write_shims() {
    cat >"$dir/shims/curl" <<CURL
#!/usr/bin/env bash
for argument in "\$@"; do
    if [ "\$argument" = https://astral.sh/uv/install.sh ]; then
        echo 'mkdir -p "\$UV_INSTALL_DIR" && cp $dir/shims/uv "\$UV_INSTALL_DIR/uv"'
        exit 0
    fi
done
exec /usr/bin/curl "\$@"
CURL
    cat >"$dir/shims/uv" <<UV
#!/usr/bin/env bash
export UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=hardlink UV_CACHE_DIR=$dir/runtime/uv-cache
arguments=() previous=
for argument in "\$@"; do
    [ "\$previous \$argument" = "--python 3.10" ] && argument=$dir/venv/bin/python
    arguments+=("\$argument") previous=\$argument
done
exec $dir/venv/bin/uv "\${arguments[@]}"
UV
    chmod 755 "$dir/shims/curl" "$dir/shims/uv"
}

start_sshd() {
    alive "$dir/sshd/pid" && return
    local key
    for key in id host; do
        [ -f "$dir/sshd/$key" ] || ssh-keygen -q -t ed25519 -N '' -f "$dir/sshd/$key"
    done
    cp "$dir/sshd/id.pub" "$dir/login/.ssh/authorized_keys"
    chmod 700 "$dir/login/.ssh"
    # StrictModes off: DIR may lie below /tmp. Many sessions: SkyPilot opens one per command.
    cat >"$dir/sshd/config" <<CONF
Port $ssh_port
ListenAddress 127.0.0.1
HostKey $dir/sshd/host
PidFile $dir/sshd/pid
PasswordAuthentication no
PermitRootLogin prohibit-password
AllowUsers $login
UsePAM no
StrictModes no
MaxStartups 200:30:400
MaxSessions 200
Subsystem sftp /usr/lib/openssh/sftp-server
CONF
    mkdir -p /run/sshd # sshd's own folder for dropping privileges
    /usr/sbin/sshd -f "$dir/sshd/config" -E "$dir/sshd/log"
    wait_for 10 alive "$dir/sshd/pid" || fail "sshd did not start: $(tail -n 1 "$dir/sshd/log")"
}

# The server's connections are kept open by its ssh (ControlMaster), each with a session at sshd.
stop_sshd() {
    local sessions=
    alive "$dir/sshd/pid" && sessions=$(pgrep -P "$(cat "$dir/sshd/pid")" || true)
    stop "$dir/sshd/pid"
    [ -z "$sessions" ] || kill $sessions 2>/dev/null || true
}
