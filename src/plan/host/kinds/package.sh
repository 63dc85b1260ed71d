# Packages of Debian: one question for all of them, and apt for each.
observe_packages() { # INDEX NAME, again and again
  pairs= names=
  while [ $# -gt 1 ]; do pairs="$pairs $1:$2" names="$names $2"; shift 2; done
  dpkg-query -W -f '${Package} ${db:Status-Abbrev} ${Version}\n' -- $names 2>/dev/null |
    while read -r name status version; do
      for pair in $pairs; do
        [ "${pair#*:}" = "$name" ] || continue
        fact "${pair%%:*}" status "$status"; fact "${pair%%:*}" version "$version"
      done
    done
}

apt() {
  DEBIAN_FRONTEND=noninteractive apt-get -y -q -o DPkg::Lock::Timeout=120 \
    -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "$@"
}

apply_package() { # NAME VERSION
  # What a power cut left half done.
  if [ -n "$(ls /var/lib/dpkg/updates)" ] || [ -n "$(dpkg --audit)" ]; then
    DEBIAN_FRONTEND=noninteractive dpkg --force-confdef --force-confold --configure -a || return 1
  fi
  what=$1${2:+=$2}
  if ! apt -s install --no-install-recommends -- "$what" >/dev/null 2>&1 \
    || [ -z "$(find /var/lib/apt/lists -maxdepth 1 -name '*Packages*' -mtime -1)" ]; then
    apt update || return 1
  fi
  apt ${2:+--allow-downgrades} install --no-install-recommends -- "$what"
}

remove_package() { # NAME
  others=$(apt -s remove -- "$1" | while read -r verb name _; do
    [ "$verb" = Remv ] && [ "$name" != "$1" ] && printf ' %s' "$name"
  done)
  [ -z "$others" ] || refuse "these would go with it:$others" || return 1
  apt remove -- "$1"
}
