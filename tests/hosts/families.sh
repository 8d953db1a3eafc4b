#!/bin/bash
# Makes a bare host of host.sh answer as another operating system does. Copied to the host as
# /opt/family/families.sh and run there:
#
#   families.sh prepare            installs the engine and puts it and Debian's package tools away
#   families.sh become TOOL...     forgets what was done; from now on there are these tools, and
#                                  /etc/os-release is what standard input says. With `boot2docker`
#                                  as a tool: its engine, started by a script of its own
#   families.sh state NAME TEXT    NAME: `sources` (packages there are), `busy`; `unit`, the engine's
#                                  command line in its package; `sysconfig`, the package's
#                                  /etc/sysconfig/docker, which the unit reads
#   families.sh commands           prints what the tools were called with, and forgets it
#
# Called under the name of a package tool it notes the call, then answers as that tool does: exit
# statuses and what is printed are from the tools' manuals. Installing puts the real engine in place,
# which then is started by systemd and answers over TLS.
set -eu
family=/opt/family
name=${0##*/}

state() {
  cat "$family/state/$1" 2>/dev/null || true
}

# Words that are no options.
operands() {
  for word in "$@"; do
    case $word in -*) ;; *) printf '%s\n' "$word" ;; esac
  done
}

prepare() {
  apt-get -qq update
  systemctl --quiet mask --runtime docker.service docker.socket
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends docker.io >/dev/null
  systemctl --quiet unmask --runtime docker.service docker.socket
  mkdir -p "$family/away" "$family/state"
  mv /usr/sbin/dockerd /usr/lib/systemd/system/docker.service "$family/away/"
  mv /usr/lib/systemd/system/docker.socket "$family/away/"
  for tool in apt-get apt-cache dpkg dpkg-query; do mv "/usr/bin/$tool" "$family/away/"; done
  mv /usr/bin/curl "$family/away/"
  rm -f /etc/init.d/docker
}

