#!/bin/bash
# A private Docker Engine for the tests: own data, sockets, bridge and containerd, so that it neither
# needs nor disturbs an engine of this machine.
#
#   dockerd.sh start   starts it unless it runs; prints its address (unix://…)
#   dockerd.sh status  tells whether it runs (exit status)
#   dockerd.sh env     prints `export DOCKER_HOST=…` for a shell
#   dockerd.sh stop    stops it and what it started; images stay for the next start
#   dockerd.sh purge   stop, and removes all its data
#
# Work folder: ${MACHINE_BED:-~/.cache/machine-bed}. Needs root and Debian's docker.io.
set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=bed.sh
. "$(dirname "${BASH_SOURCE[0]}")/bed.sh"
readonly run=$bed/run

die() {
  printf 'dockerd.sh: %s\n' "$*" >&2
  exit 1
}

# True when the process of pid file $1 runs and is $2: pids are reused, so the name is looked at, too.
alive() {
  local pid
  pid=$(cat "$1" 2>/dev/null) || return 1
  [ -n "$pid" ] && [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$2" ] && ! gone "$pid"
}

answers() {
  [ -S "$socket" ] && curl -fsS --max-time 5 --unix-socket "$socket" http://engine/_ping \
    >/dev/null 2>&1
}

# Waits up to $1 seconds until the rest of the command line succeeds.
await() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@"; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.1
  done
}

# Starts a daemon detached, with no file of ours open: $1 pid file, $2 log file, then the command.
launch() {
  local pidfile=$1 log=$2
  shift 2
  setsid "$@" </dev/null >>"$log" 2>&1 9>&- &
  echo $! >"$pidfile"
}

