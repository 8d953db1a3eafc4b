# Comes before every script that changes a host, after `wait_seconds`. Runs as root.
# What scripts print is described in steps/host_script.h.
# shellcheck shell=sh disable=SC2154
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export LC_ALL PATH
umask 022

# On /run, so that there is room for the words of a program that found the disk full.
run=/run
[ -w /run ] || run=/tmp
work=$(mktemp -d "$run/machine-work.XXXXXX") || exit 1
log=$work/log
: >"$log"
said=
deadline=$(($(date +%s) + wait_seconds))

# What a script has to put right however it ends.
clean_up() {
  :
}
trap 'clean_up; rm -rf "$work"' EXIT
# PIPE: whoever started the script has gone.
trap 'exit 143' HUP INT TERM PIPE

fail() { # what, exit status
  printf '@failed %s\n@status %s\n' "$1" "$2"
  grep -v '^[[:space:]]*$' "$log" | tail -n 25 | sed 's/^/@output /'
  exit 1
}

say() {
  [ "$said" = "$1" ] || printf '@say %s\n' "$1"
  said=$1
}

# One script at a time. A script whose caller was cancelled or killed goes on, and so does the package
# manager that it has started, which inherits the lock.
take_turn() {
  command -v flock >/dev/null || return 0
  exec 9>>"$run/machine-work.lock"
  until flock -n 9; do
    say 'Waiting for an earlier installation on the host to finish...'
    if [ "$(date +%s)" -ge "$deadline" ]; then
      echo "it was still running after $wait_seconds s" >"$log"
      fail 'waiting for an earlier installation' 1
    fi
    sleep 0.5
  done
}
take_turn
