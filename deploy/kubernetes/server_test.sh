#!/bin/bash
# The quick start of README.md, as it is written there, against a real API server: without nodes, so that nothing of
# it runs, but everything is admitted, defaulted and stored as a cluster does. And that what is wrong is refused.
#
# $MACHINE_KUBERNETES is the folder of tools.sh; without it the test is skipped.
set -euo pipefail
self=$(readlink -f "${BASH_SOURCE[0]}")
cd "$(dirname "$self")"
tools=${MACHINE_KUBERNETES:-/nonexistent}
for program in kubectl etcd kube-apiserver; do
  [ -x "$tools/$program" ] || { echo "skipped: needs $program (deploy/kubernetes/tools.sh)"; exit 0; }
done
# In a network of its own every port is free.
if [ -z "${IN_OWN_NETWORK:-}" ]; then
  IN_OWN_NETWORK=1 exec unshare --net "$self"
fi
ip link set lo up
work=$(mktemp -d)
pids=()
clean_up() {
  [ ${#pids[@]} = 0 ] || kill "${pids[@]}" 2>/dev/null || true
  wait
  rm -rf "$work"
}
trap clean_up EXIT

die() {
  echo "FAILED: $*" >&2
  tail -n 20 "$work"/*.log >&2
  exit 1
}

# Waits until "$@" succeeds.
await() {
  local begun=$SECONDS
  until "$@" >"$work/await.log" 2>&1; do
    [ $((SECONDS - begun)) -lt 240 ] || die "$* does not succeed"
    sleep 0.5
  done
}

etcd=http://127.0.0.1:2379 peer=http://127.0.0.1:2380 port=6443
"$tools/etcd" --data-dir "$work/etcd" --listen-client-urls "$etcd" --advertise-client-urls "$etcd" \
  --listen-peer-urls "$peer" --initial-advertise-peer-urls "$peer" --initial-cluster "default=$peer" \
  --unsafe-no-fsync >"$work/etcd.log" 2>&1 &
pids+=($!)
openssl genrsa -out "$work/accounts.key" 2048 2>/dev/null
echo "test-token,admin,1,system:masters" >"$work/tokens.csv"
"$tools/kube-apiserver" --etcd-servers "$etcd" --bind-address 127.0.0.1 --secure-port "$port" \
  --advertise-address 192.0.2.1 \
  --cert-dir "$work/certs" --token-auth-file "$work/tokens.csv" --authorization-mode RBAC \
  --service-account-key-file "$work/accounts.key" --service-account-signing-key-file "$work/accounts.key" \
  --service-account-issuer https://test --service-cluster-ip-range 10.0.0.0/24 \
  --disable-admission-plugins ServiceAccount >"$work/apiserver.log" 2>&1 &
pids+=($!)

kubectl() {
  env -i PATH="$PATH" HOME="$work" NO_PROXY=127.0.0.1 "$tools/kubectl" --server "https://127.0.0.1:$port" \
    --certificate-authority "$work/certs/apiserver.crt" --token test-token "$@"
}
await kubectl get --raw /readyz
await kubectl get namespace default

# shellcheck disable=SC2016  # The signs are sed's.
commands=$(sed -n '/^```/,/^```/s/^\$ //p' README.md)
overlays=$PWD
# Runs the commands of the quick start as they are written, in a folder of their own, for overlay $1.
quick_start() {
  local line
  rm -rf "$work/folder"
  mkdir "$work/folder"
  cd "$work/folder"
  echo "postgres://machine@db.example.org/machine" >url
  echo "-" >db-ca.crt
  while read -r line; do
    line=${line//deploy\/kubernetes\/postgres/deploy\/kubernetes\/$1}
    eval "${line//deploy\/kubernetes/$overlays}" || return 1
  done <<<"$commands"
  openssl verify -CAfile ca.crt -purpose sslserver -verify_hostname provisioner provisioner.crt &&
    openssl verify -CAfile ca.crt -purpose sslclient orchestrator.crt
}

for overlay in postgres sqlite; do
  (quick_start "$overlay") >"$work/quick_start.log" 2>&1 || die "the quick start fails for $overlay"
  # What the server has made of it is what is written.
  kubectl diff -k "$overlay" >"$work/diff.log" 2>&1 || die "$overlay is stored otherwise"
  for secret in $(kubectl -n docker-machine get deployment -o yaml | sed -n 's/.*secretName: //p' | sort -u); do
    kubectl -n docker-machine get secret "$secret" >/dev/null || die "the quick start does not make $secret"
  done
  # Nothing makes the pods here: that the namespace's rules let them in shows only when they are asked.
  kubectl -n docker-machine get deployment -o json | /usr/bin/python3 -c '
import json, sys
pods = [{"apiVersion": "v1", "kind": "Pod", "metadata": {"name": item["metadata"]["name"]},
         "spec": item["spec"]["template"]["spec"]} for item in json.load(sys.stdin)["items"]]
assert len(pods) == 2, pods
json.dump({"apiVersion": "v1", "kind": "List", "items": pods}, sys.stdout)' >"$work/pods.json"
  kubectl -n docker-machine create --dry-run=server -f "$work/pods.json" >"$work/pods.log" 2>&1 ||
    die "pods of $overlay are not admitted"
  # Nobody ends a namespace where only the API server runs.
  kubectl -n docker-machine delete --all --wait=false deployment,service,networkpolicy,poddisruptionbudget,persistentvolumeclaim,configmap,secret,serviceaccount \
    >"$work/delete.log"
done

# Expects that the server refuses overlay $1 once `sed $3` has changed file $2, with words $4.
refuses() {
  rm -rf "${work:?}/tree"
  cp -rL . "$work/tree"
  sed -i "$3" "$work/tree/$2"
  ! kubectl apply --dry-run=server -k "$work/tree/$1" >"$work/out.log" 2>&1 || die "$3 is not refused"
  grep -q "$4" "$work/out.log" || die "$3: without \"$4\""
}
refuses sqlite base/orchestrator.yaml 's/terminationGracePeriodSeconds/terminationGraceSeconds/' 'unknown field'
refuses sqlite base/orchestrator.yaml 's/app: orchestrator/app: Orchestrator!/' 'Invalid value'
refuses postgres postgres/disruption.yaml 's|policy/v1|policy/v1beta1|' 'no matches for kind'
sed -i 's/allowPrivilegeEscalation": false/allowPrivilegeEscalation": true/' "$work/pods.json"
! kubectl -n docker-machine create --dry-run=server -f "$work/pods.json" >"$work/out.log" 2>&1 ||
  die "the namespace lets in what may become root"
grep -q 'violates PodSecurity' "$work/out.log" || die "pods are refused for another reason"
echo "PASSED"
