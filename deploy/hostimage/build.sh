#!/bin/bash
# Builds the image that the `docker` driver turns into machines, and its variants for the tests.
# See --help and README.md beside this file.
set -euo pipefail

# A shell of `su` has no sbin in its PATH.
PATH=$PATH:/usr/sbin:/sbin
readonly SUITE=bookworm
readonly PACKAGES=systemd,systemd-sysv,dbus,openssh-server,sudo,curl,ca-certificates,iproute2,procps
readonly MORE_PACKAGES=iptables,kmod,openssl,netcat-openbsd
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
# shellcheck source=SCRIPTDIR/debian.sh
source "$here/debian.sh"

image=machine-host:bookworm
variant=engine
docker_host=${DOCKER_HOST:-}
mirror=
force=
work=${XDG_CACHE_HOME:-$HOME/.cache}/machine-hostimage

usage() {
  cat <<'TEXT'
Usage: build.sh [flags]

Builds a Debian 12 system with systemd and sshd and imports it into a Docker Engine as an image.
Does nothing when the image is there and was made by the same recipe.

  --image NAME:TAG       name of the image (default machine-host:bookworm)
  --variant VARIANT      engine   Docker Engine installed, but off (default: what the docker driver
                                  wants, a create then takes seconds)
                         bare     no engine; installs packages from this machine's Debian mirror
                         offline  no engine; a local pool of packages in /opt/debs is the only
                                  source, so that installing the engine needs no network
  --docker-host ADDRESS  engine to import into (default $DOCKER_HOST or the system's)
  --mirror URL           Debian mirror (default: the ones in this machine's apt configuration)
  --force                build also when the image is up to date
  --help                 this text

Files are cached in ${XDG_CACHE_HOME:-~/.cache}/machine-hostimage.
TEXT
}

die() {
  printf 'build.sh: %s\n' "$*" >&2
  exit 1
}

say() {
  printf '[%3d s] %s\n' "$SECONDS" "$*"
}

parse_flags() {
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) usage; exit 0 ;;
      --force) force=1; shift; continue ;;
      --image | --variant | --docker-host | --mirror)
        [ -n "${2:-}" ] || die "flag $1 needs a value" ;;
      *) die "unknown argument '$1'; see build.sh --help" ;;
    esac
    case $1 in
      --image) image=$2 ;;
      --variant) variant=$2 ;;
      --docker-host) docker_host=$2 ;;
      --mirror) mirror=$2 ;;
    esac
    shift 2
  done
  case $variant in
    bare | engine | offline) ;;
    *) die "unknown variant '$variant': bare, engine or offline" ;;
  esac
}

check_prerequisites() {
  [ "$(id -u)" = 0 ] || die "must run as root (debootstrap makes a root file system): sudo $0 …"
  local tool
  for tool in debootstrap docker tar chroot unshare; do
    command -v "$tool" >/dev/null || die "$tool is missing: run deploy/install-deps.sh"
  done
  docker version >/dev/null 2>&1 ||
    die "no Docker Engine answers at ${DOCKER_HOST:-the default socket}; see --docker-host"
}

# Hash of everything that decides what is in the image; the arguments are the functions that make it.
recipe() {
  {
    printf '%s\n' "$PACKAGES" "$MORE_PACKAGES"
    sources
    declare -f "$@"
    (cd "$here/overlay" && find . -type f -print -exec cat {} + | sort)
    { fetch_settings; extra_certificates; } | while read -r file; do cat "$file"; done
  } | sha256sum | cut -c1-16
}

# What only costs time at start or stop in a container, or fights with the machine outside.
masked_units() {
  cat <<'UNITS'
getty.target console-getty.service systemd-udevd.service
systemd-udev-trigger.service systemd-udevd-kernel.socket systemd-udevd-control.socket
systemd-modules-load.service systemd-timesyncd.service systemd-journal-catalog-update.service
systemd-update-utmp.service systemd-update-utmp-runlevel.service systemd-pstore.service
systemd-random-seed.service systemd-binfmt.service systemd-ask-password-wall.path
systemd-firstboot.service sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount
dev-mqueue.mount apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer
e2scrub_reap.service fstrim.timer
UNITS
}

# The common part of all variants, in $work/rootfs.
build_root() {
  local root=$work/rootfs hash
  hash=$(recipe build_root configure_root copy_apt_configuration masked_units)
  if [ "$(cat "$work/rootfs.recipe" 2>/dev/null)" = "$hash" ]; then
    say "root file system: taken from $root"
    return
  fi
  rm -rf "$root" "$work/rootfs.recipe"
  say "root file system: fetching Debian $SUITE (about a minute)"
  local archive
  archive=$(sources | awk -v suite="$SUITE" '$2 == suite { print $1; exit }')
  debootstrap --variant=minbase --include="$PACKAGES,$MORE_PACKAGES" "$SUITE" "$root" "$archive" \
    >"$work/debootstrap.log" 2>&1 ||
    die "debootstrap failed; the end of $work/debootstrap.log:
$(tail -n 15 "$work/debootstrap.log")"
  configure_root "$root"
  printf '%s\n' "$hash" >"$work/rootfs.recipe"
}

