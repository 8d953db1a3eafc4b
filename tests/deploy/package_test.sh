#!/bin/bash
# The Debian packages on hosts with systemd: installed on one, the main job over mTLS from another one to
# a third, upgraded while operations run, removed and purged.
#
#   package_test.sh PROGRAM...       docker-machine, and what it starts
set -euo pipefail
work=$(mktemp -d)
hosts=(package-server package-client package-target)

if [ -z "${MACHINE_BED_DOCKER_HOST:-}" ] || [ "$(id -u)" != 0 ] || ! command -v dh >/dev/null; then
  echo "skipped: needs root, MACHINE_BED_DOCKER_HOST and deploy/install-deps.sh --package"
  exit 0
fi
export DOCKER_HOST=$MACHINE_BED_DOCKER_HOST MACHINE_BED=${MACHINE_BED:-$HOME/.cache/machine-bed}
host() { "$MACHINE_BED_SCRIPTS/host.sh" "$@"; }
clean_up() {
  host rm "${hosts[@]}" || true
  rm -rf "$work"
}
trap clean_up EXIT

fail() {
  printf 'FAILED: %s\n' "$*" >&2
  host exec package-server journalctl -u machine-orchestrator --no-pager -n 40 >&2 || true
  exit 1
}
step() { printf '== [%d s] %s\n' "$SECONDS" "$*"; }
server() { host exec package-server "$@"; }
client() { host exec package-client env HOME=/root "$@"; }
# Waits up to $1 seconds for the rest of the line.
await() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || fail "timed out: $*"
    sleep 0.2
  done
}

step "packages, twice"
prefix=$work/prefix
mkdir -p "$prefix/bin" "$prefix/libexec/docker-machine"
for program in "$@"; do
  case $program in
    */docker-machine) install -m 755 "$program" "$prefix/bin/" ;;
    *) install -m 755 "$program" "$prefix/libexec/docker-machine/" ;;
  esac
done
deploy/share.sh "$prefix" >/dev/null
export BUILDDEB_OPTIONS=-Znone
for revision in 1 2; do
  PACKAGE_PREFIX=$prefix PACKAGE_REVISION=$revision deploy/debian/build.sh "$work/$revision" >/dev/null &
  builds[revision]=$!
done
wait "${builds[1]}"
wait "${builds[2]}"

step "hosts"
for name in "${hosts[@]}"; do
  host rm "$name"
  host up "$name" >/dev/null
done
target=$(host ip package-target)
server_ip=$(host ip package-server)

