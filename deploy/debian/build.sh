#!/bin/bash
# Makes the Debian packages docker-machine and docker-machine-server.
#
#   build.sh OUTPUT_FOLDER
#
#   PACKAGE_REVISION   Debian revision after the version of the programs (default 1)
#   PACKAGE_PREFIX     a tree that install.sh has filled already, to build nothing
#
# Needs deploy/install-deps.sh --build --package.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
deploy=$(dirname "$here")

if [ $# != 1 ] || [ "${1#-}" != "$1" ]; then
  echo "usage: build.sh OUTPUT_FOLDER" >&2
  exit 1
fi
mkdir -p "$1"
output=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
root=$work/docker-machine/root

mkdir -p "$root/usr"
if [ -n "${PACKAGE_PREFIX:-}" ]; then
  cp -a "$PACKAGE_PREFIX/." "$root/usr/"
else
  "$deploy/install.sh" "$root/usr"
fi
programs=$root/usr/libexec/docker-machine
version=$("$programs/machine-orchestrator" --version)
version=${version##* }

# A page of section 8 from what a program says of itself.
page() {
  local name=$1 title=$2 program=$3
  {
    printf '.TH %s 8 "" "docker-machine %s"\n.SH NAME\n%s \\- %s\n.SH SYNOPSIS\n.nf\n' \
      "${name^^}" "$version" "$name" "$title"
    "$programs/$program" --help | sed 's/\\/\\e/g; s/^\./\\\&./; s/-/\\-/g'
    printf '.fi\n.SH FILES\n/etc/docker-machine/, /var/lib/docker-machine/\n'
    printf '.SH SEE ALSO\n.BR docker-machine (1), systemd.service (5)\n'
  } >"$root/usr/share/man/man8/$name.8"
}
mkdir -p "$root/usr/share/man/man8"
page machine-orchestrator "create and manage Docker hosts" machine-orchestrator
page machine-provisioner "turn hosts that answer ssh into Docker hosts" machine-provisioner
page machine-driver "drive a provider for docker-machine" machine-driver-generic

# The samples, with what the units need.
mkdir -p "$root/etc/docker-machine"
"$programs/machine-orchestrator" --sample-config |
  sed 's|^#storage-path: .*|storage-path: /var/lib/docker-machine|' \
    >"$root/etc/docker-machine/orchestrator.yaml"
"$programs/machine-provisioner" --sample-config >"$root/etc/docker-machine/provisioner.yaml"
"$programs/machine-driver-generic" --sample-config |
  sed 's/machine-driver-generic/machine-driver-NAME/; s/_GENERIC_/_NAME_/' \
    >"$root/etc/docker-machine/driver.yaml.sample"

cp -a "$here/debian" "$work/docker-machine/debian"
debian=$work/docker-machine/debian
cp "$deploy"/systemd/machine-orchestrator.service \
  "$debian/docker-machine-server.machine-orchestrator.service"
cp "$deploy"/systemd/machine-provisioner.service \
  "$debian/docker-machine-server.machine-provisioner.service"
cp "$deploy"/systemd/machine-driver@.service "$debian/docker-machine-server.machine-driver@.service"
cp "$deploy"/systemd/docker-machine-server.sysusers "$deploy"/systemd/docker-machine-server.tmpfiles \
  "$debian/"
cp "$deploy"/systemd/*.conf "$debian/"
cp "$deploy/../LICENSE" "$debian/copyright"
epoch=$(git -C "$here" log -1 --format=%ct 2>/dev/null || date +%s)
cat >"$debian/changelog" <<TEXT
docker-machine ($version-${PACKAGE_REVISION:-1}) unstable; urgency=medium

  * As of the sources; see their history.

 -- docker-machine maintainers <root@localhost>  $(date -R -d "@$epoch")
TEXT

(cd "$work/docker-machine" && SOURCE_DATE_EPOCH=$epoch dpkg-buildpackage --build=binary \
  --no-sign --no-check-builddeps >"$work/log" 2>&1) || { tail -n 40 "$work/log" >&2; exit 1; }
mv "$work"/*.deb "$output/"
ls "$output"
