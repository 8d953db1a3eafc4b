#!/bin/bash
# Prepares the example clients: fetches each language's gRPC from its registry, makes the stubs from
# proto/ with the language's own tools, and prints the folder where all that is:
#
#   python/bin/python, python/stubs    go/tour    node/tour.js beside node_modules    grpcurl/grpcurl
#
#   install.sh
#
# Does nothing when it is there. A language whose tools are missing, or whose packages cannot be had,
# is left out with a word on standard error; tests of its client then report themselves as skipped.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
protos=$(cd "$here/../../proto" && pwd)

# One folder a version: changed protos or clients are prepared anew.
version=$(cd "$protos" && find . "$here" -type f \( -name '*.proto' -o -path "$here/*" \) -print0 |
  sort -z | xargs -0 sha256sum | sed "s,$here,," | sha256sum | cut -c1-16)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/machine-tools
folder=$cache/clients-$version
mapfile -t sources < <(cd "$protos" && find machine driver google -name '*.proto' | sort)
mapfile -t api < <(printf '%s\n' "${sources[@]}" | grep ^machine/)

# Builds language $1 by the function of its name, complete or not at all.
prepare() {
  local language=$1 temporary
  [ ! -e "$folder/$language" ] || return 0
  temporary=$(mktemp -d "$folder/.$language.XXXXXX")
  if (cd "$temporary" && "$language") >"$temporary/log" 2>&1; then
    mv -T "$temporary" "$folder/$language" 2>/dev/null || rm -rf "$temporary"
  else
    echo "install.sh: the $language client cannot be prepared: $(tail -n 1 "$temporary/log")" >&2
    rm -rf "$temporary"
  fi
}

python() {
  python3 -m venv . &&
    bin/pip --quiet --disable-pip-version-check install -r "$here/python/requirements.txt" &&
    mkdir stubs &&
    bin/python -m grpc_tools.protoc -I "$protos" --python_out=stubs --grpc_python_out=stubs \
      "${sources[@]}"
}

go() {
  local mapping=() source package
  # Go keeps the public messages of google.rpc and google.longrunning in modules of its own.
  for source in "${sources[@]}"; do
    case $source in
      google/rpc/status.proto) package=google.golang.org/genproto/googleapis/rpc/status ;;
      google/rpc/*) package=google.golang.org/genproto/googleapis/rpc/errdetails ;;
      google/longrunning/*) package=cloud.google.com/go/longrunning/autogen/longrunningpb ;;
      *) package=tour/${source%/*} ;;
    esac
    mapping+=("--go_opt=M$source=$package" "--go-grpc_opt=M$source=$package")
  done
  cp "$here"/go/* . &&
    GOBIN=$PWD/bin command go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.12 &&
    GOBIN=$PWD/bin command go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.6.2 &&
    PATH=$PWD/bin:$PATH protoc -I "$protos" --go_out=. --go_opt=module=tour --go-grpc_out=. \
      --go-grpc_opt=module=tour "${mapping[@]}" \
      "${api[@]}" &&
    command go build -o tour .
}

node() {
  cp "$here"/node/* . &&
    npm ci --silent --no-audit --no-fund --ignore-scripts &&
    (cd "$protos" && "$OLDPWD/node_modules/.bin/pbjs" -t json --keep-case -p . "${sources[@]}") \
      >protos.json
}

grpcurl() {
  GOBIN=$PWD command go install github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.4
}

mkdir -p "$folder"
for language in python go node grpcurl; do
  prepare "$language"
done
# A folder of other protos is of no use any more once it is a week old.
find "$cache" -maxdepth 1 -name 'clients-*' ! -path "$folder" -mtime +7 -exec rm -rf {} +
echo "$folder"
