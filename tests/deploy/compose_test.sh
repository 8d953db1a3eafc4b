#!/bin/bash
# deploy/docker/compose.yaml on a real engine: brought up, the main job through one orchestrator, and through
# the other when the first one is killed.
#
#   compose_test.sh PROGRAM...       docker-machine, and what it starts
set -euo pipefail
work=$(mktemp -d)
chmod 711 "$work"

if [ -z "${MACHINE_BED_DOCKER_HOST:-}" ] || [ "$(id -u)" != 0 ] || ! command -v docker-compose >/dev/null; then
  echo "skipped: needs root, MACHINE_BED_DOCKER_HOST and deploy/install-deps.sh --package"
  exit 0
fi
export DOCKER_HOST=$MACHINE_BED_DOCKER_HOST MACHINE_BED=${MACHINE_BED:-$HOME/.cache/machine-bed}
export COMPOSE_PROJECT_NAME=machinetest MACHINE_DEPLOY=$work/deploy HOME=$work/home
# Ports of this test: others may have the usual ones.
export MACHINE_PORT_1=17676 MACHINE_PORT_2=17677 MACHINE_PORT_PROMETHEUS_1=19091 MACHINE_PORT_PROMETHEUS_2=19092
compose() { docker-compose -f deploy/docker/compose.yaml "$@"; }
host() { "$MACHINE_BED_SCRIPTS/host.sh" "$@"; }
clean_up() {
  compose down --volumes --timeout 1 >/dev/null 2>&1 || true
  host rm compose-target || true
  rm -rf "$work"
}
trap clean_up EXIT
step() { printf '== [%d s] %s\n' "$SECONDS" "$*"; }
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  compose logs --tail 15 >&2 || true
  exit 1
}
await() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || fail "timed out: $*"
    sleep 0.2
  done
}

step "images and containers"
prefix=$work/prefix
mkdir -p "$prefix/bin" "$prefix/libexec/docker-machine" "$HOME"
for program in "$@"; do
  case $program in
    */docker-machine) install -m 755 "$program" "$prefix/bin/" ;;
    *) install -m 755 "$program" "$prefix/libexec/docker-machine/" ;;
  esac
done
compose down --volumes --timeout 1 >/dev/null 2>&1 || true
deploy/docker/up.sh "$prefix" "$MACHINE_DEPLOY"
for service in orchestrator-1 orchestrator-2 provisioner driver-generic; do
  docker inspect -f '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}}' "$(compose ps -q $service)" |
    grep -qx '10001:10001 true' || fail "$service is root, or may write"
done
docker images --format '{{.Repository}} {{.Size}}' | grep '^machine-' | sort -u

step "the main job, by the driver and the provisioner in their containers"
host rm compose-target
target=$(host up compose-target)
machine() { "$prefix/bin/docker-machine" "$@"; }
token=$(compose exec -T orchestrator-1 /usr/libexec/docker-machine/machine-orchestrator user token ada)
for number in 1 2; do
  port=MACHINE_PORT_$number
  machine server add "$number" --address "127.0.0.1:${!port}"
done
machine login --server 1 "$token"
token=$(machine --host 1 user token --role admin bob | grep -o 'dmj1_[^ ]*')
machine login --server 2 "$token"
for name in ca.crt client.crt client.key; do
  compose exec -T orchestrator-1 cat "/run/secrets/$name" >"$work/$name"
done
machine --host 1 driver register elsewhere driver-generic:7700 --ca "$work/ca.crt" \
  --cert "$work/client.crt" --key "$work/client.key"
machine --host 1 create -d elsewhere --generic-ip-address "$target" --generic-ssh-user root \
  --generic-ssh-key "$MACHINE_BED/id_ed25519" box
[ "$(machine --host 2 status box)" = Running ] || fail "the other orchestrator does not know box"
for port in "$MACHINE_PORT_PROMETHEUS_1" "$MACHINE_PORT_PROMETHEUS_2"; do
  await 30 sh -c "curl -fsS 'http://127.0.0.1:$port/api/v1/query?query=up' | grep -q '\"1\"'"
done

step "one orchestrator is killed in the middle of an operation"
machine --host 1 provision box >"$work/provision.log" 2>&1 &
provision=$!
await 20 sh -c "'$prefix/bin/docker-machine' --host 2 ops ls | grep -q box"
docker kill "$(compose ps -q orchestrator-1)" >/dev/null
# The client of the killed one may end with an error; the operation may not.
wait "$provision" || true
await 90 sh -c "! '$prefix/bin/docker-machine' --host 2 ops ls | grep -q box"
machine --host 2 ops ls --all 2>/dev/null || machine --host 2 ops ls
[ "$(machine --host 2 status box)" = Running ] || fail "box is not Running"
machine --host 2 ssh box docker version --format '{{.Server.Version}}'
machine --host 2 rm -f box
echo "PASSED in $SECONDS s"
