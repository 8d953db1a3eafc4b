#!/bin/bash
# Builds a kubectl, a kube-apiserver and an etcd of one version from their Go sources, which come from the
# Go module proxy, and prints the folder where they are: Debian's kubectl is too old for the overlays, and
# says nothing of what a server would.
#
#   tools.sh
#
# Does nothing when they are there. One that cannot be built is left out with a word on standard error.
# The first time takes some ten minutes of two cores, and 3 GB of disk of which Go keeps most; 200 MB in the end.
set -euo pipefail
kubernetes=1.34.4 etcd=3.6.5

cache=${XDG_CACHE_HOME:-$HOME/.cache}/machine-tools
folder=$cache/kubernetes-$kubernetes
mkdir -p "$folder"

# The staged modules of Kubernetes, each with the version it is published under.
staged() {
  sed -n 's|^\t*\(k8s\.io/[a-z0-9-]*\) v0\.0\.0$|\1|p' "$1" | sort -u
}

# Builds program $1, a main package of module $2 at $3, by a module of its own.
build() {
  local program=$1 package=$2 module=$3 version=$4 work source staged_module
  [ ! -x "$folder/$program" ] || return 0
  work=$(mktemp -d "$folder/.$program.XXXXXX")
  if (
    cd "$work"
    printf 'module tools\n\ngo 1.24\n' >go.mod
    if [ "$module" = k8s.io/kubernetes ]; then
      source=$(go mod download -json "$module@v$version" | sed -n 's/.*"GoMod": "\(.*\)",*/\1/p')
      for staged_module in $(staged "$source"); do
        go mod edit -replace "$staged_module=$staged_module@v0.${version#1.}"
      done
    fi
    go mod edit -require "$module@v$version"
    printf 'package tools\n\nimport _ "%s"\n' "$package" >tools.go
    if [ "$program" = kubectl ]; then
      rm tools.go
      cat >main.go <<'MAIN'
package main

import (
	"k8s.io/component-base/cli"
	"k8s.io/kubectl/pkg/cmd"
	"k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	if err := cli.RunNoErrOutput(cmd.NewDefaultKubectlCommand()); err != nil {
		util.CheckErr(err)
	}
}
MAIN
      package=.
    fi
    GOFLAGS=-mod=mod nice go build -trimpath -ldflags \
      "-s -w -X k8s.io/component-base/version.gitVersion=v$kubernetes -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=34" \
      -o program "$package"
  ) >"$work/log" 2>&1; then
    mv "$work/program" "$folder/$program"
  else
    echo "tools.sh: $program cannot be built: $(tail -n 1 "$work/log")" >&2
  fi
  rm -rf "$work"
}

if command -v go >/dev/null; then
  build kubectl . k8s.io/kubectl "0.${kubernetes#1.}"
  build etcd go.etcd.io/etcd/server/v3 go.etcd.io/etcd/server/v3 "$etcd"
  build kube-apiserver k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes "$kubernetes"
else
  echo "tools.sh: there is no Go" >&2
fi
echo "$folder"
