#!/bin/bash
# The Debian packages on hosts with systemd: installed on one, the main job over mTLS from another one to
# a third, upgraded while operations run, removed and purged.
#
#   package_test.sh PROGRAM...       docker-machine, and what it starts
set -euo pipefail

if [ -z "${MACHINE_BED_DOCKER_HOST:-}" ] || [ "$(id -u)" != 0 ]; then
  echo "skipped: needs root and MACHINE_BED_DOCKER_HOST (deploy/test.sh)"
  exit 0
fi
# shellcheck source-path=SCRIPTDIR source=common.sh
. tests/deploy/common.sh
make_prefix "$@"
hosts=(package-server package-client package-target)
clean_up() {
  host rm "${hosts[@]}" || true
  rm -rf "$work"
}
trap clean_up EXIT
logs() { server journalctl -u machine-orchestrator --no-pager -n 40; }
server() { host exec package-server "$@"; }
client() { host exec package-client env HOME=/root "$@"; }

step "packages, and the ones after them"
deploy/share.sh "$prefix" >/dev/null
BUILDDEB_OPTIONS=-Znone PACKAGE_PREFIX=$prefix deploy/debian/build.sh "$work/1"
mkdir "$work/2"
for package in docker-machine docker-machine-server; do
  dpkg-deb --raw-extract "$work/1/${package}"_*.deb "$work/tree"
  sed -i 's/^\(Version: .*\)-1$/\1-2/' "$work/tree/DEBIAN/control"
  dpkg-deb -Znone --build --root-owner-group "$work/tree" "$work/2" >/dev/null
  rm -rf "$work/tree"
done

step "hosts"
for name in "${hosts[@]}"; do
  host rm "$name"
  host up "$name" >/dev/null
done
target=$(host ip package-target)
server_ip=$(host ip package-server)

step "what the packages need from Debian, for hosts without a network"
server cat /var/lib/dpkg/status >"$work/status"
# Downloaded once.
debs=$MACHINE_BED/debs
mkdir -p "$debs/partial"
apt-get -qq -o Dir::State::status="$work/status" -o Dir::Cache::archives="$debs" \
  -o APT::Sandbox::User=root --no-install-recommends --download-only -y install \
  "$work"/1/*.deb >/dev/null
mkdir -p "$work/none/partial"
mapfile -t needed < <(apt-get -qq -o Dir::State::status="$work/status" -o Dir::Cache::archives="$work/none" \
  -o APT::Sandbox::User=root --no-install-recommends --print-uris -y install "$work"/1/*.deb |
  awk '/^.http/ { print $2 }' | while read -r file; do echo "$debs/$file"; done)
put() {
  local to=$1
  shift
  docker exec "$to" mkdir -p /root/debs
  tar -C / -cf - "${@/#\//}" | docker exec -i "$to" tar -C /root/debs --transform 's|.*/||' -xf -
}
put package-server "${needed[@]}" "$work"/1/*.deb
put package-client "${needed[@]}" "$work"/1/docker-machine_*.deb

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
# The operation cannot end before the restart, as its host does not answer until then.
host freeze package-target
client docker-machine provision box >"$work/provision.log" 2>&1 &
provision=$!
await 20 client sh -c 'docker-machine ops ls | grep -q box'
client docker-machine ops ls
operation=$(client docker-machine ops ls | awk '/box/ { print $1 }')
server sh -c 'DEBIAN_FRONTEND=noninteractive dpkg -i /root/debs/docker-machine*-2_*.deb' >"$work/log" 2>&1 ||
  { cat "$work/log"; fail "upgrade"; }
server dpkg-query -W docker-machine-server
await 10 client sh -c 'docker-machine ops ls | grep -q box'
host thaw package-target
wait "$provision" || { cat "$work/provision.log"; fail "the operation that ran was lost"; }
client docker-machine ops show "$operation"
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
