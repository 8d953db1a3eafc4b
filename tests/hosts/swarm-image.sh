#!/bin/bash
# A container image that stands in for the standalone swarm's: prints the arguments that it was run
# with, and for "manage" answers HTTP over TLS at the address of -H, with the certificate that it was
# told, to clients with one of the authority that it was told.
#
#   swarm-image.sh TAG [DOCKER_ARGS]   imports it as TAG; DOCKER_ARGS go to docker, such as
#                                      $(docker-machine config NAME)
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
tag=$1
shift

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
"$here/busybox.sh" | tar -x -C "$root"
openssl=$(command -v openssl)
cp -L "$openssl" "$root/bin/openssl"
ldd "$openssl" | grep -o '/[^ ]*' | while read -r library; do
  mkdir -p "$root${library%/*}"
  cp -L "$library" "$root$library"
done
cat >"$root/swarm" <<'END'
#!/bin/sh
echo "$*"
trap exit TERM
verb='' previous=''
for word in "$@"; do
  [ "$previous" != -H ] || port=${word##*:}
  case $word in
    manage | join) verb=$word ;;
    --tlscacert=*) ca=${word#*=} ;;
    --tlscert=*) cert=${word#*=} ;;
    --tlskey=*) key=${word#*=} ;;
  esac
  previous=$word
done
if [ "$verb" = manage ]; then
  openssl s_server -accept "$port" -cert "$cert" -key "$key" -CAfile "$ca" -Verify 1 \
    -verify_return_error -quiet -www >/dev/null 2>&1 &
else
  sleep 100000 &
fi
wait
END
chmod 755 "$root/swarm"
tar -C "$root" -c . | docker "$@" import -c 'ENTRYPOINT ["/swarm"]' - "$tag" >/dev/null
