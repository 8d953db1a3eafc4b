#!/bin/bash
# A container image without a registry: this machine's static busybox and nothing else.
#
#   busybox.sh                             writes the file system as a tar to standard output
#   busybox.sh import [TAG] [DOCKER_ARGS]  imports it as TAG (default busybox:test); DOCKER_ARGS go
#                                          to docker, e.g. $(docker-machine config NAME)
set -euo pipefail

die() {
  printf 'busybox.sh: %s\n' "$*" >&2
  exit 1
}

write_tar() {
  local busybox root
  busybox=$(command -v busybox) || die "busybox is missing: run deploy/install-deps.sh --test"
  if ldd "$busybox" >/dev/null 2>&1; then
    die "$busybox is not static: install busybox-static"
  fi
  root=$(mktemp -d)
  # shellcheck disable=SC2064  # root is wanted as it is now
  trap "rm -rf '$root'" EXIT
  mkdir -p "$root"/{bin,dev,etc,proc,sys,tmp,root,usr}
  ln -s ../bin "$root/usr/bin"
  cp "$busybox" "$root/bin/busybox"
  local applet
  "$busybox" --list | while read -r applet; do
    [ "$applet" = busybox ] || ln -s busybox "$root/bin/$applet"
  done
  echo 'root:x:0:0:root:/root:/bin/sh' >"$root/etc/passwd"
  echo 'root:x:0:' >"$root/etc/group"
  chmod 1777 "$root/tmp"
  # Same bytes for the same busybox, so that the image has the same id everywhere.
  tar -C "$root" --sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner -c .
}

case ${1:-} in
  '') write_tar ;;
  import)
    shift
    tag=${1:-busybox:test}
    [ $# = 0 ] || shift
    write_tar | docker "$@" import -c 'CMD ["/bin/sh"]' - "$tag" >/dev/null
    echo "$tag"
    ;;
  *) die "usage: busybox.sh [import [TAG] [DOCKER_ARGS]]" ;;
esac
