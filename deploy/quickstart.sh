#!/bin/bash
# From a fresh Debian 12 to a machine that runs Docker, in one command: installs packages, builds,
# installs docker-machine, creates the machine `dev` with the embedded `docker` driver and asks its
# engine through TLS how it is. Run again, it only does what is missing.
#
#   quickstart.sh [--prefix FOLDER] [--name MACHINE]      default: ~/.local, dev
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

prefix=$HOME/.local
name=dev

die() {
  printf 'quickstart.sh: %s\n' "$*" >&2
  exit 1
}

step() {
  printf '\n== [%d s] %s\n' "$SECONDS" "$*"
}

arguments=("$@")
while [ $# -gt 0 ]; do
  case $1 in
    --help | -h) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit ;;
    --prefix | --name) [ -n "${2:-}" ] || die "flag $1 needs a value" ;;
    *) die "unknown argument '$1'; see --help" ;;
  esac
  case $1 in
    --prefix) prefix=$2 ;;
    --name) name=$2 ;;
  esac
  shift 2
done
mkdir -p "$prefix"
prefix=$(cd "$prefix" && pwd)

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

answers() {
  docker version --format '{{.Server.Version}}' >/dev/null 2>&1
}

await_engine() {
  local deadline=$((SECONDS + 30))
  until [ -S "$1" ] && as_root docker --host "unix://$1" version >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || return 1
    sleep 0.2
  done
}

# Starts Debian's dockerd: as the service it is, or by itself where no systemd runs.
start_engine() {
  local socket=/var/run/docker.sock state=/var/lib/machine-quickstart
  if [ -d /run/systemd/system ]; then
    as_root systemctl start docker.service
  else
    as_root mkdir -p "$state"
    # shellcheck disable=SC2016  # expanded by the inner shell
    as_root sh -c 'setsid /usr/sbin/dockerd --pidfile "$1/dockerd.pid" </dev/null >>"$1/dockerd.log" 2>&1 &' \
      sh "$state"
    echo "started dockerd; to stop it: kill \$(cat $state/dockerd.pid); its log: $state/dockerd.log"
  fi
  await_engine "$socket" || die "the Docker Engine does not answer on $socket; see $state/dockerd.log or journalctl -u docker"
}

# Makes sure that this user reaches an engine: the one of DOCKER_HOST if set, else the system's.
ensure_engine() {
  local user
  user=$(id -un)
  if answers; then return; fi
  [ -z "${DOCKER_HOST:-}" ] || die "no Docker Engine answers at DOCKER_HOST=$DOCKER_HOST"
  as_root docker version >/dev/null 2>&1 || start_engine
  if answers; then return; fi
  # The engine runs and is closed to this user: its group decides.
  [ -z "${MACHINE_QUICKSTART_GROUP:-}" ] || die "$user is in the group docker and gets no answer"
  echo "adding $user to the group docker, which may use the engine (as good as root on this machine)"
  as_root usermod -aG docker "$user"
  # The group counts for new sessions only: go on in one.
  export MACHINE_QUICKSTART_GROUP=1
  exec sg docker -c "$(printf '%q ' "$here/quickstart.sh" "${arguments[@]}")"
}

step "packages"
"$here/install-deps.sh" --build --run

step "build and install to $prefix"
"$here/install.sh" "$prefix"
machine=$prefix/bin/docker-machine

step "Docker Engine for the docker driver"
ensure_engine
docker version --format 'engine {{.Server.Version}} answers'

step "host image"
if docker image inspect machine-host:bookworm >/dev/null 2>&1; then
  echo "machine-host:bookworm is there"
else
  as_root "$here/hostimage/build.sh" ${DOCKER_HOST:+--docker-host "$DOCKER_HOST"}
fi

step "machine $name"
if ! state=$("$machine" status "$name" 2>/dev/null); then
  "$machine" create --driver docker "$name"
elif [ "$state" = Running ]; then
  echo "$name is running"
else
  "$machine" start "$name"
fi

step "proof: the engine of $name answers through TLS"
# xargs takes the quotes off as a shell would.
mapfile -t options < <("$machine" config "$name" | xargs -n 1)
unset DOCKER_HOST DOCKER_TLS_VERIFY DOCKER_CERT_PATH
docker "${options[@]}" version
docker "${options[@]}" info

cat <<TEXT

$name works ($SECONDS s). How to go on:
  $([[ :$PATH: == *:$prefix/bin:* ]] || echo "export PATH=$prefix/bin:\$PATH")
  eval "\$(docker-machine env $name)"      # docker now talks to $name
  docker-machine ls
  docker-machine create -d docker another
  docker-machine create -d generic --generic-ip-address ADDRESS --generic-ssh-user USER NAME
  docker-machine rm $name
TEXT
if [ -n "${MACHINE_QUICKSTART_GROUP:-}" ]; then
  echo "Log in again (or run \`newgrp docker\`) first: $(id -un) is new in the group docker."
fi