configure_root() {
  local root=$1
  say "root file system: updates and settings"
  copy_apt_configuration "$root"
  # Nothing may start while packages are unpacked.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  {
    in_root "$root" update-ca-certificates
    in_root "$root" apt-get -q update
    in_root "$root" apt-get -qy upgrade
    in_root "$root" useradd --create-home --shell /bin/bash --groups sudo machine
  } >"$work/configure.log" 2>&1 || die "$(tail -n 15 "$work/configure.log")"
  cp -a --no-preserve=ownership "$here/overlay/." "$root/"
  chmod 440 "$root/etc/sudoers.d/machine"
  install -d -m 700 "$root/root/.ssh"
  in_root "$root" install -d -m 700 -o machine -g machine /home/machine/.ssh
  # Each machine makes its own.
  rm -f "$root"/etc/ssh/ssh_host_*
  : >"$root/etc/machine-id"
  # shellcheck disable=SC2046  # words
  in_root "$root" systemctl mask $(masked_units) >/dev/null 2>&1
  in_root "$root" systemctl enable machine-hostkeys.service ssh.service >/dev/null 2>&1
  in_root "$root" systemctl set-default multi-user.target >/dev/null 2>&1
}

# Prints the fields of a package index for each package file in folder $1.
package_index() {
  local file
  for file in "$1"/*.deb; do
    dpkg-deb -f "$file" | grep -v '^$'
    printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$(basename "$file")" \
      "$(stat -c %s "$file")" "$(sha256sum "$file" | cut -d' ' -f1)"
  done
}

add_engine() {
  say "variant engine: installing docker.io"
  in_root "$1" apt-get -qy install --no-install-recommends docker.io >"$work/variant.log" 2>&1 ||
    die "$(tail -n 15 "$work/variant.log")"
  # Off until the machine is provisioned: the socket unit alone would start it with no TLS.
  in_root "$1" systemctl disable docker.service docker.socket containerd.service >/dev/null 2>&1
  rm -rf "$1"/var/lib/docker "$1"/var/lib/containerd
}

add_offline_pool() {
  say "variant offline: fetching the packages of docker.io into /opt/debs"
  local pool=$1/opt/debs
  mkdir -p "$pool/partial"
  in_root "$1" apt-get -qy install --no-install-recommends --download-only \
    -o Dir::Cache::archives=/opt/debs docker.io >"$work/variant.log" 2>&1 ||
    die "$(tail -n 15 "$work/variant.log")"
  rm -rf "$pool/partial" "$pool/lock"
  package_index "$pool" >"$pool/Packages"
  rm -f "$1"/etc/apt/sources.list.d/*
  # Trusted: the pool is part of the image, and apt checked each package when it was fetched.
  echo 'deb [trusted=yes] file:/opt/debs ./' >"$1/etc/apt/sources.list.d/pool.list"
}

build_variant() {
  local root=$work/variant hash=$1
  rm -rf "$root"
  cp -a --reflink=auto "$work/rootfs" "$root"
  case $variant in
    engine) add_engine "$root" ;;
    offline) add_offline_pool "$root" ;;
  esac
  rm -rf "$root/usr/sbin/policy-rc.d" "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* \
    "$root"/var/log/*.log "$root"/var/log/apt
  : >"$root/etc/resolv.conf"
  say "importing as $image"
  tar -C "$root" --one-file-system --numeric-owner -c . | docker import \
    -c 'CMD ["/sbin/machine-init"]' -c 'ENV container=docker' \
    -c 'LABEL org.machine.hostimage=1' -c "LABEL org.machine.hostimage.variant=$variant" \
    -c "LABEL org.machine.hostimage.recipe=$hash" - "$image" >/dev/null
  rm -rf "$root"
}

main() {
  parse_flags "$@"
  [ -z "$docker_host" ] || export DOCKER_HOST=$docker_host
  check_prerequisites
  archive_sources=$(debian_sources)
  [ -n "$archive_sources" ] ||
    die "this machine's apt configuration has no source of Debian $SUITE: give one with --mirror URL"

  mkdir -p "$work"
  exec 9>"$work/lock"
  flock -n 9 || { say "waiting for another build.sh"; flock 9; }

  local hash found
  hash=$variant-$(recipe build_root configure_root copy_apt_configuration masked_units \
    add_engine add_offline_pool package_index build_variant)
  found=$(docker image inspect -f '{{index .Config.Labels "org.machine.hostimage.recipe"}}' \
    "$image" 2>/dev/null || true)
  if [ "$found" = "$hash" ] && [ -z "$force" ]; then
    say "image $image ($variant) is up to date"
    return
  fi
  build_root
  build_variant "$hash"
  say "image $image ($variant): $(docker image inspect -f '{{.Size}}' "$image" |
    awk '{ printf "%d MB", $1 / 1e6 }')"
}

main "$@"
