# What every script begins with: the tongue in which a host answers, and what the kinds share.
# Data comes as arguments of functions, never as text of the script.

LC_ALL=C PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export LC_ALL PATH
umask 077
home=/var/lib/tenantry

# fact INDEX NAME VALUE: a value of one line.
fact() { printf 'fact %s %s %s\n' "$1" "$2" "$3"; }

# blob INDEX NAME: any bytes, from the standard input.
blob() { printf 'blob %s %s ' "$1" "$2" && base64 -w 0 && echo; }

# refuse TEXT: says why a step cannot be done.
refuse() { printf '%s\n' "$1" >&2; return 1; }

# look PATH: sets kind, and mode, owner, group, size and changed.
look() {
  kind=absent mode= owner= group= size= changed=
  if [ -L "$1" ]; then kind=link
  elif [ -f "$1" ]; then kind=file
  elif [ -d "$1" ]; then kind=directory
  elif [ -e "$1" ]; then kind=other
  else return 0; fi
  stated=$(stat -c '%a|%U|%G|%s|%.9Y' -- "$1") || { kind=absent; return 0; }
  IFS='|' read -r mode owner group size changed <<STATED
$stated
STATED
}

# sum PATH: sets sum to the SHA-256 of what stands there.
sum() { sum=$(sha256sum <"$1") && sum=${sum%% *}; }

observe_path() {
  look "$2"
  [ "$kind" != absent ] || return 1
  fact "$1" kind "$kind"; fact "$1" mode "$mode"; fact "$1" owner "$owner"
  fact "$1" group "$group"; fact "$1" changed "$changed"
}

observe_machine() {
  fact - now "$(date +%s)"
  fact - user "$(id -u)"
  fact - kernel "$(uname -r)"
  fact - architecture "$(dpkg --print-architecture 2>/dev/null || uname -m)"
  fact - processors "$(nproc)"
  while IFS='=' read -r key value; do
    case $key in ID | VERSION_ID | PRETTY_NAME) fact - "os_$key" "$value" ;; esac
  done </etc/os-release
  while read -r key value _; do
    case $key in MemTotal:) fact - memory_kib "$value" ;; esac
  done </proc/meminfo
  if read -r id </etc/machine-id; then fact - machine_id "$id"; fi
  df -Pk /var/lib | { read -r _; read -r _ _ _ free _; fact - free_kib "$free"; }
  [ "$(ps -p 1 -o comm=)" = systemd ] && fact - init systemd
}

observe_inventory() {
  look "$home/inventory.json"
  case $kind in absent) return 0 ;; file) ;; *) fact - inventory "$kind"; return 0 ;; esac
  [ "$size" -le 1048576 ] || { fact - inventory large; return 0; }
  sum "$home/inventory.json"
  fact - inventory "$sum"
  blob - inventory_text <"$home/inventory.json"
}

# write PATH OWNER GROUP MODE TEXT: a file is there as a whole or as it was.
write() {
  beside="${1%/*}/.${1##*/}.tenantry"
  rm -rf -- "$beside" || return 1
  # A shell of its own does not say why it could not write; `cat` does.
  if (set -C && umask 077 && printf '%s' "$5" | cat >"$beside") \
    && [ "$(stat -c %s -- "$beside")" = "${#5}" ] && chown -- "$2:$3" "$beside" && chmod -- "$4" "$beside" \
    && sync -- "$beside" && mv -T -- "$beside" "$1"; then
    sync -- "${1%/*}/"
  else
    rm -f -- "$beside"
    return 1
  fi
}

# put_by PATH: keeps a copy of what a person wrote, where it can be found again.
put_by() {
  mkdir -p -- "$trash" && cp -a -T -- "$1" "$trash/$(printf '%s' "$1" | tr / %)"
}
