# Arch Linux; see common.sh. The lists are only fetched where the installation does not work without:
# a newer list and older packages do not go together there.
# shellcheck shell=sh disable=SC1091,SC2034,SC2086,SC2154
refresh_words='pacman -Sy'
add_words='pacman -S'

pac() {
  run_locked pacman --noconfirm --noprogressbar "$@"
}

is_at_work() {
  cat /proc/[0-9]*/comm 2>/dev/null | grep -qxE 'pacman|packagekitd|pamac.*'
}

is_busy() {
  grep -q 'unable to lock database' "$log" && is_at_work
}

# Its lock is a file, which stays when it is killed.
is_broken() {
  grep -q 'unable to lock database' "$log" && ! is_at_work
}

mend() {
  rm -f /var/lib/pacman/db.lck
}

offers() {
  pacman -Si "$1" >/dev/null 2>&1
}

refresh() {
  pac -Sy
}

add() {
  pac -S --needed "$@"
}

finish_installation() {
  [ -n "$(owner)" ] || install_packages
}

add_source() {
  return 1
}

owner() {
  pacman -Qqo "$dockerd" 2>/dev/null | head -n 1
}

versions() {
  pacman -Q "$@" 2>/dev/null
}

renew() {
  pac -S --needed "$@"
}