step "what the packages need from Debian, for hosts without a network"
server cat /var/lib/dpkg/status >"$work/status"
mkdir -p "$work/debs/partial"
apt-get -qq -o Dir::State::status="$work/status" -o Dir::Cache::archives="$work/debs" \
  -o APT::Sandbox::User=root --no-install-recommends --download-only -y install \
  "$work"/1/*.deb >/dev/null
put() {
  local to=$1
  shift
  docker exec "$to" mkdir -p /root/debs
  tar -C / -cf - "${@/#\//}" | docker exec -i "$to" tar -C /root/debs --transform 's|.*/||' -xf -
}
put package-server "$work"/debs/*.deb "$work"/1/*.deb
put package-client "$work"/debs/*.deb "$work"/1/docker-machine_*.deb

step "install"
server sh -c 'DEBIAN_FRONTEND=noninteractive dpkg -i /root/debs/*.deb' >"$work/log" 2>&1 ||
  { cat "$work/log"; fail "dpkg -i on the server"; }
client sh -c 'DEBIAN_FRONTEND=noninteractive dpkg -i /root/debs/*.deb' >"$work/log" 2>&1 ||
  { cat "$work/log"; fail "dpkg -i on the client"; }
[ "$(server systemctl is-active machine-orchestrator)" = active ] || fail "the unit is not active"
[ "$(server systemctl is-enabled machine-orchestrator)" = enabled ] || fail "the unit is not enabled"
[ "$(server systemctl is-active machine-provisioner || true)" = inactive ] || fail "provisioner runs"
server machine-orchestrator health --config /etc/docker-machine/orchestrator.yaml
server ps -o user= -C machine-orchestr | grep -q docker || fail "it does not run as its own user"
for unit in machine-orchestrator machine-provisioner machine-driver@generic; do
  exposure=$(server systemd-analyze security --no-pager "$unit.service" |
    sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p')
  echo "exposure of $unit: $exposure"
  awk -v found="$exposure" 'BEGIN { exit !(found != "" && found <= 2.5) }' || fail "exposure of $unit"
done
client sh -c 'test -s /usr/share/bash-completion/completions/docker-machine'
client sh -c 'ls /usr/share/man/man1/docker-machine.1.gz' >/dev/null ||
  echo "(this image has no manual pages)"

step "a shared orchestrator"
server sed -i 's|^#listen: .*|listen: 0.0.0.0:7676|' /etc/docker-machine/orchestrator.yaml
server machine-orchestrator --check-config --config /etc/docker-machine/orchestrator.yaml
server systemctl restart machine-orchestrator
server sed -i 's|^#log-level: .*|log-level: debug|' /etc/docker-machine/orchestrator.yaml
server systemctl reload machine-orchestrator
await 10 server sh -c 'journalctl -u machine-orchestrator | grep -q "\"log_level\":\"debug\""'
token=$(server machine-orchestrator user token ada --config /etc/docker-machine/orchestrator.yaml)
client docker-machine server add team --address "$server_ip:7676"
client docker-machine login --server team "$token"
client docker-machine server use team

step "the main job"
docker exec -i package-client sh -c 'mkdir -p /root/.ssh && cat >/root/.ssh/id_ed25519 && chmod 600 /root/.ssh/id_ed25519' \
  <"$MACHINE_BED/id_ed25519"
create() {
  client docker-machine create -d generic --generic-ip-address "$target" \
    --generic-ssh-user root --generic-ssh-key /root/.ssh/id_ed25519 "$1"
}
create box
[ "$(client docker-machine status box)" = Running ] || fail "box is not Running"
client docker-machine ssh box docker version --format '{{.Server.Version}}'
# shellcheck disable=SC2016  # expanded on the host
client sh -c 'eval "$(docker-machine env --shell sh box)" && curl -fsS --cacert "$DOCKER_CERT_PATH/ca.pem" \
  --cert "$DOCKER_CERT_PATH/cert.pem" --key "$DOCKER_CERT_PATH/key.pem" \
  "https://${DOCKER_HOST#tcp://}/_ping"' | grep -q OK || fail "the engine does not answer over TLS"

step "upgrade while an operation runs"
put package-server "$work"/2/*.deb
client docker-machine provision box >"$work/provision.log" 2>&1 &
provision=$!
await 20 client sh -c 'docker-machine ops ls | grep -q box'
server sh -c 'DEBIAN_FRONTEND=noninteractive dpkg -i /root/debs/docker-machine*-2_*.deb' >"$work/log" 2>&1 ||
  { cat "$work/log"; fail "upgrade"; }
server dpkg-query -W docker-machine-server
wait "$provision" || { cat "$work/provision.log"; fail "the operation that ran was lost"; }
client docker-machine ops ls
[ "$(client docker-machine status box)" = Running ] || fail "box is not Running after the upgrade"

step "remove and purge"
server dpkg --remove docker-machine-server >/dev/null 2>&1
server test ! -e /usr/libexec/docker-machine/machine-orchestrator
server test -e /var/lib/docker-machine/server/store.db
server test -e /etc/docker-machine/orchestrator.yaml
server dpkg --purge docker-machine-server docker-machine >/dev/null 2>&1
server test ! -e /var/lib/docker-machine
server test ! -e /etc/docker-machine
server sh -c '! systemctl cat machine-orchestrator' >/dev/null 2>&1
echo "PASSED in $SECONDS s"
