# shellcheck shell=bash
# What the tests of this folder share. Read by `source`, from the root of the sources, where the bed is ready.
#
#   $work     a folder of this test; the script removes it     $prefix   what make_prefix fills
work=$(mktemp -d)
# shellcheck disable=SC2034  # read by the tests
readonly work prefix=$work/prefix
export DOCKER_HOST=$MACHINE_BED_DOCKER_HOST MACHINE_BED=${MACHINE_BED:-$HOME/.cache/machine-bed}

step() { printf '== [%d s] %s\n' "$SECONDS" "$*"; }
host() { "$MACHINE_BED_SCRIPTS/host.sh" "$@"; }

# Ends the test; `logs` is the test's own.
fail() {
  printf 'FAILED: %s\n' "$*" >&2
  logs >&2 || true
  exit 1
}

# Waits up to $1 seconds for the rest of the line.
await() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || fail "timed out: $*"
    sleep 0.2
  done
}

# Puts programs where deploy/install.sh would.
make_prefix() {
  local program
  mkdir -p "$prefix/bin" "$prefix/libexec/docker-machine"
  for program in "$@"; do
    case $program in
      */docker-machine) install -m 755 "$program" "$prefix/bin/" ;;
      *) install -m 755 "$program" "$prefix/libexec/docker-machine/" ;;
    esac
  done
}
