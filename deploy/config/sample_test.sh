#!/bin/bash
# The committed sample of a provisioner or of drivers is what each program prints, a file of it is good as it is, and
# so is one with every key of it in use.
#
#   sample_test.sh SAMPLE PROGRAM...
#
# The sample of drivers says NAME where a program says its own.
set -euo pipefail
sample=$1
shift
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

check() {
  "$program" --check-config --config "$work/file.yaml" "${@}" >"$work/out" 2>&1 || { cat "$work/out"; exit 1; }
}

for program in "$@"; do
  name=${program##*/}
  name=${name#machine-driver-}
  "$program" --sample-config |
    sed "s/machine-driver-$name/machine-driver-NAME/; s/MACHINE_DRIVER_${name^^}_/MACHINE_DRIVER_NAME_/" >"$work/printed"
  diff "$sample" "$work/printed" ||
    { echo "deploy/config/README.md says how the sample is made anew" >&2; exit 1; }

  cp "$sample" "$work/file.yaml"
  check --listen 127.0.0.1:0 --insecure-loopback
  # What belongs to TLS, and what does not go with it; the files are only looked at.
  sed 's/^#\([a-z-]*:\)/\1/' "$sample" >"$work/all.yaml"
  [ "$(grep -c '^[a-z]' "$work/all.yaml")" -ge 8 ] || { cat "$work/all.yaml"; exit 1; }
  touch "$work"/{service.pem,service.key,ca.pem}
  echo secret >"$work/cookie"
  mkdir -p "$work/socket" && chmod 700 "$work/socket"
  sed -i "s|/etc/docker-machine|$work|" "$work/all.yaml"
  grep -v '^insecure-loopback:\|^cookie-file:' "$work/all.yaml" >"$work/file.yaml"
  check
  grep -v '^tls-' "$work/all.yaml" | sed "s|^listen:.*|listen: unix:$work/socket/s|" >"$work/file.yaml"
  check
  echo "data-dri: /srv" >>"$work/file.yaml"
  if (check) >"$work/said"; then
    echo "an unknown key is not refused" >&2
    exit 1
  fi
  grep -q 'data-dir' "$work/said" || { cat "$work/said"; exit 1; }
done
