#!/bin/bash
# Makes the base image of the services' images from Debian packages, where no registry is to be asked.
#
#   build-base.sh IMAGE [PACKAGE...]     imports it into the engine of $DOCKER_HOST
#
# Without packages: what the programs of docker-machine need to run. With packages these are added, such
# as postgresql or prometheus for the services beside them. Needs root and debootstrap. The same IMAGE with
# the same packages is not made twice.
set -euo pipefail
PATH=$PATH:/usr/sbin:/sbin
# shellcheck disable=SC2034  # read by debian.sh
readonly SUITE=bookworm mirror=
readonly NEEDED=ca-certificates,libssl3,libssh-4,libcurl4,libpq5,openssh-client,libprometheus-cpp-core1.0,libprometheus-cpp-pull1.0
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=SCRIPTDIR/../hostimage/debian.sh
source "$here/../hostimage/debian.sh"

image=${1:?usage: build-base.sh IMAGE [PACKAGE...]}
shift
packages=$NEEDED
for package in "$@"; do packages+=,$package; done
archive_sources=$(debian_sources)
recipe=$(cat "$0" "$here/../hostimage/debian.sh" <<<"$packages $archive_sources" | sha256sum | cut -c1-16)
if [ "$(docker image inspect -f '{{index .Config.Labels "org.machine.base.recipe"}}' "$image" 2>/dev/null ||
  true)" = "$recipe" ]; then
  echo "image $image is up to date"
  exit
fi

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
archive=$(sources | awk -v suite="$SUITE" '$2 == suite { print $1; exit }')
debootstrap --variant=minbase --include="$packages" "$SUITE" "$root" "$archive" >"$root.log" 2>&1 ||
  { tail -n 15 "$root.log" >&2; exit 1; }
rm -f "$root.log"
extra_certificates | while read -r file; do cp "$file" "$root/usr/local/share/ca-certificates/"; done
in_root "$root" update-ca-certificates >/dev/null 2>&1
# Nothing is installed later, so what installs can go, and what nobody reads there.
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/* "$root"/etc/apt/apt.conf.d/* \
  "$root"/usr/share/doc/* "$root"/usr/share/man/* "$root"/usr/share/locale/* "$root"/usr/share/info/*
: >"$root/etc/resolv.conf"
tar -C "$root" --one-file-system --numeric-owner -c . | docker import \
  -c "LABEL org.machine.base.recipe=$recipe" - "$image" >/dev/null
echo "image $image: $(docker image inspect -f '{{.Size}}' "$image" | awk '{ printf "%d MB", $1 / 1e6 }')"
