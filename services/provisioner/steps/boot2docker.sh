# For boot2docker, after apply.sh: no systemd; a script of its own starts the engine.
# shellcheck shell=sh disable=SC2154
start_script=/etc/init.d/docker
[ -x "$start_script" ] || start_script=/usr/local/etc/init.d/docker

engine_log() {
  for file in /var/lib/boot2docker/docker.log /var/log/docker.log; do
    [ ! -f "$file" ] || tail -n 20 "$file"
  done
}

set_hostname() { # name
  if command -v sethostname >/dev/null; then sethostname "$1"; else hostname "$1"; fi >"$log" 2>&1 ||
    fail 'setting the host name' "$?"
  # Its start-up takes it from here; /etc is made anew at each.
  mkdir -p /var/lib/boot2docker/etc && printf '%s\n' "$1" | replace /var/lib/boot2docker/etc/hostname
}

enable_engine() {
  :
}

reload_units() {
  :
}

reload_engine() {
  kill -HUP "$(cat /var/run/docker.pid)"
}

# The start script goes into the background at once.
engine_is_up() {
  up_until=$(($(date +%s) + 30))
  until docker -H unix:///var/run/docker.sock version >/dev/null 2>&1; do
    [ "$(date +%s)" -lt "$up_until" ] || return 1
    sleep 1
  done
}

# Without the lock of this script (host/head.sh), which the engine would keep for as long as it runs.
run_start_script() {
  "$start_script" restart >"$log" 2>&1 9>&- && engine_is_up
}

restart_engine() {
  was=$(cat /var/run/docker.pid 2>/dev/null)
  run_start_script && return 0
  words=$(engine_log)
  restore
  if [ -z "$was" ]; then
    end='The previous configuration is back.'
  elif run_start_script; then
    end='The previous configuration is back, and the engine runs with it.'
  else
    end='The previous configuration is back, but the engine does not start with it either.'
  fi
  printf '%s\n%s\n' "$words" "$end" >"$log"
  fail 'starting the engine' 1
}
