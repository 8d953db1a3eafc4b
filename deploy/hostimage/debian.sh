# shellcheck shell=bash disable=SC2153,SC2154  # see the variables below
# What the scripts that make root file systems of Debian share: where this machine's packages come from,
# and running commands in such a root. Read by `source`, after SUITE and `mirror` (a URL, or empty) are set;
# `archive_sources` is set from debian_sources before anything is made.

# Prints "URI SUITE" for each source of Debian's own archive in this machine's apt configuration.
# Both formats are read (one line each, and deb822 paragraphs). A source that names a keyring of
# somebody else is a third party's, whatever its suite.
debian_sources() {
  if [ -n "$mirror" ]; then
    printf '%s %s\n' "$mirror" "$SUITE"
    return
  fi
  {
    cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null || true
    # A blank line between files: a paragraph ends with its file.
    awk 'FNR == 1 { print "" } { print }' /etc/apt/sources.list.d/*.sources 2>/dev/null || true
    echo
  } | awk -v suite="$SUITE" '
    function flush(  i, j, n, m, u, s) {
      if (type ~ /(^| )deb( |$)/ && components ~ /(^| )main( |$)/ &&
          (keyring == "" || keyring ~ /debian-archive/) && enabled != "no") {
        n = split(uris, u, " "); m = split(suites, s, " ")
        for (i = 1; i <= n; i++)
          for (j = 1; j <= m; j++)
            if (u[i] !~ /^cdrom:/ && s[j] ~ "^" suite "(-updates|-security)?$") print u[i], s[j]
      }
      type = uris = suites = components = keyring = enabled = ""
    }
    /^#/ { next }
    /^[ \t]*$/ { flush(); next }
    $1 == "deb" {
      flush()
      line = $0
      if (match(line, /\[[^]]*\]/)) {
        options = substr(line, RSTART + 1, RLENGTH - 2)
        if (match(options, /signed-by=[^ ]*/)) keyring = substr(options, RSTART, RLENGTH)
        sub(/\[[^]]*\]/, "", line)
      }
      n1 = split(line, f, " ")
      type = "deb"; uris = f[2]; suites = f[3]
      for (k = 4; k <= n1; k++) components = components " " f[k]
      flush(); next
    }
    tolower($1) == "types:" { $1 = ""; type = $0 }
    tolower($1) == "uris:" { $1 = ""; uris = $0 }
    tolower($1) == "suites:" { $1 = ""; suites = $0 }
    tolower($1) == "components:" { $1 = ""; components = $0 }
    tolower($1) == "signed-by:" { $1 = ""; keyring = $0 }
    tolower($1) == "enabled:" { enabled = tolower($2) }
  ' | sort -u
}

# Files of this machine's apt configuration that say how to fetch (proxies, certificates, dates).
# Hooks are left out: they call programs that the image lacks.
fetch_settings() {
  local file
  for file in /etc/apt/apt.conf.d/*; do
    if grep -q '^ *Acquire' "$file" && ! grep -qiE 'Invoke|IndexTargets|Install-Pkgs' "$file"; then
      printf '%s\n' "$file"
    fi
  done
}

extra_certificates() {
  find /usr/local/share/ca-certificates -name '*.crt' 2>/dev/null | sort
}

sources() {
  printf '%s\n' "$archive_sources"
}

# Runs a command in root file system $1 with /proc and /dev in a mount namespace of its own, so that
# nothing stays mounted whatever happens. The resolver is the machine's for that time.
in_root() {
  local root=$1
  shift
  # shellcheck disable=SC2016  # expanded by the inner shell
  unshare --mount --propagation private -- sh -ec '
    root=$1; shift
    mount -t proc proc "$root/proc"
    mount --rbind /dev "$root/dev"
    rm -f "$root/etc/resolv.conf"  # A link to what only a running system has.
    : >"$root/etc/resolv.conf"
    mount --bind /etc/resolv.conf "$root/etc/resolv.conf"
    exec chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 \
      DEBIAN_FRONTEND=noninteractive "$@"' sh "$root" "$@"
}

copy_apt_configuration() {
  local root=$1 file
  rm -rf "$root/etc/apt/sources.list" "$root"/etc/apt/sources.list.d/*
  sources | while read -r uri suite; do
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\nSigned-By: %s\n\n' "$uri" "$suite" \
      /usr/share/keyrings/debian-archive-keyring.gpg
  done >"$root/etc/apt/sources.list.d/debian.sources"
  fetch_settings | while read -r file; do cp "$file" "$root/etc/apt/apt.conf.d/"; done
  for file in /usr/share/keyrings/debian-archive-*; do
    [ ! -f "$file" ] || cp "$file" "$root/usr/share/keyrings/"
  done
  extra_certificates | while read -r file; do
    cp "$file" "$root/usr/local/share/ca-certificates/"
  done
}
