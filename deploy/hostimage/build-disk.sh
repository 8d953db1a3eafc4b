#!/bin/bash
# Builds the disk image from which the hypervisor drivers make machines where no cloud image can be had.
# See --help and README.md beside this file.
set -euo pipefail

# A shell of `su` has no sbin in its PATH.
PATH=$PATH:/usr/sbin:/sbin
readonly SUITE=bookworm
readonly PACKAGES=systemd,systemd-sysv,systemd-resolved,libpam-systemd,dbus,udev,kmod,openssh-server,sudo
readonly MORE_PACKAGES=curl,ca-certificates,iproute2,procps,iptables,openssl,netcat-openbsd,zstd
readonly LATER_PACKAGES=(cloud-init cloud-guest-utils e2fsprogs qemu-guest-agent initramfs-tools
  linux-image-amd64)
readonly DISK_MIB=2048
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly here
# shellcheck source=SCRIPTDIR/debian.sh
source "$here/debian.sh"

output=
mirror=
force=
work=${XDG_CACHE_HOME:-$HOME/.cache}/machine-hostimage

usage() {
  cat <<'TEXT'
Usage: build-disk.sh [flags]

Builds a Debian 12 disk image (qcow2, BIOS boot) with systemd, sshd, cloud-init and the QEMU guest
agent. Does nothing when the image is there and was made by the same recipe.

  --output FILE   the image (default ${XDG_CACHE_HOME:-~/.cache}/machine-hostimage/bookworm-amd64.qcow2,
                  where the qemu driver of the same user looks for it)
  --mirror URL    Debian mirror (default: the ones in this machine's apt configuration)
  --force         build also when the image is up to date
  --help          this text
TEXT
}

die() {
  printf 'build-disk.sh: %s\n' "$*" >&2
  exit 1
}

say() {
  printf '[%3d s] %s\n' "$SECONDS" "$*"
}

parse_flags() {
  while [ $# -gt 0 ]; do
    case $1 in
      --help | -h) usage; exit 0 ;;
      --force) force=1; shift; continue ;;
      --output | --mirror) [ -n "${2:-}" ] || die "flag $1 needs a value" ;;
      *) die "unknown argument '$1'; see build-disk.sh --help" ;;
    esac
    case $1 in
      --output) output=$2 ;;
      --mirror) mirror=$2 ;;
    esac
    shift 2
  done
  output=${output:-$work/$SUITE-amd64.qcow2}
}

check_prerequisites() {
  [ "$(id -u)" = 0 ] || die "must run as root (debootstrap makes a root file system): sudo $0 …"
  [ "$(dpkg --print-architecture)" = amd64 ] || die "works on amd64 only"
  local tool
  for tool in debootstrap chroot unshare mke2fs sfdisk grub-mkimage qemu-img; do
    command -v "$tool" >/dev/null || die "$tool is missing: run deploy/install-deps.sh --test"
  done
  [ -f /usr/lib/grub/i386-pc/boot.img ] ||
    die "grub-pc-bin is missing: run deploy/install-deps.sh --test"
}

