#!/bin/bash
# PostgreSQL of the compose file: makes its data at the first start, serves with TLS and passwords only.
# /run/secrets holds tls.crt, tls.key and password.
set -euo pipefail
programs=$(echo /usr/lib/postgresql/*/bin)
data=/var/lib/postgresql/machine
if [ ! -s "$data/PG_VERSION" ]; then
  "$programs/initdb" --pgdata="$data" --username=machine --pwfile=/run/secrets/password \
    --auth-local=trust --auth-host=scram-sha-256 --encoding=UTF8 >/dev/null
  echo 'hostssl all all all scram-sha-256' >"$data/pg_hba.conf"
  echo 'local all all trust' >>"$data/pg_hba.conf"
  echo "CREATE DATABASE machine" | "$programs/postgres" --single -D "$data" postgres >/dev/null
fi
# It wants a key that is its own and that nobody else can read.
install -m 600 /run/secrets/tls.key /tmp/tls.key
exec "$programs/postgres" -D "$data" -c listen_addresses='*' -c unix_socket_directories=/tmp -c ssl=on \
  -c ssl_cert_file=/run/secrets/tls.crt -c ssl_key_file=/tmp/tls.key
