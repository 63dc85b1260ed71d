# What is in an archive, unpacked into a folder of its own: as a whole or not at all.
observe_archive() { # INDEX PATH
  observe_path "$1" "$2" || return 0
  look "$2/.tenantry-archive"
  [ "$kind" = file ] || return 0
  read -r unpacked <"$2/.tenantry-archive" && fact "$1" unpacked "$unpacked"
}

apply_archive() { # PATH ADDRESS SUM OWNER GROUP STRIP
  [ -d "${1%/*}/" ] || refuse "the folder ${1%/*}/ is not there: ask for it in the catalog" || return 1
  command -v curl >/dev/null || refuse 'there is no curl to fetch it with: add `package: {name: curl}`' || return 1
  beside="${1%/*}/.${1##*/}.tenantry"
  rm -rf -- "$beside" "$beside.fetched" || return 1
  trap 'rm -rf -- "$beside" "$beside.fetched"' EXIT
  curl -fsSL --retry 2 --max-time 1800 -o "$beside.fetched" -- "$2" || refuse "$2 cannot be fetched" || return 1
  sum "$beside.fetched"
  [ "$sum" = "$3" ] || refuse "the checksum does not match: what was fetched is $sum, and $3 is asked for" || return 1
  mkdir -m 0755 -- "$beside" \
    && tar -x -f "$beside.fetched" -C "$beside" --no-same-owner --strip-components "$6" \
    && printf '%s\n' "$3" >"$beside/.tenantry-archive" \
    && chown -R -h -- "$4:$5" "$beside" && chmod 0755 "$beside" && sync -f "$beside" || return 1
  look "$1"
  if [ "$kind" != absent ]; then
    mkdir -p -- "$trash" && put_aside="$trash/$(printf '%s' "$1" | tr / %)" \
      && rm -rf -- "$put_aside" && mv -T -- "$1" "$put_aside" || return 1
  fi
  mv -T -- "$beside" "$1" && sync -- "${1%/*}/"
}

remove_archive() { # PATH
  look "$1"
  [ "$kind" != absent ] || return 0
  mkdir -p -- "$trash" && mv -T -- "$1" "$trash/$(printf '%s' "$1" | tr / %)"
}
