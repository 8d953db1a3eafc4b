#!/bin/bash
# Builds the programs (optimised, stripped) and puts them below PREFIX:
#
#   PREFIX/bin/docker-machine
#   PREFIX/libexec/docker-machine/{machine-orchestrator,machine-provisioner,machine-driver-*}
#   PREFIX/share/                       completion for bash, zsh and fish; manual pages
#
#   install.sh PREFIX
#
# Each file is replaced in one step, so programs that run from there go on undisturbed.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

if [ $# != 1 ] || [ "${1#-}" != "$1" ]; then
  echo "usage: install.sh PREFIX      (for example $HOME/.local)" >&2
  exit 1
fi
prefix=$1

bazel() {
  "$here/build.sh" "$@"
}

# Copies the output of label $2 to folder $1.
place() {
  local folder=$1 label=${2#//} file temporary
  file=$bin/${label/:/\/}
  temporary=$folder/.${file##*/}.$$
  install -m 755 "$file" "$temporary"
  mv -f "$temporary" "$folder/${file##*/}"
}

# A driver is found by its place and name; nothing else lists them. The template is no provider.
mapfile -t drivers < <(bazel query --noshow_progress --ui_event_filters=-info \
  'filter("machine-driver-[a-z0-9-]+$", kind(cc_binary,
     //drivers/... except //drivers/sdk/... except //drivers/template/...))')
programs=(//services/orchestrator:machine-orchestrator //services/provisioner:machine-provisioner
  "${drivers[@]}")

bazel build --config=opt //cli:docker-machine "${programs[@]}"
bin=$(bazel info --config=opt --noshow_progress --ui_event_filters=-info bazel-bin)

mkdir -p "$prefix/bin" "$prefix/libexec/docker-machine"
# The command comes last: what it starts is in place before it is.
for program in "${programs[@]}"; do
  place "$prefix/libexec/docker-machine" "$program"
done
place "$prefix/bin" //cli:docker-machine
"$here/share.sh" "$prefix"
echo "installed docker-machine and ${#programs[@]} programs it starts in $prefix"
