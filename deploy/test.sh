#!/bin/bash
# Installs what the tests need and runs all of them; the last line is "N passed, N failed".
#
#   test.sh [--no-e2e | --only-e2e] [TARGET_PATTERN...]     default: all of //...
#
# The end-to-end tests (tag `e2e`) get real hosts: a private Docker Engine (tests/hosts/dockerd.sh) and
# the host images. That needs root, so a user without is asked for sudo. What this script starts, it
# stops, however it ends.
#
#   BAZEL_STARTUP, MACHINE_BAZEL_FLAGS   see build.sh
#   MACHINE_SPECS_DIR                    see build.sh; without it the checks by it report as skipped
#   MACHINE_BED                          work folder of the engine (default ~/.cache/machine-bed)
#
# Tests see MACHINE_BED, MACHINE_BED_DOCKER_HOST (address of that engine), MACHINE_BED_DISK (image for
# virtual machines) and MACHINE_BED_SCRIPTS (tests/hosts). Images of the engine: machine-host:bookworm
# (engine) and machine-host:offline.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/.."

unit=1 e2e=1
patterns=()
for argument in "$@"; do
  case $argument in
    --no-e2e) e2e= ;;
    --only-e2e) unit= ;;
    --help | -h) sed -n '2,17s/^# \{0,1\}//p' "$0"; exit ;;
    -*) echo "test.sh: unknown flag $argument; see --help" >&2; exit 1 ;;
    *) patterns+=("$argument") ;;
  esac
done
[ ${#patterns[@]} != 0 ] || patterns=(//...)

if [ -n "$e2e" ] && [ "$(id -u)" != 0 ]; then
  echo "test.sh: the end-to-end tests start a Docker Engine, which needs root: going on with sudo"
  exec sudo -H --preserve-env=BAZEL_STARTUP,MACHINE_BAZEL_FLAGS,MACHINE_BED,MACHINE_SPECS_DIR "$0" "$@"
fi

export MACHINE_BED=${MACHINE_BED:-${XDG_CACHE_HOME:-$HOME/.cache}/machine-bed}
export MACHINE_BED_DOCKER_HOST=unix://$MACHINE_BED/run/docker.sock
MACHINE_BED_SCRIPTS=$(cd "$here/../tests/hosts" && pwd)
export MACHINE_BED_SCRIPTS
readonly bed=$MACHINE_BED_SCRIPTS
work=$(mktemp -d)
engine_is_ours='' bazel_used=''

step() {
  printf '\n== [%d s] %s\n' "$SECONDS" "$*"
}

clean_up() {
  local server=
  trap - EXIT
  trap '' INT TERM HUP
  if [ -n "$engine_is_ours" ]; then
    remove_containers
    "$bed/dockerd.sh" stop || true
  fi
  if [ -n "$bazel_used" ]; then
    # A server older than this run belongs to somebody who is working with it.
    server=$("$here/build.sh" info --noshow_progress --ui_event_filters=-info server_pid 2>/dev/null || true)
    if [ -n "$server" ] && [ "$(ps -o etimes= -p "$server")" -le $((SECONDS + 1)) ]; then
      "$here/build.sh" shutdown >/dev/null 2>&1 || true
    fi
  fi
  rm -rf "$work"
}

remove_containers() {
  docker --host "$MACHINE_BED_DOCKER_HOST" ps -aq |
    xargs -r docker --host "$MACHINE_BED_DOCKER_HOST" rm --force --volumes >/dev/null || true
}

# Starts the engine with both host images in it.
prepare_hosts() {
  if ! "$bed/dockerd.sh" status >/dev/null; then
    engine_is_ours=1
  fi
  "$bed/dockerd.sh" start
  # A run that was killed has left its hosts, and the engine has just started them again.
  [ -z "$engine_is_ours" ] || remove_containers
  "$here/hostimage/build.sh" --docker-host "$MACHINE_BED_DOCKER_HOST" --variant engine
  "$here/hostimage/build.sh" --docker-host "$MACHINE_BED_DOCKER_HOST" --variant offline \
    --image machine-host:offline
  # The test of virtual machines reports itself as skipped without it.
  export MACHINE_BED_DISK=$MACHINE_BED/bookworm-amd64.qcow2
  "$here/hostimage/build-disk.sh" --output "$MACHINE_BED_DISK" || MACHINE_BED_DISK=
}

# Runs the tests of stage $1 with the flags that follow; how they went is in the stage's event file.
run_tests() {
  local stage=$1
  shift
  bazel_used=1
  : >"$work/$stage.json"
  "$here/build.sh" test --keep_going --build_event_json_file="$work/$stage.json" \
    --test_summary=terse --color=no --curses=no --show_progress_rate_limit=30 \
    --test_env=HOME --test_env=MACHINE_BED --test_env=MACHINE_BED_DOCKER_HOST \
    --test_env=MACHINE_BED_DISK --test_env=MACHINE_BED_SCRIPTS --test_env=MACHINE_PRISM \
    --test_env=MACHINE_CLIENTS --test_env=MACHINE_KUBERNETES --test_env=MACHINE_MOTO_PYTHON \
    --test_env=MACHINE_VCSIM "$@" -- "${patterns[@]}" || true
}

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

step "packages"
"$here/install-deps.sh" --build --test --run --package
# Where sshd was never started as a service, the folder it insists on is missing.
[ "$(id -u)" != 0 ] || mkdir -p /run/sshd

if [ -n "$unit" ]; then
  step "unit and integration tests"
  run_tests unit --test_tag_filters=-e2e
fi
if [ -n "$e2e" ]; then
  step "hosts of the end-to-end tests"
  prepare_hosts
  # Tests against it report themselves as skipped where it cannot be had.
  MACHINE_PRISM=$("$here/../tests/fakes/prism/install.sh") || MACHINE_PRISM=
  MACHINE_MOTO_PYTHON=$("$here/../tests/fakes/moto/install.sh") || MACHINE_MOTO_PYTHON=
  MACHINE_VCSIM=$("$here/../tests/fakes/vcsim/install.sh") || MACHINE_VCSIM=
  export MACHINE_PRISM MACHINE_MOTO_PYTHON MACHINE_VCSIM
  MACHINE_CLIENTS=$("$here/../tests/clients/install.sh") || MACHINE_CLIENTS=
  MACHINE_KUBERNETES=$("$here/kubernetes/tools.sh") || MACHINE_KUBERNETES=
  export MACHINE_CLIENTS MACHINE_KUBERNETES
  step "end-to-end tests"
  # The hosts are not among a test's declared inputs, so an earlier result says nothing.
  run_tests e2e --test_tag_filters=e2e --nocache_test_results
fi

step "result"
status=0
summary=$(python3 "$here/count_tests.py" "$work"/*.json) || status=1
clean_up
printf '%s\n' "$summary"
exit $status
