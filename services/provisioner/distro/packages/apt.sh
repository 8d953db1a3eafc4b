# Debian and its relatives; see common.sh.
# shellcheck shell=sh disable=SC1091,SC2034,SC2086,SC2154
DEBIAN_FRONTEND=noninteractive
# On hosts with needrestart, no other service is to be restarted because of us.
NEEDRESTART_SUSPEND=1
export DEBIAN_FRONTEND NEEDRESTART_SUSPEND
refresh_words='apt-get update'
add_words='apt-get install'
masked=

clean_up() {
  [ -z "$masked" ] || systemctl unmask --runtime docker.service docker.socket >/dev/null 2>&1
  masked=
}

is_busy() {
  grep -qE 'Could not get lock|Unable to lock|Unable to acquire the dpkg|lock was locked by' "$log"
}

is_broken() {
  grep -q 'dpkg was interrupted' "$log"
}

mend() {
  dpkg --force-confdef --force-confold --configure -a
}

apt_get() {
  run_locked apt-get -qq -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
    -o Dpkg::Use-Pty=0 "$@"
}

offers() {
  apt-cache policy "$1" 2>/dev/null | grep -q '^ *Candidate: [^(]'
}

refresh() {
  apt_get update
}

# The package would start the engine with nothing but its defaults; it is started once, configured.
# dpkg makes systemd look at its units again before it starts one.
mask_units() {
  systemctl mask --runtime --no-reload docker.service docker.socket >"$log" 2>&1 && masked=yes
}

add() {
  # dockerd confines containers by AppArmor wherever the kernel has it on, and needs the parser.
  if grep -q Y /sys/module/apparmor/parameters/enabled 2>/dev/null && offers apparmor; then
    set -- "$@" apparmor
  fi
  mask_units
  apt_get install --no-install-recommends "$@"
}

# It is completed, whatever package it is of: to install ours beside it could remove that one.
finish_installation() {
  mask_units
  run_locked mend || apt_get install --fix-broken --no-install-recommends ||
    fail 'dpkg --configure -a' "$?"
  # Files that were never unpacked are beyond dpkg.
  halves=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' docker.io docker-ce 2>/dev/null |
    sed -n 's/ half-installed$//p')
  [ -n "$halves" ] || return 0
  offers "$halves" || refresh || fail "$refresh_words" "$?"
  apt_get install --reinstall --no-install-recommends $halves ||
    fail "apt-get install --reinstall $halves" "$?"
}

add_source() {
  return 1
}

owner() {
  dpkg-query -S "$dockerd" | sed -n 's/^\([^ ,:]*\)[:,].*/\1/p' | head -n 1
}

versions() {
  dpkg-query -W -f '${Package} ${Version} ${db:Status-Status}\n' "$@" 2>/dev/null | grep ' installed$'
}

renew() {
  apt_get install --only-upgrade --no-install-recommends "$@"
}
