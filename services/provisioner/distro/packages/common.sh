# Installs or upgrades the engine. Comes after host/head.sh and the script of a package manager, with
# these variables set:
#   action           install | script | upgrade
#   engine_packages  what `install` installs: the first that a package source of the host has
#   extra_packages   installed with it where there is such a package
#   source_url       description of Docker's own package source, for hosts whose sources have none
#   install_url      what `script` fetches and runs
#   proxies          lines NAME=VALUE: the way to the outside
#   dockerd          for `upgrade`: path of the installed engine
# Prints beside what all scripts do "@changed" when a package was installed or upgraded.
#
# The script of a package manager defines
#   refresh_words, add_words   how messages name the two
#   is_busy STATUS   the command that wrote $log found another package manager at work
#   is_broken        …found what a package manager left that was interrupted
#   mend             completes that; writes to standard output
#   offers NAME      a source of the host has this package
#   refresh          fetches the lists of packages
#   add NAME...      installs packages
#   finish_installation  completes an installation of the engine that was cut off
#   add_source       makes the source of $source_url known
#   owner            prints the package of $dockerd
#   versions NAME... prints the versions of those that are installed
#   renew NAME...    upgrades packages
# shellcheck shell=sh disable=SC1091,SC2034,SC2086,SC2154

# Programs differ in which spelling they read.
use_proxies() {
  while IFS= read -r line; do
    name=${line%%=*}
    [ -n "$name" ] || continue
    export "$name=${line#*=}"
    export "$(printf %s "$name" | tr '[:upper:]' '[:lower:]')=${line#*=}"
  done <<PROXIES
$proxies
PROXIES
}

wait_for_cloud_init() {
  command -v cloud-init >/dev/null && [ -d /run/cloud-init ] || return 0
  while [ ! -e /run/cloud-init/disabled ] && [ ! -e /run/cloud-init/result.json ]; do
    say 'Waiting for cloud-init to finish...'
    if [ "$(date +%s)" -ge "$deadline" ]; then
      echo "cloud-init was still running after $wait_seconds s" >"$log"
      fail 'waiting for cloud-init' 1
    fi
    sleep 0.5
  done
}

# While a command writes $log, its last line goes to whoever watches, once a second. The file tells of
# the command's end, as a signal can be lost on a shell that has only just begun.
watch_log() {
  exec 9>&-
  line=
  while sleep 1 >/dev/null 2>&1 && [ -e "$work/watched" ]; do
    last=$(tail -n 1 "$log" 2>/dev/null | tr '\r' '\n' | tail -n 1)
    [ "$last" = "$line" ] || printf '@at %s\n' "$last"
    line=$last
  done
}

# Runs a command that ends in a package manager, with its output in $log: a pipe to us could break and
# take the package manager down in mid-work. Again while somebody else has the locks, and once more
# after mending what an interrupted run left.
run_locked() {
  mended=
  while :; do
    : >"$work/watched"
    watch_log &
    watcher=$!
    status=0
    "$@" >"$log" 2>&1 || status=$?
    rm -f "$work/watched"
    kill "$watcher" 2>/dev/null
    wait "$watcher" 2>/dev/null
    [ "$status" != 0 ] || return 0
    if is_busy "$status"; then
      [ "$(date +%s)" -lt "$deadline" ] || return "$status"
      holder=$(sed -n 's/.*held by process \([0-9]*\) (\([^)]*\)).*/ (\2, process \1)/p' "$log" |
        head -n 1)
      say "Waiting for another package manager to finish$holder..."
      sleep 0.5
    elif [ -z "$mended" ] && is_broken; then
      mended=yes
      say 'Mending an interrupted package installation...'
      mend >>"$log" 2>&1
    else
      return "$status"
    fi
  done
}

# The first of the engine's packages that a source has.
available_engine() {
  for package in $engine_packages; do
    if offers "$package"; then
      echo "$package"
      return
    fi
  done
}

find_engine() {
  engine=$(available_engine)
  [ -z "$engine" ] || return 0
  refreshed=0
  refresh || refreshed=$?
  engine=$(available_engine)
  [ -z "$engine" ] || return 0
  # Some other source may be broken while the one that matters works.
  [ "$refreshed" = 0 ] || fail "$refresh_words" "$refreshed"
  [ -z "$source_url" ] || add_source
  engine=$(available_engine)
  [ -z "$engine" ] || return 0
  echo "no package source of the host has $(echo $engine_packages | sed 's, , or ,g')" >"$log"
  fail "$add_words ${engine_packages%% *}" 100
}

install_packages() {
  find_engine
  packages=$engine
  for package in $extra_packages; do
    ! offers "$package" || packages="$packages $package"
  done
  # Lists that are too old name files that are gone.
  add $packages || { refresh && add $packages; } || fail "$add_words $packages" "$?"
}

# url, file
fetch() {
  # Its user, password and query may be secret.
  shown=$(printf %s "$1" | sed 's|//[^/@]*@|//|; s|[?#].*||')
  if ! command -v curl >/dev/null && ! command -v wget >/dev/null; then
    offers curl || refresh || fail "$refresh_words" "$?"
    add curl ca-certificates || fail "$add_words curl" "$?"
  fi
  if command -v curl >/dev/null; then
    curl -fsSL --retry 2 --connect-timeout 15 -o "$2" -- "$1" >"$log" 2>&1
  else
    wget -q --tries=3 --timeout=15 -O "$2" -- "$1" >"$log" 2>&1
  fi || fail "fetching $shown" "$?"
}

run_script() {
  fetch "$install_url" "$work/install.sh"
  run_locked sh "$work/install.sh" || fail "running the script of $shown" "$?"
  if ! command -v dockerd >/dev/null; then
    echo 'the script ended without an error, but there is no dockerd' >>"$log"
    fail "running the script of $shown" 0
  fi
}

upgrade_packages() {
  packages=$(owner 2>"$log")
  [ -n "$packages" ] || fail "finding the package of $dockerd" 1
  for package in docker-cli docker-ce-cli containerd containerd.io runc; do
    [ "$package" = "$packages" ] || [ -z "$(versions "$package")" ] || packages="$packages $package"
  done
  refresh || fail "$refresh_words" "$?"
  before=$(versions $packages)
  renew $packages || fail "upgrading $packages" "$?"
  [ "$before" = "$(versions $packages)" ] || echo '@changed'
}

use_proxies
wait_for_cloud_init
case $action in
  install)
    if dockerd=$(command -v dockerd); then finish_installation; else install_packages; fi
    echo '@changed'
    ;;
  script) run_script && echo '@changed' ;;
  upgrade) upgrade_packages ;;
esac
# Also at the end, before anything else of this shell needs the units.
clean_up
