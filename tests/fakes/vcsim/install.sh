#!/bin/bash
# Builds vcsim, vSphere in memory (the Go files beside this one, on govmomi's simulator), in the user's cache
# and prints the program's path. Does nothing when it is there.
#
#   install.sh
#
# Fails without a word on standard output where there is no Go or the modules cannot be had: tests that
# need vcsim then report themselves as skipped.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

version=$(cat "$here"/*.go "$here/go.mod" "$here/go.sum" | sha256sum | cut -c1-16)
folder=${XDG_CACHE_HOME:-$HOME/.cache}/machine-tools/vcsim-$version
program=$folder/vcsim

if [ ! -x "$program" ]; then
  if ! command -v go >/dev/null; then
    echo "install.sh: no go: tests against vcsim are skipped" >&2
    exit 1
  fi
  mkdir -p "${folder%/*}"
  # Complete or not there at all, whoever else builds it at this moment.
  temporary=$(mktemp -d "$folder.XXXXXX")
  trap 'rm -rf "$temporary"' EXIT
  cp "$here"/*.go "$here/go.mod" "$here/go.sum" "$temporary"
  (cd "$temporary" && go build -mod=readonly -o vcsim .) >&2
  mv -T "$temporary" "$folder" 2>/dev/null || [ -x "$program" ]
fi
echo "$program"
