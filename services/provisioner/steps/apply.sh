# Functions that bring a host to the wanted configuration; apply.cc writes the calls.
#
# From `begin` to `finish` the engine's files may be newer than the engine: a later run restarts it.
# In that time the folder holds the files as they were, so that an engine that does not start with the
# new ones gets the old ones back.
# shellcheck shell=sh disable=SC2154
pending=/etc/docker/.machine-pending

begin() {
  {
    [ -d "$pending" ] || rm -f "$pending"
    mkdir -p /etc/docker && (umask 077 && mkdir -p "$pending")
  } 2>"$log" || fail 'writing /etc/docker' "$?"
}

# path. What a run that was cut off has kept is older, and known to have worked.
keep() {
  kept=$pending/$(printf %s "$1" | tr / :)
  [ ! -e "$kept" ] && [ ! -e "$kept.none" ] || return 0
  if [ -e "$1" ]; then cp -p "$1" "$kept.part" && mv "$kept.part" "$kept"; else : >"$kept.none"; fi
}

# path, mode; contents in base64 on standard input. Readers see the old file or the new one, and
# nobody ever sees it with more permissions than it ends with.
put() {
  new=$1.machine-new
  {
    keep "$1" && mkdir -p "${1%/*}" && rm -f "$new" && (umask 077 && base64 -d >"$new") &&
      chmod "$2" "$new" && chown 0:0 "$new" && mv -f "$new" "$1"
  } 2>"$log" || {
    status=$?
    rm -f "$new"
    fail "writing $1" "$status"
  }
}

# path; contents on standard input. Where a rename cannot work (a bind mount), in place.
replace() {
  new=$1.machine-new
  { cat >"$new" && { mv -f "$new" "$1" 2>/dev/null || { cat "$new" >"$1" && rm -f "$new"; }; }; } \
    2>"$log" || {
    status=$?
    rm -f "$new"
    fail "writing $1" "$status"
  }
}

# Puts back what `put` has replaced.
restore() {
  for kept in "$pending"/*; do
    path=$(printf %s "${kept##*/}" | tr : /)
    case $kept in
      *.part) ;;
      *.none) rm -f "${path%.none}" ;;
      *) [ ! -e "$kept" ] || mv -f "$kept" "$path" ;;
    esac
  done
  # As it was, but for what its containers need to outlive the restart.
  [ -z "$kept_containers" ] || cp -p "$work/before" "$kept_containers"
  rm -rf "$pending"
}

docker_info() { # template
  docker -H unix:///var/run/docker.sock info -f "$1" 2>/dev/null
}

# true or false; a reload takes its time.
live_restore_is() {
  tries=100
  until [ "$(docker_info '{{.LiveRestoreEnabled}}')" = "$1" ]; do
    tries=$((tries - 1))
    [ "$tries" -gt 0 ] || return 1
    sleep 0.1
  done
}

reload_engine() {
  systemctl reload docker.service >"$log" 2>&1
}

# path of daemon.json, mode; its text with live-restore on standard input. Sets $kept_containers to
# the path where the engine has taken it: its containers will outlive a restart. A member of a swarm
# never does that, and would not start with it.
kept_containers=
keep_containers() {
  if [ "$(docker_info '{{.Swarm.LocalNodeState}}')" != inactive ]; then
    cat >/dev/null
    say "$keep_warning"
    return
  fi
  put "$1" "$2"
  cp -p "$1" "$work/before"
  if reload_engine && live_restore_is true; then
    kept_containers=$1
    return
  fi
  kept=$pending/$(printf %s "$1" | tr / :)
  if [ -e "$kept" ]; then cp -p "$kept" "$1"; else rm -f "$1"; fi
  say "$keep_warning"
}

set_hostname() { # name
  hostname "$1" >"$log" 2>&1 || hostnamectl set-hostname "$1" >>"$log" 2>&1 ||
    fail "setting the host name" "$?"
  printf '%s\n' "$1" | replace /etc/hostname
  if grep -q '^127\.0\.1\.1[[:space:]]' /etc/hosts; then
    sed "s/^127\.0\.1\.1[[:space:]].*/127.0.1.1 $1/" /etc/hosts | replace /etc/hosts
  else
    { cat /etc/hosts && printf '127.0.1.1 %s\n' "$1"; } | replace /etc/hosts
  fi
}

enable_engine() {
  systemctl --quiet --no-reload enable docker.service >"$log" 2>&1 ||
    fail 'systemctl enable docker' "$?"
}

# dockerd's path, options. Engines from 23 on can say beforehand whether they would start.
validate() {
  "$1" --help 2>/dev/null | grep -q -e ' --validate ' || return 0
  "$@" --validate >"$log" 2>&1 && return 0
  status=$?
  restore
  echo 'The previous configuration is back; the engine was not touched.' >>"$log"
  fail 'checking the configuration of the engine' "$status"
}

# What the effective command line must have; a drop-in of somebody else may have the last word.
reload_units() {
  systemctl daemon-reload >"$log" 2>&1 || fail 'systemctl daemon-reload' "$?"
  case $(systemctl show docker.service -p ExecStart) in
    *"$1"*) ;;
    *)
      {
        echo "another drop-in overrides ExecStart= of 10-machine.conf; remove that line from it:"
        systemctl show docker.service -p DropInPaths --value
      } >"$log"
      restore
      systemctl daemon-reload
      fail 'configuring docker.service' 1
      ;;
  esac
}

start_again() {
  # Too many starts in a row, for example in a loop that failed, are refused by systemd.
  systemctl reset-failed docker.service docker.socket >/dev/null 2>&1
  systemctl restart docker.service
}

# An engine that has served before serves again afterwards, in the worst case as it did.
restart_engine() {
  was=$(systemctl is-active docker.service)
  start_again >"$log" 2>&1 && return 0
  status=$?
  # Of this start only: its own words, and systemd's about it.
  start=$(systemctl show docker.service -p InvocationID --value)
  journalctl _SYSTEMD_INVOCATION_ID="$start" + INVOCATION_ID="$start" -n 20 --no-pager -o cat \
    >"$log" 2>&1
  restore
  systemctl daemon-reload
  if [ "$was" != active ]; then
    systemctl stop docker.service
    echo 'The previous configuration is back; the engine is stopped, as it was.' >>"$log"
  elif start_again; then
    echo 'The previous configuration is back, and the engine runs with it.' >>"$log"
  else
    echo 'The previous configuration is back, but the engine does not start with it either.' >>"$log"
  fi 2>/dev/null
  fail 'starting the engine' "$status"
}

finish() {
  rm -rf "$pending"
  echo '@changed'
}
