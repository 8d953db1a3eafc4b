#!/bin/bash
# Bazel as this project uses it; the other scripts here call it, too.
#
#   build.sh [COMMAND [ARGUMENTS]]     default: build //...
#
#   BAZEL_STARTUP         start-up options, such as --output_base=/var/tmp/machine
#   MACHINE_BAZEL_FLAGS   options for every command, such as --config=asan
#   MACHINE_SPECS_DIR     folder of providers' API descriptions (default ../shared/specs, if it is there)
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

command -v bazel >/dev/null || {
  echo "build.sh: bazel is missing: run deploy/install-deps.sh --build" >&2
  exit 1
}
[ $# -gt 0 ] || set -- build //...
command=$1
shift
# The providers' own API descriptions, against which the tests of drivers check what is sent.
if [ -z "${MACHINE_SPECS_DIR:-}" ] && [ -d ../shared/specs ]; then
  MACHINE_SPECS_DIR=$(cd ../shared/specs && pwd)
fi
[ -z "${MACHINE_SPECS_DIR:-}" ] || export MACHINE_SPECS_DIR
read -ra startup <<<"${BAZEL_STARTUP:-}"
read -ra flags <<<"${MACHINE_BAZEL_FLAGS:-}"
case $command in
  # These take no build options.
  shutdown | clean | version | help | dump | query) flags=() ;;
esac
exec bazel "${startup[@]}" "$command" "${flags[@]}" "$@"
