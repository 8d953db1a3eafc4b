#!/bin/bash
# Makes the images and what is secret, and brings compose.yaml up.
#
#   up.sh PROGRAMS FOLDER
#
# PROGRAMS is what deploy/install.sh filled. FOLDER gets certificates, keys and passwords, made once: back it
# up. Needs the engine of $DOCKER_HOST, docker-compose, openssl, and for the base images root. All images come
# from Debian packages. MACHINE_BASE and MACHINE_PEERS name other base images.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
programs=${1:?usage: up.sh PROGRAMS FOLDER}
mkdir -p "${2:?usage: up.sh PROGRAMS FOLDER}"
folder=$(cd "$2" && pwd)
# Only an engine of this host: folders and its socket are mounted.
socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
[ "${socket#unix://}" != "$socket" ] || { echo "up.sh: needs an engine at a Unix socket" >&2; exit 1; }
socket=${socket#unix://}
# What compose.yaml asks for; later calls of docker-compose take it by --env-file.
cat >"$folder/compose.env" <<ENV
COMPOSE_PROJECT_NAME=${COMPOSE_PROJECT_NAME:-docker-machine}
MACHINE_DEPLOY=$folder
MACHINE_DOCKER_SOCKET=$socket
MACHINE_DOCKER_GROUP=$(stat -c %g "$socket")
MACHINE_PORT_1=${MACHINE_PORT_1:-7676}
MACHINE_PORT_2=${MACHINE_PORT_2:-7677}
MACHINE_PORT_PROMETHEUS=${MACHINE_PORT_PROMETHEUS:-9090}
ENV
set -a
# shellcheck disable=SC1091  # just written
. "$folder/compose.env"
set +a
readonly owner=10001:10001

# Writes $1.crt and $1.key, signed by the authority: $2 "server" or "client", $3 its name.
certificate() {
  [ ! -e "$1.crt" ] || return 0
  local use=serverAuth
  [ "$2" = server ] || use=clientAuth
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" \
    -subj "/CN=$3" -out "$folder/request.pem" 2>/dev/null
  openssl x509 -req -in "$folder/request.pem" -CA "$folder/ca.crt" -CAkey "$folder/ca.key" -days 365 \
    -extfile <(printf 'subjectAltName=DNS:%s\nextendedKeyUsage=%s\n' "$3" "$use") -out "$1.crt" 2>/dev/null
  rm "$folder/request.pem"
}

umask 077
if [ ! -e "$folder/ca.crt" ]; then
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
    -subj "/CN=docker-machine services" -keyout "$folder/ca.key" -out "$folder/ca.crt" 2>/dev/null
fi
for part in postgres provisioner driver orchestrator; do
  mkdir -p "$folder/$part"
  cp "$folder/ca.crt" "$folder/$part/ca.crt"
done
certificate "$folder/postgres/tls" server postgres
certificate "$folder/provisioner/tls" server provisioner
certificate "$folder/driver/tls" server driver-docker
certificate "$folder/orchestrator/client" client orchestrator
if [ ! -e "$folder/postgres/password" ]; then
  openssl rand -hex 24 >"$folder/postgres/password"
  printf 'postgres://machine:%s@postgres/machine?sslrootcert=/run/secrets/ca.crt\n' \
    "$(cat "$folder/postgres/password")" >"$folder/orchestrator/store.url"
fi
[ -e "$folder/sealing.key" ] || openssl rand -hex 32 >"$folder/sealing.key"
cp "$here/prometheus.yaml" "$here/postgres.sh" "$folder/"
# Who reads them in the containers. Prometheus and the script hold no secret.
chmod 711 "$folder"
chmod 644 "$folder/prometheus.yaml" "$folder/postgres.sh"
chown -R "$owner" "$folder"/{provisioner,driver,orchestrator}

base=${MACHINE_BASE:-machine-base} peers=${MACHINE_PEERS:-machine-peers}
[ -n "${MACHINE_BASE:-}" ] || "$here/build-base.sh" "$base"
[ -n "${MACHINE_PEERS:-}" ] || "$here/build-base.sh" "$peers" postgresql prometheus
build() {
  DOCKER_BUILDKIT=0 docker build -q --build-arg BASE="$base" "${@:3}" -t "$2" -f "$here/Dockerfile.$1" \
    "$programs" >/dev/null
}
build orchestrator machine-orchestrator
build provisioner machine-provisioner
build driver machine-driver-docker --build-arg DRIVER=docker
[ "$peers" = machine-peers ] || docker tag "$peers" machine-peers
# The number of that user is the image's.
chown -R "$(docker run --rm machine-peers id -u postgres)" "$folder/postgres"

compose() { docker-compose -f "$here/compose.yaml" "$@"; }
wait_healthy() {
  local id deadline=$((SECONDS + 120))
  id=$(compose ps -q "$1")
  until [ "$(docker inspect -f '{{.State.Health.Status}}' "$id")" = healthy ]; do
    [ "$SECONDS" -lt "$deadline" ] || { compose logs --tail 20 "$1"; echo "up.sh: $1 is not healthy" >&2; exit 1; }
    sleep 0.5
  done
}
# All on one database need the same key.
compose up --no-start
for volume in one two; do
  docker run --rm -i -v "${COMPOSE_PROJECT_NAME}_$volume:/var/lib/docker-machine" --entrypoint /bin/sh \
    machine-orchestrator -c 'umask 077; cd /var/lib/docker-machine; mkdir -p server; cat >server/sealing.key' \
    <"$folder/sealing.key"
done
compose up -d
for part in orchestrator-1 orchestrator-2 provisioner driver-docker; do wait_healthy "$part"; done
compose ps
