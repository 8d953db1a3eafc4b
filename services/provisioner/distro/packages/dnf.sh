# The Red Hat family: dnf, or yum where there is none; see common.sh.
# shellcheck shell=sh disable=SC1091,SC2034,SC2086,SC2154
# dnf 5 takes "available" for a package, and yum knows no such option.
if command -v dnf >/dev/null; then tool=dnf only=--available; else tool=yum only=available; fi
refresh_words="$tool makecache"
add_words="$tool install"

# With this setting yum and dnf 4 end with a status of its own, instead of waiting without a word.
dnf_yum() {
  run_locked "$tool" -q -y --setopt=exit_on_lock=True "$@"
}

# dnf 5 never waits, and has only words for it; so has rpm, by which others install.
is_busy() {
  [ "$1" = 200 ] || grep -qE 'Failed to obtain (the|rpm) transaction lock|'\
'transaction lock on .*Resource temporarily unavailable' "$log"
}

is_broken() {
  return 1
}

mend() {
  :
}

offers() {
  "$tool" -q list "$only" "$1" >/dev/null 2>&1
}

refresh() {
  dnf_yum makecache
}

add() {
  dnf_yum install "$@"
}

finish_installation() {
  [ -n "$(owner)" ] || install_packages
}

add_source() {
  # Amazon Linux 2 keeps the engine in a collection that is off at first.
  if [ "$source_url" = amazon-linux-extras ]; then
    run_locked amazon-linux-extras enable docker || fail 'amazon-linux-extras enable docker' "$?"
    return
  fi
  fetch "$source_url" "$work/docker-ce.repo"
  cp "$work/docker-ce.repo" /etc/yum.repos.d/docker-ce.repo 2>"$log" ||
    fail 'writing /etc/yum.repos.d/docker-ce.repo' "$?"
}

owner() {
  rpm -qf --qf '%{NAME}\n' "$dockerd" 2>/dev/null | head -n 1
}

versions() {
  rpm -q "$@" 2>/dev/null | grep -v ' '
}

renew() {
  dnf_yum upgrade "$@"
}
