#!/bin/sh
# Starts the engine as boot2docker's /etc/init.d/docker does: it reads the same variables from the same
# profile, builds the same command line, and goes into the background. For families.sh.
# shellcheck disable=SC1091
[ ! -f /var/lib/boot2docker/profile ] || . /var/lib/boot2docker/profile
: "${DOCKER_HOST:=-H tcp://0.0.0.0:2376}"
: "${DOCKER_TLS:=auto}"
: "${DOCKER_STORAGE:=auto}"
: "${DOCKER_DIR:=/var/lib/docker}"
: "${CACERT:=/var/lib/boot2docker/tls/ca.pem}"
: "${SERVERCERT:=/var/lib/boot2docker/tls/server.pem}"
: "${SERVERKEY:=/var/lib/boot2docker/tls/serverkey.pem}"
pidfile=/var/run/docker.pid

start() {
  if [ "$DOCKER_TLS" != no ] && [ -f "$SERVERCERT" ]; then
    EXTRA_ARGS="$EXTRA_ARGS --tlsverify --tlscacert=$CACERT --tlscert=$SERVERCERT --tlskey=$SERVERKEY"
  else
    DOCKER_HOST=
  fi
  [ "$DOCKER_STORAGE" = auto ] || EXTRA_ARGS="$EXTRA_ARGS --storage-driver $DOCKER_STORAGE"
  # shellcheck disable=SC2086  # words, as there
  setsid /usr/local/bin/dockerd --data-root "$DOCKER_DIR" -H unix:// $DOCKER_HOST $EXTRA_ARGS \
    --pidfile "$pidfile" >>/var/lib/boot2docker/docker.log 2>&1 </dev/null &
}

stop() {
  pid=$(cat "$pidfile" 2>/dev/null) || return 0
  kill "$pid" 2>/dev/null || return 0
  while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
}

case $1 in
  start) start ;;
  stop) stop ;;
  restart) stop && start ;;
esac
