#!/bin/bash
# The overlays, by check.py and kubectl's client-side dry run; and that these find what is wrong.
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
# One of the overlays' time, where tools.sh has built it.
[ -z "${MACHINE_KUBERNETES:-}" ] || PATH=$MACHINE_KUBERNETES:$PATH
if ! command -v kubectl >/dev/null || ! /usr/bin/python3 -c 'import kubernetes' 2>/dev/null; then
  echo "skipped: needs kubectl, and python3-kubernetes (deploy/install-deps.sh --package)"
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
/usr/bin/python3 check.py

# Expects that overlay sqlite is refused once `sed $2` has changed file $1, with words $3.
refuses() {
  rm -rf "${work:?}/tree"
  cp -rL . "$work/tree"
  sed -i "$2" "$work/tree/$1"
  if /usr/bin/python3 check.py "$work/tree/sqlite" >"$work/out"; then
    echo "FAILED: $2 is not refused" >&2
    exit 1
  fi
  grep -q "$3" "$work/out" || { cat "$work/out"; exit 1; }
}
refuses base/orchestrator.yaml 's/terminationGracePeriodSeconds/terminationGraceSeconds/' 'no such field'
refuses base/orchestrator.yaml 's/replicas: 1/replicas: one/' "is no int"
refuses base/orchestrator.yaml '/^  selector:$/,+1d' 'selector is missing'
refuses base/orchestrator.yaml 's/runAsNonRoot: true/runAsNonRoot: false/' 'may run as root'
# Expects that kubectl finds no kind for what `sed $2` makes of file $1.
has_no_kind() {
  rm -rf "${work:?}/tree"
  cp -rL . "$work/tree"
  sed -i "$2" "$work/tree/$1"
  if ./dry_run.py "$work/tree/postgres" >/dev/null 2>"$work/out"; then
    echo "FAILED: $2 is not refused by kubectl" >&2
    exit 1
  fi
  grep -q 'no matches for kind' "$work/out" || { cat "$work/out"; exit 1; }
}
./dry_run.py sqlite postgres
has_no_kind postgres/disruption.yaml 's|policy/v1|policy/v1beta1|'
refuses base/network.yaml 's/matchLabels: {app: provisioner}/matchLabels: {app: other}/' 'selects nothing'
echo "PASSED"
