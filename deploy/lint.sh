#!/bin/bash
# Style checks: clang-format, clang-tidy and shellcheck.
#
#   lint.sh [--all] [--fix] [--no-tidy] [FILE...]
#
# Without files: those that differ from the upstream branch, or from the last commit if there is none.
#   --all      every file of the project
#   --fix      formats instead of complaining
#   --no-tidy  leaves out clang-tidy, which takes seconds per file
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "$here/.."

all='' fix='' tidy=1
files=()
for argument in "$@"; do
  case $argument in
    --all) all=1 ;;
    --fix) fix=1 ;;
    --no-tidy) tidy= ;;
    --help | -h) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit ;;
    -*) echo "lint.sh: unknown flag $argument; see --help" >&2; exit 1 ;;
    *) files+=("$argument") ;;
  esac
done
"$here/install-deps.sh" --lint >/dev/null

if [ -n "$all" ]; then
  mapfile -t files < <(git ls-files)
elif [ ${#files[@]} = 0 ]; then
  base=$(git merge-base HEAD '@{upstream}' 2>/dev/null || echo HEAD)
  mapfile -t files < <(git diff --name-only --diff-filter=d "$base"; git ls-files -o --exclude-standard)
fi

cxx=() units=() scripts=()
for file in "${files[@]}"; do
  case $file in
    *.h) cxx+=("$file") ;;
    *.cc) cxx+=("$file"); units+=("$file") ;;
    *.sh | .ci/run) scripts+=("$file") ;;
  esac
done

status=0
if [ ${#cxx[@]} != 0 ]; then
  if [ -n "$fix" ]; then
    clang-format -i "${cxx[@]}"
  else
    clang-format --dry-run -Werror "${cxx[@]}" || status=1
  fi
fi
[ ${#scripts[@]} = 0 ] || shellcheck -x "${scripts[@]}" || status=1
if [ -n "$tidy" ] && [ ${#units[@]} != 0 ]; then
  "$here/compile-commands.sh"
  printf '%s\0' "${units[@]}" |
    xargs -0 -n 1 -P "$(nproc)" clang-tidy --quiet -p . \
      2> >(grep -v 'warnings\? generated' >&2) || status=1
fi
echo "lint.sh: ${#cxx[@]} C++ files, ${#scripts[@]} scripts: $([ $status = 0 ] && echo clean || echo "see above")"
exit $status
