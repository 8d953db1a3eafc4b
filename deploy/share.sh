#!/bin/bash
# Makes PREFIX/share: completion for bash, zsh and fish, and manual pages. Both come from the table of
# PREFIX/bin/docker-machine, so they are as new as it is.
#
#   share.sh PREFIX
set -euo pipefail
prefix=${1:?usage: share.sh PREFIX}

complete_for() {
  mkdir -p "$prefix/share/$2"
  "$prefix/bin/docker-machine" completion "$1" >"$prefix/share/$2/$3"
}
complete_for bash bash-completion/completions docker-machine
complete_for zsh zsh/site-functions _docker-machine
complete_for fish fish/vendor_completions.d docker-machine.fish
"$prefix/bin/docker-machine" man "$prefix/share/man/man1"
