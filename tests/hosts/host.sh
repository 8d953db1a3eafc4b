#!/bin/bash
# Bare hosts for the tests: containers that behave like fresh virtual machines (systemd, sshd, no
# engine), each with an address that survives reboots.
#
#   host.sh up NAME [IMAGE] [-- DOCKER_RUN_ARGS]  starts one; prints its address once ssh answers
#   host.sh ip NAME                 prints its address
#   host.sh reboot NAME             real reboot from inside; returns when ssh answers again
#   host.sh start|stop NAME         clean shutdown, and power on again (waits for ssh)
#   host.sh kill|freeze|thaw NAME   power cut; answers nothing; answers again
#   host.sh exec NAME COMMAND...    runs a command as root, without ssh
#   host.sh rm NAME...              removes hosts with their volumes; unknown names are no error
#   host.sh list                    names of all hosts
#
# Who can log in with the key: root, `deb` (sudo without a password) and `plain` (no sudo).
#   MACHINE_BED   work folder; the default key is $MACHINE_BED/id_ed25519, made on first use
#   HOST_KEY      another public key file
#   HOST_MEMORY   memory limit, such as 1g
#   DOCKER_HOST   engine for the hosts (default: the one of dockerd.sh)
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=bed.sh
. "$(dirname "${BASH_SOURCE[0]}")/bed.sh"
export DOCKER_HOST=${DOCKER_HOST:-unix://$socket}
readonly network=machine-bed label=org.machine.testhost

die() {
  printf 'host.sh: %s\n' "$*" >&2
  exit 1
}

# `--privileged` asks for every capability there is, and is refused on a machine whose own bounding
# set lacks one. Prints --cap-add flags for those that this machine has.
capabilities() {
  local names bits i=0 name
  names="CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL SETGID SETUID SETPCAP LINUX_IMMUTABLE
    NET_BIND_SERVICE NET_BROADCAST NET_ADMIN NET_RAW IPC_LOCK IPC_OWNER SYS_MODULE SYS_RAWIO
    SYS_CHROOT SYS_PTRACE SYS_PACCT SYS_ADMIN SYS_BOOT SYS_NICE SYS_RESOURCE SYS_TIME SYS_TTY_CONFIG
    MKNOD LEASE AUDIT_WRITE AUDIT_CONTROL SETFCAP MAC_OVERRIDE MAC_ADMIN SYSLOG WAKE_ALARM
    BLOCK_SUSPEND AUDIT_READ"
  bits=$((16#$(awk '$1 == "CapBnd:" { print $2 }' /proc/self/status)))
  for name in $names; do
    [ $((bits >> i & 1)) = 0 ] || printf -- '--cap-add=%s\n' "$name"
    i=$((i + 1))
  done
}

ensure_network() {
  docker network inspect "$network" >/dev/null 2>&1 && return
  # --internal is not wanted: a bare host installs its packages from a mirror.
  docker network create --subnet "$prefix.1.0/24" --gateway "$prefix.1.1" \
    --opt com.docker.network.bridge.name="${bridge}h" \
    --opt com.docker.network.driver.mtu="$(default_mtu)" "$network" >/dev/null
}

# Every address that a container has or, while it is stopped, will have again.
addresses_in_use() {
  docker ps -aq | xargs -r docker inspect -f \
    '{{range .NetworkSettings.Networks}}{{.IPAddress}} {{with .IPAMConfig}}{{.IPv4Address}}{{end}} {{end}}'
}

free_address() {
  local used last subnet
  used=" $(addresses_in_use | tr '\n' ' ') "
  # The network may be older than today's prefix.
  subnet=$(docker network inspect -f '{{(index .IPAM.Config 0).Subnet}}' "$network")
  for last in $(seq 10 250); do
    case $used in
      *" ${subnet%.*}.$last "*) ;;
      *) echo "${subnet%.*}.$last"; return ;;
    esac
  done
  die "no free address in $subnet"
}

address() {
  local found
  found=$(docker inspect -f '{{with index .NetworkSettings.Networks "'"$network"'"}}{{.IPAMConfig.IPv4Address}}{{end}}' \
    "$1" 2>/dev/null) || die "there is no host $1"
  echo "$found"
}

# True when an ssh server greets at address $1.
greets() {
  # shellcheck disable=SC2016  # expanded by the inner shell
  timeout 2 bash -c 'exec 3<>"/dev/tcp/$0/22" && IFS= read -r line <&3 && [[ $line == SSH-* ]]' "$1" \
    2>/dev/null
}

# Waits for the ssh server of host $1 and prints its address.
await_ssh() {
  local ip deadline=$((SECONDS + 30))
  ip=$(address "$1")
  until greets "$ip"; do
    [ "$SECONDS" -lt "$deadline" ] || die "no ssh on $1 ($ip) after 30 s"
    sleep 0.05
  done
  echo "$ip"
}

public_key() {
  if [ -z "${HOST_KEY:-}" ] && [ ! -f "$bed/id_ed25519" ]; then
    mkdir -p "$bed"
    ssh-keygen -q -t ed25519 -N '' -C test-bed -f "$bed/id_ed25519"
  fi
  cat "${HOST_KEY:-$bed/id_ed25519.pub}"
}

# Makes the accounts in host $1 and lets the key on standard input in.
add_users() {
  docker exec -i "$1" sh -euc '
    key=$(cat)
    useradd --create-home --shell /bin/bash deb
    useradd --create-home --shell /bin/bash plain
    echo "deb ALL=(ALL) NOPASSWD:ALL" >/etc/sudoers.d/deb
    chmod 440 /etc/sudoers.d/deb
    for user in root deb plain; do
      home=$(getent passwd "$user" | cut -d: -f6)
      install -d -m 700 -o "$user" -g "$user" "$home/.ssh"
      printf "%s\n" "$key" >"$home/.ssh/authorized_keys"
      chown "$user:$user" "$home/.ssh/authorized_keys"
      chmod 600 "$home/.ssh/authorized_keys"
    done'
}

up() {
  local name=$1 image=machine-host:offline ip
  shift
  if [ $# -gt 0 ] && [ "$1" != -- ]; then
    image=$1
    shift
  fi
  [ "${1:-}" != -- ] || shift
  docker image inspect "$image" >/dev/null 2>&1 ||
    die "no image $image; build it with deploy/hostimage/build.sh --variant … --image $image"
  local -a flags
  mapfile -t flags < <(capabilities)
  [ -z "${HOST_MEMORY:-}" ] || flags+=(--memory "$HOST_MEMORY")
  mkdir -p "$bed"
  # One at a time until the key is made and the address taken.
  exec 9>"$bed/hosts.lock"
  flock 9
  local key
  key=$(public_key)
  ensure_network
  ip=$(free_address)
  docker run --detach --name "$name" --hostname "$name" --label "$label=1" \
    "${flags[@]}" --security-opt seccomp=unconfined --security-opt apparmor=unconfined \
    --security-opt systempaths=unconfined --device-cgroup-rule 'a *:* rwm' --cgroupns private \
    --tmpfs /run:exec,mode=755 --tmpfs /run/lock --tmpfs /tmp:exec,mode=1777 \
    --volume /var/lib/docker --volume /var/lib/containerd --restart unless-stopped \
    --stop-signal SIGRTMIN+3 \
    --network "$network" --ip "$ip" "$@" "$image" >/dev/null 9>&-
  flock -u 9
  add_users "$name" <<<"$key"
  await_ssh "$name"
}

reboot_host() {
  local before deadline=$((SECONDS + 30))
  before=$(docker inspect -f '{{.State.StartedAt}}' "$1") || die "there is no host $1"
  docker exec "$1" systemctl --no-block reboot
  until [ "$(docker inspect -f '{{.State.StartedAt}} {{.State.Running}}' "$1")" != "$before true" ]; do
    [ "$SECONDS" -lt "$deadline" ] || die "$1 did not go down within 30 s"
    sleep 0.05
  done
  await_ssh "$1"
}

remove() {
  local name
  for name in "$@"; do
    docker rm --force --volumes "$name" >/dev/null 2>&1 || ! docker inspect "$name" >/dev/null 2>&1 ||
      die "cannot remove $name"
  done
}

verb=${1:-}
[ $# = 0 ] || shift
case $verb in
  list) docker ps -a --filter "label=$label" --format '{{.Names}}'; exit ;;
  up | ip | reboot | start | stop | kill | freeze | thaw | exec | rm)
    [ $# -ge 1 ] || die "$verb needs the name of a host" ;;
  *) die "usage: host.sh up|ip|reboot|start|stop|kill|freeze|thaw|exec|rm|list [NAME] …" ;;
esac
case $verb in
  up) up "$@" ;;
  ip) address "$1" ;;
  reboot) reboot_host "$1" ;;
  start) docker start "$1" >/dev/null; await_ssh "$1" ;;
  stop) docker stop --time 30 "$1" >/dev/null ;;
  kill) docker kill "$1" >/dev/null ;;
  freeze) docker pause "$1" >/dev/null ;;
  thaw) docker unpause "$1" >/dev/null ;;
  exec) docker exec -i "$@" ;;
  rm) remove "$@" ;;
esac
