#!/bin/bash
# Puts prism, a mock server for API descriptions, into the user's cache and prints the program's path.
# Does nothing when it is there.
#
#   install.sh
#
# Fails without a word on standard output where there is no npm or the package cannot be had: tests that
# need prism then report themselves as skipped.
set -euo pipefail

readonly VERSION=5.14.2
folder=${XDG_CACHE_HOME:-$HOME/.cache}/machine-tools/prism-$VERSION
program=$folder/node_modules/.bin/prism

if [ ! -x "$program" ]; then
  if ! command -v npm >/dev/null || ! command -v node >/dev/null; then
    echo "install.sh: no node and npm: tests against prism are skipped" >&2
    exit 1
  fi
  mkdir -p "${folder%/*}"
  # Complete or not there at all, whoever else installs it at this moment.
  temporary=$(mktemp -d "$folder.XXXXXX")
  trap 'rm -rf "$temporary"' EXIT
  npm install --silent --no-audit --no-fund --ignore-scripts --prefix "$temporary" \
    "@stoplight/prism-cli@$VERSION" >&2
  mv -T "$temporary" "$folder" 2>/dev/null || [ -x "$program" ]
fi
echo "$program"
