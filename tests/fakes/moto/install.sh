#!/bin/bash
# Puts moto, an emulator of AWS, into the user's cache and prints the path of its Python.
# Does nothing when it is there.
#
#   install.sh
#
# Fails without a word on standard output where there is no Python with venv or the packages cannot be
# had: tests that need moto then report themselves as skipped.
set -euo pipefail

readonly MOTO=5.2.5
readonly BOTOCORE=1.44.8
folder=${XDG_CACHE_HOME:-$HOME/.cache}/machine-tools/moto-$MOTO
program=$folder/bin/python3

if [ ! -e "$folder/complete" ]; then
  if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    echo "install.sh: no python3 with venv: tests against moto are skipped" >&2
    exit 1
  fi
  mkdir -p "${folder%/*}"
  # A venv knows its own path, so it cannot be made elsewhere and moved: one at a time.
  exec 9>"$folder.lock"
  flock 9
  if [ ! -e "$folder/complete" ]; then
    python3 -m venv --clear "$folder"
    "$folder/bin/pip" install --quiet --disable-pip-version-check \
      "moto[ec2,server]==$MOTO" "botocore==$BOTOCORE" >&2
    touch "$folder/complete"
  fi
fi
echo "$program"
