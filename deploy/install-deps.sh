#!/bin/bash
# Installs from Debian 12 what the project needs. Does nothing when all is there.
#
#   install-deps.sh [--build] [--test] [--run] [--package] [--lint] [--fuzz]     default: --build --test --run
set -euo pipefail
# dpkg refuses to work without them, and a shell of `su` has none in its PATH.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# A C++20 compiler, Bazel with its rules, and the libraries of deploy/bazel/system_libraries.bzl.
readonly BUILD_PACKAGES="
  bazel-bootstrap bazel-rules-java bazel-rules-proto bazel-platforms g++ lld pkg-config python3
  protobuf-compiler protobuf-compiler-grpc grpc-proto libgrpc++-dev libgrpc-dev libprotobuf-dev
  libprotoc-dev libabsl-dev libre2-dev libssl-dev libssh-dev libcurl4-openssl-dev libsqlite3-dev
  libpq-dev libyaml-cpp-dev libpugixml-dev libcli11-dev nlohmann-json3-dev prometheus-cpp-dev
  libgtest-dev libgmock-dev libbenchmark-dev libcpp-httplib-dev"
# Peers of the tests: ssh server, Docker Engine in a container, PostgreSQL, shells that evaluate `env`, QEMU
# and what makes a disk for it (deploy/hostimage/build-disk.sh).
readonly TEST_PACKAGES="
  openssh-server openssh-client rsync sshfs man-db docker.io debootstrap iptables iproute2
  busybox-static curl sqlite3 procps bash fish tcsh zsh emacs-nox libarchive-tools postgresql
  python3-venv libxml2-utils qemu-system-x86 qemu-utils grub-pc-bin fdisk e2fsprogs"
# What the installed program calls, and an engine for machines of the `docker` driver.
readonly RUN_PACKAGES="
  ca-certificates openssh-client docker.io iptables iproute2 debootstrap curl procps
  libssl3 libssh-4 libcurl4 libpq5"
# What makes the Debian packages, and runs the containers of deploy/docker.
readonly PACKAGE_PACKAGES="debhelper dpkg-dev docker-compose python3-kubernetes python3-yaml"
readonly LINT_PACKAGES="clang-format clang-tidy shellcheck git"
# clang and libFuzzer; see tests/fuzz.
readonly FUZZ_PACKAGES="clang-14 libclang-rt-14-dev"

usage() {
  cat <<'TEXT'
Usage: install-deps.sh [--build] [--test] [--run] [--package] [--lint] [--fuzz]

Installs the Debian packages that a task needs (default: --build --test --run). With all of them
there it changes nothing. Uses sudo unless run as root.
TEXT
}

die() {
  printf 'install-deps.sh: %s\n' "$*" >&2
  exit 1
}

wanted=
for argument in "$@"; do
  case $argument in
    --build) wanted+=" $BUILD_PACKAGES" ;;
    --test) wanted+=" $TEST_PACKAGES" ;;
    --run) wanted+=" $RUN_PACKAGES" ;;
    --package) wanted+=" $PACKAGE_PACKAGES" ;;
    --lint) wanted+=" $LINT_PACKAGES" ;;
    --fuzz) wanted+=" $FUZZ_PACKAGES" ;;
    --help | -h) usage; exit ;;
    *) die "unknown argument '$argument'; see --help" ;;
  esac
done
wanted=${wanted:-$BUILD_PACKAGES $TEST_PACKAGES $RUN_PACKAGES}

read -ra packages <<<"${wanted//$'\n'/ }"
command -v apt-get >/dev/null || die "this is no Debian; install by hand: ${packages[*]}"
missing=$(
  for package in "${packages[@]}"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
      echo "$package"
  done | sort -u | tr '\n' ' '
)
if [ -z "$missing" ]; then
  echo "install-deps.sh: all packages are installed"
  exit
fi

as_root=
if [ "$(id -u)" != 0 ]; then
  command -v sudo >/dev/null || die "run as root, or install sudo; missing: $missing"
  as_root=sudo
fi
echo "install-deps.sh: installing $missing"

# Installing a server must not open a port: nothing is started now, and these not at boot either.
policy=/usr/sbin/policy-rc.d
new_servers=
case " $missing " in *" openssh-server "*) new_servers+=" ssh.service" ;; esac
case " $missing " in *" postgresql "*) new_servers+=" postgresql.service" ;; esac
if [ ! -e "$policy" ]; then
  trap '$as_root rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | $as_root tee "$policy" >/dev/null
  $as_root chmod 755 "$policy"
fi
$as_root apt-get -qq update
# shellcheck disable=SC2086  # a list of packages
$as_root env DEBIAN_FRONTEND=noninteractive apt-get -qqy -o Dpkg::Use-Pty=0 \
  install --no-install-recommends $missing >/dev/null
if [ -n "$new_servers" ] && [ -d /run/systemd/system ]; then
  # shellcheck disable=SC2086  # a list of units
  $as_root systemctl disable $new_servers >/dev/null 2>&1 || true
  echo "install-deps.sh: installed for the tests and left off:$new_servers"
fi
echo "install-deps.sh: done"
