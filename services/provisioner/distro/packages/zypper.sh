# SUSE and openSUSE; see common.sh.
# shellcheck shell=sh disable=SC1091,SC2034,SC2086,SC2154
refresh_words='zypper refresh'
add_words='zypper install'

zyp() {
  run_locked zypper --non-interactive --quiet "$@"
}

# ZYPPER_EXIT_ZYPP_LOCKED of zypper(8).
is_busy() {
  [ "$1" = 7 ]
}

is_broken() {
  return 1
}

mend() {
  :
}

offers() {
  zypper --non-interactive --quiet --no-refresh search --match-exact --type package "$1" \
    >/dev/null 2>&1
}

refresh() {
  zyp refresh
}

add() {
  zyp install --no-recommends "$@"
}

finish_installation() {
  [ -n "$(owner)" ] || install_packages
}

# On SUSE Linux Enterprise a module has it, which needs the host's registration.
add_source() {
  module=$source_url/$(. /etc/os-release && echo "$VERSION_ID")/$(uname -m)
  run_locked SUSEConnect -p "$module" || fail "SUSEConnect -p $module" "$?"
}

owner() {
  rpm -qf --qf '%{NAME}\n' "$dockerd" 2>/dev/null | head -n 1
}

versions() {
  rpm -q "$@" 2>/dev/null | grep -v ' '
}

renew() {
  zyp update --no-recommends "$@"
}
