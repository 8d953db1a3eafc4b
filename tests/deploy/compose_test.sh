#!/bin/bash
# deploy/docker/compose.yaml on a real engine: brought up, the main job through one orchestrator, and through
# the other when the first one is killed in the middle of a create.
#
#   compose_test.sh PROGRAM...       docker-machine, and what it starts
set -euo pipefail

if [ -z "${MACHINE_BED_DOCKER_HOST:-}" ] || [ "$(id -u)" != 0 ]; then
  echo "skipped: needs root and MACHINE_BED_DOCKER_HOST (deploy/test.sh)"
  exit 0
fi
# shellcheck source-path=SCRIPTDIR source=common.sh
. tests/deploy/common.sh
make_prefix "$@"
chmod 711 "$work"
export COMPOSE_PROJECT_NAME=machinetest HOME=$work/home
# Ports of this test: others may have the usual ones.
export MACHINE_PORT_1=17676 MACHINE_PORT_2=17677 MACHINE_PORT_PROMETHEUS=19091
readonly folder=$work/deploy docker_machine=$prefix/bin/docker-machine
compose() { docker-compose --env-file "$folder/compose.env" -f deploy/docker/compose.yaml "$@"; }
machine() { "$docker_machine" "$@"; }
# What this test, or a run of it that was killed, has left.
remove_containers() {
  docker ps -aq --filter label=com.docker.compose.project=machinetest | xargs -r docker rm -fv >/dev/null
  docker ps -aq --filter network=machinetest_default | xargs -r docker rm -fv >/dev/null
  docker volume ls -q --filter label=com.docker.compose.project=machinetest | xargs -r docker volume rm >/dev/null
  docker volume ls -q --filter name=machine-compose | xargs -r docker volume rm >/dev/null
  docker network ls -q --filter label=com.docker.compose.project=machinetest | xargs -r docker network rm >/dev/null
}
clean_up() {
  remove_containers || true
  rm -rf "$work"
}
trap clean_up EXIT
logs() { compose logs --tail 15; }

step "images and containers"
remove_containers
mkdir -p "$HOME"
deploy/docker/up.sh "$prefix" "$folder"
for service in orchestrator-1 orchestrator-2 provisioner driver-docker; do
  docker inspect -f '{{.Config.User}} {{.HostConfig.ReadonlyRootfs}}' "$(compose ps -q $service)" |
    grep -qx '10001:10001 true' || fail "$service is root, or may write"
done
docker images --format '{{.Repository}} {{.Size}}' | grep '^machine-' | sort -u

step "the main job"
token=$(compose exec -T orchestrator-1 /usr/libexec/docker-machine/machine-orchestrator user token ada)
machine server add 1 --address "127.0.0.1:$MACHINE_PORT_1"
machine server add 2 --address "127.0.0.1:$MACHINE_PORT_2"
machine login --server 1 "$token"
token=$(machine --host 1 user token --role admin bob | grep -o 'dmj1_[^ ]*')
machine login --server 2 "$token"
machine --host 1 driver register here driver-docker:7700 --ca "$folder/orchestrator/ca.crt" \
  --cert "$folder/orchestrator/client.crt" --key "$folder/orchestrator/client.key"
create() { machine --host "$1" create -d here --docker-network machinetest_default "$2"; }
create 1 compose-1
[ "$(machine --host 2 status compose-1)" = Running ] || fail "the other orchestrator does not know compose-1"
# By the files of `env` and over TLS: the docker command, and a container in the machine.
docker_in() {
  local name=$1 settings
  shift
  settings=$(machine --host 2 env --shell sh "$name")
  (eval "$settings" && docker "$@")
}
(
  eval "$(machine --host 2 env --shell sh compose-1)"
  case $DOCKER_HOST in tcp://*:2376) ;; *) fail "DOCKER_HOST is $DOCKER_HOST" ;; esac
  [ "$DOCKER_TLS_VERIFY" = 1 ] || fail "no TLS"
  "$MACHINE_BED_SCRIPTS/busybox.sh" import busybox:test
)
[ "$(docker_in compose-1 run --rm busybox:test echo hello)" = hello ] || fail "docker run"

step "metrics of both orchestrators in Prometheus"
ups() { curl -fsS "http://127.0.0.1:$MACHINE_PORT_PROMETHEUS/api/v1/query?query=$1" | tr -d ' ' | grep -o '"value":\[[^]]*"1"\]' | wc -l; }
both_are_up() { [ "$(ups up)" = 2 ]; }
await 60 both_are_up
# Not before the next scrape.
calls_are_counted() {
  local answer
  answer=$(curl -fsS "http://127.0.0.1:$MACHINE_PORT_PROMETHEUS/api/v1/query?query=rpc_seconds_count") &&
    [[ $answer == *CreateMachine* ]]
}
await 60 calls_are_counted
[ -z "$(docker port "$(compose ps -q orchestrator-1)" 7678 2>/dev/null)" ] || fail "the metrics' port is published"

step "an orchestrator is killed in the middle of a create"
create 1 compose-2 >"$work/create.log" 2>&1 &
create=$!
is_created() { machine --host 2 ops ls | grep -q compose-2; }
await 20 is_created
docker kill "$(compose ps -q orchestrator-1)" >/dev/null
machine --host 2 ops ls
is_done() { ! machine --host 2 ops ls | grep -q compose-2; }
await 120 is_done
# The killed one's client waits for it to come back; the operation did not.
kill "$create" 2>/dev/null || true
wait "$create" || true
machine --host 2 ops ls --all
[ "$(machine --host 2 status compose-2)" = Running ] || fail "compose-2 is not Running"
machine --host 2 ssh compose-2 docker version --format '{{.Server.Version}}'
[ "$(docker_in compose-1 run --rm busybox:test echo again)" = again ] || fail "docker run after the kill"
machine --host 2 rm -f compose-1 compose-2
[ -z "$(docker ps -aq --filter name=machine-compose)" ] || fail "containers of machines are left"
echo "PASSED in $SECONDS s"