# Kernels come with one of the two packet filters, and dockerd takes what `iptables` is in its PATH.
# Prints a PATH in which it works, or fails.
packet_filter_path() {
  local program
  for program in iptables iptables-legacy iptables-nft; do
    command -v "$program" >/dev/null || continue
    "$program" -t nat -N MACHINE-BED 2>/dev/null || continue
    "$program" -t nat -X MACHINE-BED
    mkdir -p "$bed/bin"
    ln -sfn "$(command -v "$program")" "$bed/bin/iptables"
    ln -sfn "$(command -v "ip6${program#ip}")" "$bed/bin/ip6tables"
    echo "$bed/bin:$PATH"
    return
  done
  return 1
}

make_bridge() {
  [ -d "/sys/class/net/$bridge" ] || ip link add "$bridge" type bridge
  ip address replace "$prefix.0.1/24" dev "$bridge"
  ip link set "$bridge" up
}

start_containerd() {
  alive "$run/containerd.pid" containerd && return
  cat >"$bed/containerd.toml" <<TOML
version = 2
root = "$bed/containerd"
state = "$run/containerd"
disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.zfs", "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.aufs", "io.containerd.internal.v1.opt"]
[grpc]
  address = "$run/containerd.sock"
TOML
  rm -f "$run/containerd.sock"
  launch "$run/containerd.pid" "$bed/containerd.log" containerd --config "$bed/containerd.toml"
  await 20 test -S "$run/containerd.sock" || die "containerd does not start; see $bed/containerd.log"
}

start_engine() {
  local path filter=true mtu
  path=$(packet_filter_path) || { filter=false; path=$PATH; }
  mtu=$(default_mtu)
  # dockerd refuses to start beside a pid file whose number some other process has by now.
  rm -f "$run/dockerd.pid" "$socket"
  PATH=$path launch "$run/engine.pid" "$bed/dockerd.log" /usr/sbin/dockerd \
    --host "unix://$socket" --containerd "$run/containerd.sock" \
    --data-root "$bed/data" --exec-root "$run/exec" --pidfile "$run/dockerd.pid" \
    --bridge "$bridge" --mtu "${mtu:-1500}" --iptables=$filter --ip6tables=false \
    --default-address-pool "base=$prefix.128.0/17,size=24" \
    --storage-driver overlay2 --log-level warn
  await 60 answers || die "dockerd does not answer; the end of $bed/dockerd.log:
$(tail -n 10 "$bed/dockerd.log")"
}

start() {
  [ "$(id -u)" = 0 ] || die "must run as root"
  [ ${#socket} -le 90 ] || die "$bed is too long a path for sockets: set MACHINE_BED"
  local tool
  for tool in /usr/sbin/dockerd containerd ip curl; do
    command -v "$tool" >/dev/null || die "$tool is missing: run deploy/install-deps.sh --test"
  done
  mkdir -p "$run"
  chmod 700 "$bed" "$run"
  exec 9>"$bed/lock"
  flock 9
  if ! alive "$run/engine.pid" dockerd || ! answers; then
    stop_daemons
    # With the daemons gone, what they held for running containers is only in the way.
    find "$run" -mindepth 1 -maxdepth 1 ! -name '*.log' -exec rm -rf {} + 2>/dev/null || true
    : >"$bed/dockerd.log"
    : >"$bed/containerd.log"
    make_bridge
    start_containerd
    start_engine
  fi
  echo "unix://$socket"
}

# Ends the daemon of pid file $1, named $2, and waits for it; by force after $3 seconds.
end() {
  local pid
  alive "$1" "$2" || { rm -f "$1"; return 0; }
  pid=$(cat "$1")
  kill "$pid"
  await "$3" gone "$pid" || { kill -KILL "$pid" && await 5 gone "$pid"; } || true
  rm -f "$1"
}

gone() {
  ! [ -e "/proc/$1" ] || grep -q '^State:.Z' "/proc/$1/status" 2>/dev/null
}

stop_daemons() {
  end "$run/engine.pid" dockerd 40
  end_shims
  end "$run/containerd.pid" containerd 10
}

# A dockerd that was killed leaves the supervisors of its containers behind; ours name our socket.
end_shims() {
  local cmdline pid
  for cmdline in /proc/[0-9]*/cmdline; do
    pid=${cmdline#/proc/}
    pid=${pid%/cmdline}
    if { tr '\0' ' ' <"$cmdline"; } 2>/dev/null | grep -q "^[^ ]*containerd-shim.* $run/containerd.sock "; then
      xargs -r kill -KILL <"/proc/$pid/task/$pid/children" 2>/dev/null || true
      kill -KILL "$pid" 2>/dev/null || true
      await 5 gone "$pid" || true
    fi
  done
}

# Prints the bridges that this engine made for its networks; dockerd leaves them behind.
bridges() {
  echo "$bridge"
  answers || return 0
  docker --host "unix://$socket" network ls -q --filter driver=bridge |
    xargs -r docker --host "unix://$socket" network inspect \
      -f '{{with index .Options "com.docker.network.bridge.name"}}{{.}}{{else}}br-{{slice .Id 0 12}}{{end}}'
}

stop() {
  local found link
  mkdir -p "$run"
  exec 9>"$bed/lock"
  flock 9
  found=$(bridges)
  stop_daemons
  # Deepest first. A dockerd that was killed has not unmounted anything.
  awk -v bed="$bed/" 'index($2, bed) == 1 { print $2 }' /proc/mounts | sort -r |
    while read -r mount; do umount -l "$mount"; done
  for link in $found; do
    [ ! -d "/sys/class/net/$link" ] || ip link delete "$link"
  done
}

case ${1:-} in
  start) start ;;
  stop) stop ;;
  status)
    if ! alive "$run/engine.pid" dockerd || ! answers; then
      echo stopped
      exit 1
    fi
    echo running
    ;;
  env) printf 'export DOCKER_HOST=unix://%s\n' "$socket" ;;
  purge)
    stop
    rm -rf "${bed:?}/data" "$bed/containerd" "$run"
    ;;
  *) die "usage: dockerd.sh start|stop|status|env|purge" ;;
esac
