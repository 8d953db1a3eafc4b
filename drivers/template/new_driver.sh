#!/bin/bash
# Makes a driver for a cloud from the template: a folder that builds and passes the conformance suite.
#
#   new_driver.sh NAME TITLE [ROOT]
#
# NAME   as after `--driver`: lower case letters and digits, "hetzner"
# TITLE  as in names of classes: "Hetzner"
# ROOT   of the source tree that gets drivers/NAME and tests/fakes/NAME (default: this one)
set -euo pipefail

die() {
  printf 'new_driver.sh: %s\n' "$*" >&2
  exit 1
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ $# -lt 2 ] || [ $# -gt 3 ]; then
  sed -n '2,8s/^# \{0,1\}//p' "$0"
  exit 1
fi
name=$1 title=$2 root=${3:-$here/../..}
[[ $name =~ ^[a-z][a-z0-9]*$ ]] || die "NAME \"$name\" is not lower case letters and digits"
[[ $title =~ ^[A-Z][A-Za-z0-9]*$ ]] || die "TITLE \"$title\" is not a word in upper camel case"
for folder in "$root/drivers/$name" "$root/tests/fakes/$name"; do
  [ ! -e "$folder" ] || die "$folder exists already"
done

# Copies the files of a folder under their new names, with all names in them renamed.
copy() {
  local from=$1 to=$2 file target
  mkdir -p "$to"
  for file in "$from"/*; do
    case ${file##*/} in new_driver*) continue ;; esac
    target=$to/$(basename "$file" | sed "s/template/$name/")
    sed -e '/^<!-- only the template -->$/,/^<!-- end of only the template -->$/d' \
      -e '/^# Only the template: /,$d' \
      -e "s/template_cloud/$name/g; s/TEMPLATE/${name^^}/g; s/Template/$title/g; s/template/$name/g" \
      "$file" >"$target"
  done
}
copy "$here" "$root/drivers/$name"
copy "$here/../../tests/fakes/template" "$root/tests/fakes/$name"
# No empty lines where something was left out at the end.
for build in "$root/drivers/$name/BUILD.bazel" "$root/tests/fakes/$name/BUILD.bazel"; do
  sed -i -e ':a' -e '/^\n*$/{$d;N;ba' -e '}' "$build"
done

echo "made drivers/$name and tests/fakes/$name. Next:"
echo "  ./deploy/lint.sh --no-tidy --fix drivers/$name/*.{h,cc} tests/fakes/$name/*.{h,cc}"
echo "  ./deploy/build.sh test //drivers/$name:all"
echo "and then the steps in drivers/template/README.md"