# Hash of everything that decides what is in the image.
recipe() {
  {
    printf '%s\n' "$PACKAGES" "$MORE_PACKAGES" "${LATER_PACKAGES[*]}" "$DISK_MIB"
    sources
    declare -f build_root configure_root copy_apt_configuration write_boot_menu write_disk
    (cd "$here" && cat overlay/etc/ssh/sshd_config.d/* overlay/etc/systemd/system/* &&
      find disk -type f -print -exec cat {} + | sort)
    { fetch_settings; extra_certificates; } | while read -r file; do cat "$file"; done
  } | sha256sum | cut -c1-16
}

build_root() {
  local root=$1 archive
  rm -rf "$root"
  say "fetching Debian $SUITE (about a minute)"
  archive=$(sources | awk -v suite="$SUITE" '$2 == suite { print $1; exit }')
  debootstrap --variant=minbase --include="$PACKAGES,$MORE_PACKAGES" "$SUITE" "$root" "$archive" \
    >"$work/disk-debootstrap.log" 2>&1 ||
    die "debootstrap failed; the end of $work/disk-debootstrap.log:
$(tail -n 15 "$work/disk-debootstrap.log")"
}

configure_root() {
  local root=$1
  say "kernel, cloud-init, settings"
  copy_apt_configuration "$root"
  # Nothing may start while packages are unpacked.
  printf '#!/bin/sh\nexit 101\n' >"$root/usr/sbin/policy-rc.d"
  chmod 755 "$root/usr/sbin/policy-rc.d"
  # Only the drivers of virtual machines are in the initial file system: it is read faster.
  mkdir -p "$root/etc/initramfs-tools/conf.d"
  printf 'MODULES=list\nCOMPRESS=zstd\n' >"$root/etc/initramfs-tools/conf.d/machine"
  printf '%s\n' virtio_pci virtio_blk virtio_scsi ahci sd_mod ext4 crc32c_generic \
    >"$root/etc/initramfs-tools/modules"
  echo '/dev/disk/by-label/machine-root / ext4 defaults,noatime 0 1' >"$root/etc/fstab"
  {
    in_root "$root" update-ca-certificates &&
      in_root "$root" apt-get -q update &&
      in_root "$root" apt-get -qy upgrade &&
      in_root "$root" apt-get -qy install --no-install-recommends "${LATER_PACKAGES[@]}" &&
      in_root "$root" useradd --create-home --shell /bin/bash --groups sudo machine
  } >"$work/disk-configure.log" 2>&1 || die "$(tail -n 15 "$work/disk-configure.log")"
  cp -a --no-preserve=ownership "$here/disk/." "$root/"
  cp --no-preserve=ownership "$here/overlay/etc/ssh/sshd_config.d/machine.conf" \
    "$root/etc/ssh/sshd_config.d/"
  cp --no-preserve=ownership "$here/overlay/etc/systemd/system/machine-hostkeys.service" \
    "$root/etc/systemd/system/"
  # Each machine makes its own.
  rm -f "$root"/etc/ssh/ssh_host_*
  : >"$root/etc/machine-id"
  echo machine >"$root/etc/hostname"
  {
    in_root "$root" systemctl enable machine-hostkeys.service ssh.service \
      systemd-networkd.service systemd-resolved.service &&
      in_root "$root" systemctl mask systemd-networkd-wait-online.service apt-daily.timer \
        apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service \
        fstrim.timer systemd-journal-catalog-update.service &&
      in_root "$root" systemctl set-default multi-user.target
  } >"$work/disk-configure.log" 2>&1 || die "$(tail -n 15 "$work/disk-configure.log")"
  write_boot_menu "$root"
  rm -rf "$root/usr/sbin/policy-rc.d" "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* \
    "$root"/var/log/*.log "$root"/var/log/apt
  rm -f "$root/etc/resolv.conf"
  ln -s ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
}

# /vmlinuz and /initrd.img are links that Debian's kernel packages keep to the newest kernel.
write_boot_menu() {
  mkdir -p "$1/boot/grub"
  cat >"$1/boot/grub/grub.cfg" <<'MENU'
set timeout=0
serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
menuentry "Debian" {
  linux /vmlinuz root=LABEL=machine-root ro console=ttyS0 quiet no_timer_check net.ifnames=0
  initrd /initrd.img
}
MENU
}

# A disk with one partition, which begins after the first MiB; GRUB is in the gap before it.
write_disk() {
  local root=$1 disk=$2 grub=/usr/lib/grub/i386-pc
  say "writing the disk"
  rm -f "$disk" "$disk.fs"
  truncate -s "$((DISK_MIB - 1))M" "$disk.fs"
  mke2fs -q -t ext4 -L machine-root -d "$root" -F "$disk.fs"
  truncate -s "${DISK_MIB}M" "$disk"
  printf 'label: dos\nstart=2048, type=83, bootable\n' | sfdisk --quiet "$disk"
  dd if="$disk.fs" of="$disk" bs=1M seek=1 conv=notrunc,sparse status=none
  grub-mkimage -O i386-pc -p '(hd0,msdos1)/boot/grub' -o "$disk.core" \
    biosdisk part_msdos ext2 normal linux serial terminal configfile minicmd
  [ "$(stat -c %s "$disk.core")" -lt $((2047 * 512)) ] || die "GRUB does not fit in front of the partition"
  # The first 440 bytes: behind them is the table of partitions.
  dd if="$grub/boot.img" of="$disk" bs=440 count=1 conv=notrunc status=none
  dd if="$disk.core" of="$disk" bs=512 seek=1 conv=notrunc status=none
  rm -f "$disk.fs" "$disk.core"
}

main() {
  parse_flags "$@"
  check_prerequisites
  archive_sources=$(debian_sources)
  [ -n "$archive_sources" ] ||
    die "this machine's apt configuration has no source of Debian $SUITE: give one with --mirror URL"
  mkdir -p "$work" "$(dirname "$output")"
  exec 9>"$work/disk.lock"
  flock -n 9 || { say "waiting for another build-disk.sh"; flock 9; }

  local hash
  hash=$(recipe)
  if [ -f "$output" ] && [ "$(cat "$output.recipe" 2>/dev/null)" = "$hash" ] && [ -z "$force" ]; then
    say "$output is up to date"
    return
  fi
  build_root "$work/disk-root"
  configure_root "$work/disk-root"
  write_disk "$work/disk-root" "$work/disk.raw"
  say "packing $output"
  qemu-img convert -q -f raw -O qcow2 "$work/disk.raw" "$output.new"
  rm -rf "$work/disk.raw" "$work/disk-root" "$output.recipe"
  # In one step: machines that were made from the old image keep it until they are removed.
  mv -f "$output.new" "$output"
  printf '%s\n' "$hash" >"$output.recipe"
  say "$output: $(du -h "$output" | cut -f 1)"
}

main "$@"
