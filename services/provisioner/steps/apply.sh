# Functions that bring a host to the wanted configuration; apply.cc writes the calls. Runs as root.
# Prints what host_script.h says.
LC_ALL=C
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
export LC_ALL PATH
umask 022

# On /run, so that there is room for the words of a program that found the disk full.
log=$(mktemp /run/machine-apply.XXXXXX) || exit 1
trap 'rm -f "$log"' EXIT
trap 'exit 143' HUP INT TERM

fail() { # what, exit status
  printf '@failed %s\n@status %s\n' "$1" "$2"
  grep -v '^[[:space:]]*$' "$log" | tail -n 25 | sed 's/^/@output /'
  exit 1
}

say() {
  printf '@say %s\n' "$1"
}

# From here until finish, the engine's files may be newer than the engine: a later run restarts it.
begin() {
  { mkdir -p /etc/docker && : >/etc/docker/.machine-pending; } 2>"$log" || fail 'writing /etc/docker' "$?"
}

# path, mode; contents in base64 on standard input. Readers see the old file or the new one, and
# nobody ever sees it with more permissions than it ends with.
put() {
  new=$1.machine-new
  {
    mkdir -p "${1%/*}" && rm -f "$new" && (umask 077 && base64 -d >"$new") &&
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
      fail 'configuring docker.service' 1
      ;;
  esac
}

restart_engine() {
  # Too many starts in a row, for example in a loop that failed, are refused by systemd.
  systemctl reset-failed docker.service docker.socket >/dev/null 2>&1
  systemctl restart docker.service >"$log" 2>&1 || {
    status=$?
    # Of this start only: its own words, and systemd's about it.
    start=$(systemctl show docker.service -p InvocationID --value)
    journalctl _SYSTEMD_INVOCATION_ID="$start" + INVOCATION_ID="$start" -n 20 --no-pager -o cat \
      >"$log" 2>&1
    fail 'starting the engine' "$status"
  }
}

finish() {
  rm -f /etc/docker/.machine-pending
  echo '@changed'
}