become() {
  systemctl --quiet stop docker.service docker.socket 2>/dev/null || true
  [ ! -x /etc/init.d/docker ] || /etc/init.d/docker stop
  rm -rf /etc/docker /etc/systemd/system/docker.service.d /usr/bin/dockerd /usr/local/bin/dockerd \
    /usr/lib/systemd/system/docker.service /usr/lib/systemd/system/docker.socket \
    /etc/systemd/system/multi-user.target.wants/docker.service /etc/yum.repos.d /var/lib/pacman \
    /etc/init.d/docker /etc/sysconfig/docker /usr/local/sbin/* /var/lib/boot2docker \
    /var/lib/docker/* "$family/state"
  mkdir -p "$family/state"
  rm -f /etc/os-release
  cat >/etc/os-release
  for tool in curl "$@"; do ln -s "$family/families.sh" "/usr/local/sbin/$tool"; done
  case " $* " in
    *' dnf '* | *' yum '*) mkdir /etc/yum.repos.d ;;
    *' pacman '*) mkdir /var/lib/pacman ;;
    *' boot2docker '*)
      mkdir /var/lib/boot2docker
      cp "$family/away/dockerd" /usr/local/bin/dockerd
      cp "$family/boot2docker-docker.sh" /etc/init.d/docker
      /etc/init.d/docker start
      ;;
  esac
  systemctl daemon-reload
}

# Puts the engine where its package does, with the command line that the package gives it.
put_engine() {
  cp "$family/away/dockerd" /usr/bin/dockerd
  cp "$family/away/docker.socket" /usr/lib/systemd/system/
  unit=$(state unit)
  awk -v exec="${unit:-/usr/bin/dockerd -H fd:// --containerd=/run/containerd/containerd.sock}" \
    '/^ExecStart=/ { print "EnvironmentFile=-/etc/sysconfig/docker"; print "ExecStart=" exec; next }
    /^EnvironmentFile=/ { next } { print }' \
    "$family/away/docker.service" >/usr/lib/systemd/system/docker.service
  mkdir -p /etc/sysconfig
  [ ! -f "$family/state/sysconfig" ] || cp "$family/state/sysconfig" /etc/sysconfig/docker
  systemctl daemon-reload
}

is_available() {
  state sources | grep -qx -- "$1" && return 0
  # What Docker's own source has.
  [ -f /etc/yum.repos.d/docker-ce.repo ] && case $1 in docker-ce*) return 0 ;; esac
  return 1
}

# Version 1 of each, and what it depends on.
install() {
  for package in "$@"; do
    is_available "$package" || return 1
    printf '%s 1\n' "$package" >>"$family/state/installed"
    case $package in
      docker-ce) printf 'docker-ce-cli 1\ncontainerd.io 1\n' >>"$family/state/installed" ;;
      docker | moby-engine | docker-engine) printf 'containerd 1\n' >>"$family/state/installed" ;;
    esac
    case $package in docker | docker-ce | docker-engine | moby-engine) put_engine ;; esac
  done
}

upgrade() {
  for package in "$@"; do sed -i "s/^$package 1$/$package 2/" "$family/state/installed"; done
}

engine_package() {
  state installed | awk '$1 ~ /^(docker|docker-ce|docker-engine|moby-engine)$/ { print $1; exit }'
}

# True once for each `busy`: somebody else has the locks.
is_busy() {
  [ -f "$family/state/busy" ] && rm "$family/state/busy"
}

rpm_tool() {
  case $1 in
    -qf) engine_package | grep . || { echo "file $4 is not owned by any package"; return 1; } ;;
    -q)
      shift
      status=0
      for package in "$@"; do
        state installed | awk -v p="$package" '$1 == p { print $1 "-" $2 "-1.x86_64"; found = 1 }
          END { exit !found }' || { echo "package $package is not installed"; status=1; }
      done
      return "$status"
      ;;
  esac
}

# dnf 5 has no words after "list" but packages, does not wait for others, and has no status of its own
# for that.
is_dnf5() {
  # shellcheck disable=SC1091
  [ "$name" = dnf ] && . /etc/os-release && [ "$ID" = fedora ] && [ "$VERSION_ID" -ge 41 ]
}

dnf_tool() {
  case " $* " in
    *' --available '*) [ "$name" = dnf ] || { echo 'no such option: --available' >&2; return 1; } ;;
  esac
  # shellcheck disable=SC2046  # words
  set -- $(operands "$@")
  verb=$1
  shift
  case $verb in
    list)
      [ "$1" != available ] || is_dnf5 || shift
      is_available "$1" || { echo 'Error: No matching Packages to list' >&2; return 1; }
      ;;
    *)
      if is_dnf5; then
        # Lists are fetched beside a transaction.
        [ "$verb" = makecache ] || ! is_busy || {
          printf 'Transaction failed: Failed to obtain rpm transaction lock. ' >&2
          echo 'Another transaction is in progress.' >&2
          return 1
        }
      else
        ! is_busy || {
          echo 'Existing lock /var/run/dnf.pid: another copy is running as pid 1.'
          return 200
        }
      fi
      ;;
  esac
  case $verb in
    install) install "$@" || { echo "Error: Unable to find a match: $*" >&2; return 1; } ;;
    upgrade) upgrade "$@" ;;
  esac
}

zypper_tool() {
  # shellcheck disable=SC2046  # words
  set -- $(operands "$@")
  verb=$1
  shift
  case $verb in
    search) is_available "$2" || return 104 ;;
    *) ! is_busy || { echo 'System management is locked by the application with pid 1 (zypper).'; return 7; } ;;
  esac
  case $verb in
    install) install "$@" || return 104 ;;
    update) upgrade "$@" ;;
  esac
}

pacman_tool() {
  case $1 in --noconfirm) shift 2 ;; esac
  verb=$1
  shift
  case $verb in
    -S | -Sy)
      if [ -f /var/lib/pacman/db.lck ]; then
        echo 'error: failed to init transaction (unable to lock database)' >&2
        return 1
      fi
      ;;
  esac
  case $verb in
    -Si) is_available "$1" || { echo "error: package '$1' was not found" >&2; return 1; } ;;
    -S)
      shift
      if [ -n "$(state installed)" ]; then upgrade "$@"; else install "$@"; fi
      ;;
    -Qqo) engine_package | grep . ;;
    -Q)
      for package in "$@"; do
        state installed | grep "^$package " || { echo "error: package '$package' was not found" >&2; }
      done
      ;;
  esac
}

curl_tool() {
  out='' url=
  while [ $# -gt 0 ]; do
    case $1 in
      -o) out=$2; shift ;;
      https://*) url=$1 ;;
    esac
    shift
  done
  printf '[docker-ce-stable]\nname=Docker CE\nbaseurl=%s\n' "${url%/*}" >"$out"
}

case $name in
  families.sh)
    verb=$1
    shift
    case $verb in
      prepare) prepare ;;
      become) become "$@" ;;
      state) printf '%s\n' "$2" >"$family/state/$1" ;;
      commands)
        state commands
        rm -f "$family/state/commands"
        ;;
    esac
    exit
    ;;
esac
# The folder that a script works in has a name of its own each time.
printf '%s\n' "$name $*" | sed 's,/run/machine-work\.[[:alnum:]]*/,WORK/,' \
  >>"$family/state/commands"
case $name in
  dnf | yum) dnf_tool "$@" ;;
  rpm) rpm_tool "$@" ;;
  zypper) zypper_tool "$@" ;;
  pacman) pacman_tool "$@" ;;
  curl) curl_tool "$@" ;;
  SUSEConnect) echo docker >>"$family/state/sources" ;;
  amazon-linux-extras) echo docker >>"$family/state/sources" ;;
esac
