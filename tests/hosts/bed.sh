# What dockerd.sh and host.sh agree on; sourced by both.
# shellcheck shell=bash disable=SC2034

# ip, iptables and dockerd are not in the PATH of every test and user.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

bed=${MACHINE_BED:-${XDG_CACHE_HOME:-$HOME/.cache}/machine-bed}
socket=$bed/run/docker.sock
# Each work folder has its own bridge and addresses, so that two of them can be in use at once.
bed_number=$(($(printf %s "$bed" | cksum | cut -d ' ' -f 1) % 100))
bridge=${MACHINE_BED_BRIDGE:-mbed$bed_number}
# First half of all addresses: machines get PREFIX.1.x, containers on the default bridge PREFIX.0.x.
prefix=${MACHINE_BED_PREFIX:-10.$((100 + bed_number))}
readonly bed socket bed_number bridge prefix

# Packets larger than the way out lets through would be lost where nobody answers with ICMP.
default_mtu() {
  local device
  device=$(ip -4 route show default | awk '{ print $5; exit }')
  awk '{ print ($1 > 1500) ? 1500 : $1 }' "/sys/class/net/${device:-lo}/mtu"
}
