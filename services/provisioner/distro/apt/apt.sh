# Installs or upgrades the engine with apt. Runs as root, with these variables set before it:
#   action          install | script | upgrade
#   engine_package  what `install` installs
#   extra_packages  installed with it where there is such a package
#   install_url     what `script` fetches and runs
#   dockerd         for `upgrade`: path of the installed engine
#   wait_seconds    how long to wait for cloud-init and for other package managers
# Prints "@say TEXT" for the user, "@changed" when a package was installed or upgraded, and on failure
# "@failed WHAT", "@status N" and "@output LINE"…; see host_script.h. Nothing else.
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
DEBIAN_FRONTEND=noninteractive
# On hosts with needrestart, no other service is to be restarted because of us.
NEEDRESTART_SUSPEND=1
export LC_ALL PATH DEBIAN_FRONTEND NEEDRESTART_SUSPEND

# On /run, so that there is room for the words of a program that found the disk full.
work=$(mktemp -d /run/machine-install.XXXXXX) || exit 1
log=$work/log
: >"$log"
masked=
said=
deadline=$(($(date +%s) + wait_seconds))

clean_up() {
  [ -z "$masked" ] || systemctl unmask --runtime docker.service docker.socket >/dev/null 2>&1
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 143' HUP INT TERM

fail() { # what, exit status
  printf '@failed %s\n@status %s\n' "$1" "$2"
  grep -v '^[[:space:]]*$' "$log" | tail -n 15 | sed 's/^/@output /'
  exit 1
}

say() {
  [ "$said" = "$1" ] || printf '@say %s\n' "$1"
  said=$1
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

# Runs a command that ends in apt or dpkg, with its output in $log: a pipe to us could break and take
# the package manager down in mid-work. Again while somebody else has the locks, and once more after
# mending what an interrupted run left.
run_locked() {
  mended=
  while :; do
    "$@" >"$log" 2>&1 && return 0
    status=$?
    if grep -qE 'Could not get lock|Unable to lock|Unable to acquire the dpkg|lock was locked by' \
      "$log"; then
      [ "$(date +%s)" -lt "$deadline" ] || return "$status"
      holder=$(sed -n 's/.*held by process \([0-9]*\) (\([^)]*\)).*/ (\2, process \1)/p' "$log" |
        head -n 1)
      say "Waiting for another package manager to finish$holder..."
      sleep 0.5
    elif [ -z "$mended" ] && grep -q 'dpkg was interrupted' "$log"; then
      mended=yes
      say 'Mending an interrupted package installation...'
      run_dpkg_configure >>"$log" 2>&1
    else
      return "$status"
    fi
  done
}

run_dpkg_configure() {
  dpkg --force-confdef --force-confold --configure -a
}

apt_get() {
  run_locked apt-get -qq -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold \
    -o Dpkg::Use-Pty=0 "$@"
}

candidate() {
  apt-cache policy "$1" 2>/dev/null | grep -q '^ *Candidate: [^(]'
}

# The package would start the engine with nothing but its defaults; it is started once, configured.
# dpkg makes systemd look at its units again before it starts one.
mask_units() {
  systemctl mask --runtime --no-reload docker.service docker.socket >"$log" 2>&1 && masked=yes
}

# After an installation that was cut off. It is completed, whatever package it is of: to install
# ours beside it could remove that one.
complete_packages() {
  mask_units
  run_locked run_dpkg_configure || apt_get install --fix-broken --no-install-recommends ||
    fail 'dpkg --configure -a' "$?"
  # Files that were never unpacked are beyond dpkg.
  halves=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' docker.io docker-ce 2>/dev/null |
    sed -n 's/ half-installed$//p')
  [ -n "$halves" ] || return 0
  candidate "$halves" || apt_get update || fail 'apt-get update' "$?"
  apt_get install --reinstall --no-install-recommends $halves ||
    fail "apt-get install --reinstall $halves" "$?"
}

install_packages() {
  candidate "$engine_package" || apt_get update || {
    status=$?
    # Some other source may be broken while the one that matters works.
    candidate "$engine_package" || fail 'apt-get update' "$status"
  }
  if ! candidate "$engine_package"; then
    echo "no package source of the host has $engine_package" >"$log"
    fail "apt-get install $engine_package" 100
  fi
  packages=$engine_package
  for package in $extra_packages; do
    ! candidate "$package" || packages="$packages $package"
  done
  # dockerd confines containers by AppArmor wherever the kernel has it on, and needs the parser.
  if grep -q Y /sys/module/apparmor/parameters/enabled 2>/dev/null && candidate apparmor; then
    packages="$packages apparmor"
  fi
  mask_units
  # Lists that are too old name files that are gone.
  apt_get install --no-install-recommends $packages ||
    { apt_get update && apt_get install --no-install-recommends $packages; } ||
    fail "apt-get install $packages" "$?"
}

run_script() {
  # Its user, password and query may be secret.
  shown=$(printf %s "$install_url" | sed 's|//[^/@]*@|//|; s|[?#].*||')
  if ! command -v curl >/dev/null && ! command -v wget >/dev/null; then
    candidate curl || apt_get update || fail 'apt-get update' "$?"
    apt_get install --no-install-recommends curl ca-certificates || fail 'apt-get install curl' "$?"
  fi
  if command -v curl >/dev/null; then
    curl -fsSL --retry 2 --connect-timeout 15 -o "$work/install.sh" -- "$install_url" >"$log" 2>&1
  else
    wget -q --tries=3 --timeout=15 -O "$work/install.sh" -- "$install_url" >"$log" 2>&1
  fi || fail "fetching $shown" "$?"
  run_locked sh "$work/install.sh" || fail "running the script of $shown" "$?"
  if ! command -v dockerd >/dev/null; then
    echo 'the script ended without an error, but there is no dockerd' >>"$log"
    fail "running the script of $shown" 0
  fi
}

upgrade_packages() {
  owner=$(dpkg-query -S "$dockerd" 2>"$log" | sed -n 's/^\([^ ,:]*\)[:,].*/\1/p' | head -n 1)
  [ -n "$owner" ] || fail "finding the package of $dockerd" 1
  packages=$owner
  for package in docker-cli docker-ce-cli containerd containerd.io runc; do
    [ "$package" = "$owner" ] || ! dpkg-query -s "$package" >/dev/null 2>&1 ||
      packages="$packages $package"
  done
  apt_get update || fail 'apt-get update' "$?"
  before=$(dpkg-query -W $packages 2>/dev/null)
  apt_get install --only-upgrade --no-install-recommends $packages ||
    fail "apt-get install --only-upgrade $packages" "$?"
  [ "$before" = "$(dpkg-query -W $packages 2>/dev/null)" ] || echo '@changed'
}

wait_for_cloud_init
case $action in
  install)
    if command -v dockerd >/dev/null; then complete_packages; else install_packages; fi
    echo '@changed'
    ;;
  script) run_script && echo '@changed' ;;
  upgrade) upgrade_packages ;;
esac
# Also at the end, before anything else of this shell needs the units.
clean_up
masked=
