# What the host is and has, as lines "@fact NAME=VALUE" on standard output; parsed by facts.cc.
# Changes nothing. Best run as root: some files are not readable otherwise.
# shellcheck shell=sh disable=SC1090,SC2012,SC2015,SC2086
facts() {
  LC_ALL=C
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH
  export LC_ALL PATH

  for release in /etc/os-release /usr/lib/os-release; do
    [ -r "$release" ] || continue
    # By definition a file of shell assignments (os-release(5)).
    (
      ID='' VERSION_ID='' PRETTY_NAME=''
      . "$release"
      printf '@fact os_id=%s\n@fact os_version=%s\n@fact os_name=%s\n' \
        "$ID" "$VERSION_ID" "$PRETTY_NAME"
    )
    break
  done
  printf '@fact architecture=%s\n' "$(uname -m)"
  read -r name </proc/sys/kernel/hostname
  printf '@fact hostname=%s\n' "$name"
  if [ -d /run/systemd/system ]; then
    echo '@fact init=systemd'
  else
    read -r name </proc/1/comm
    printf '@fact init=%s\n' "$name"
  fi

  # /usr/libexec/docker: where some distributions of the Red Hat family keep it.
  dockerd=$(command -v dockerd || ls /usr/libexec/docker/dockerd 2>/dev/null)
  if [ -n "$dockerd" ]; then
    printf '@fact dockerd=%s\n@fact dockerd_version=%s\n' "$dockerd" \
      "$("$dockerd" --version 2>/dev/null | head -n 1)"
  fi

  # Also while, or after, an installation was cut off.
  command -v dpkg-query >/dev/null &&
    dpkg-query -W -f '@fact package=${db:Status-Status}\n' docker.io docker-ce 2>/dev/null

  # The `docker` and `docker.socket` blocks are told apart by Id.
  command -v systemctl >/dev/null && systemctl show docker.service docker.socket \
    -p Id -p LoadState -p ActiveState -p UnitFileState -p FragmentPath -p NeedDaemonReload \
    2>/dev/null | sed -n 's/^\(.\)/@fact unit.\1/p'
  for unit in /etc/systemd/system /run/systemd/system /usr/local/lib/systemd/system \
    /usr/lib/systemd/system /lib/systemd/system; do
    unit=$unit/docker.service
    # A masked unit is a link to /dev/null.
    [ -s "$unit" ] || continue
    exec_start=$(awk '{ if (sub(/\\$/, "")) { line = line $0 " "; next } line = line $0 }
         line ~ /^ExecStart=/ { exec = substr(line, 11) } { line = "" } END { print exec }' "$unit")
    printf '@fact exec_start=%s\n' "$exec_start"
    # Options that it takes from a file, as $OPTIONS of /etc/sysconfig/docker.
    systemctl show docker.service -p EnvironmentFiles --value 2>/dev/null |
      sed 's/ (ignore_errors=[a-z]*)$//' | while IFS= read -r file; do
      [ -r "$file" ] || continue
      EXEC_START=" $exec_start " awk '{ line = line $0 }
        sub(/\\$/, "", line) { next }
        match(line, /^[ \t]*[A-Za-z_][A-Za-z0-9_]*=/) {
          name = substr(line, 1, RLENGTH - 1)
          value = substr(line, RLENGTH + 1)
          gsub(/^[ \t]+/, "", name)
          gsub(/^[ \t]+|[ \t]+$/, "", value)
          if (value ~ /^".*"$/ || value ~ /^\047.*\047$/) {
            value = substr(value, 2, length(value) - 2)
          }
          if (index(ENVIRON["EXEC_START"], " $" name " ")) {
            print "@fact unit_variable=" name "=" value
          }
        }
        { line = "" }' "$file"
    done
    break
  done

  files="/etc/docker/ca.pem /etc/docker/server.pem /etc/docker/server-key.pem
    /etc/docker/daemon.json /etc/systemd/system/docker.service.d/10-machine.conf"
  json=/etc/docker/daemon.json
  if [ -d /var/lib/boot2docker ]; then
    json=/var/lib/boot2docker/daemon.json
    files="/var/lib/boot2docker/ca.pem /var/lib/boot2docker/server.pem
      /var/lib/boot2docker/server-key.pem /var/lib/boot2docker/profile $json"
    kill -0 "$(cat /var/run/docker.pid 2>/dev/null || echo none)" 2>/dev/null &&
      echo '@fact engine_alive=1'
  fi
  sha256sum $files 2>/dev/null | sed 's/^/@fact sha256=/'
  stat -c '@fact mode=%a %u %n' $files 2>/dev/null
  if [ -f "$json" ]; then
    printf '@fact daemon_json=%s\n' "$(base64 <"$json" | tr -d '\n')"
  fi
  [ ! -e /etc/docker/.machine-pending ] || echo '@fact pending=1'

  for layers in /var/lib/docker/image/*/layerdb/sha256; do
    [ -d "$layers" ] && [ -n "$(ls -A "$layers" 2>/dev/null | head -n 1)" ] || continue
    storage=${layers#/var/lib/docker/image/}
    printf '@fact storage_data=%s\n' "${storage%%/*}"
  done
  if [ -d /run/docker/runtime-runc/moby ]; then
    printf '@fact running_containers=%s\n' "$(ls -A /run/docker/runtime-runc/moby | wc -l)"
  fi
  df -Pk /usr /var/lib /var/cache 2>/dev/null |
    awk 'NR > 1 { print "@fact disk=" $4, $6 }' | sort -u

  if command -v cloud-init >/dev/null && [ -d /run/cloud-init ] &&
    [ ! -e /run/cloud-init/disabled ] && [ ! -e /run/cloud-init/result.json ]; then
    echo '@fact cloud_init=running'
  fi
  echo '@fact end=1'
}
facts </dev/null
