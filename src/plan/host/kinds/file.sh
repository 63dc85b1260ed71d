# A regular file. Its text is sent only where it is another than SUM, and SHOW says that it may be.
observe_file() { # INDEX PATH SUM SHOW
  observe_path "$1" "$2" || return 0
  [ "$kind" = file ] || return 0
  sum "$2"
  fact "$1" sha256 "$sum"
  if [ "$4" = show ] && [ "$sum" != "$3" ] && [ "$size" -le 65536 ]; then blob "$1" text <"$2"; fi
}

# BEFORE is what the plan was made for: a SUM, `absent`, or `any`. KEEP puts by what is there.
apply_file() { # PATH OWNER GROUP MODE BEFORE KEEP TEXT
  [ -d "${1%/*}/" ] || refuse "the folder ${1%/*}/ is not there: ask for it in the catalog" || return 1
  look "$1"
  case $kind in
    file) sum "$1" ;;
    directory) refuse "a folder stands at $1: move it away"; return 1 ;;
    *) sum=$kind ;;
  esac
  case $5 in
    any | "$sum") ;;
    *) refuse "$1 was changed after it was looked at: plan again"; return 1 ;;
  esac
  [ "$6" != keep ] || [ "$kind" = absent ] || put_by "$1" || return 1
  write "$1" "$2" "$3" "$4" "$7" || return 1
  case $1 in /etc/systemd/system/*) systemctl daemon-reload ;; esac
}

remove_file() { # PATH SUM
  look "$1"
  [ "$kind" != absent ] || return 0
  [ "$kind" = file ] && sum "$1" && [ "$sum" = "$2" ] \
    || refuse "$1 was changed after it was looked at: plan again" || return 1
  put_by "$1" && rm -f -- "$1" && sync -- "${1%/*}/" || return 1
  case $1 in /etc/systemd/system/*) systemctl daemon-reload ;; esac
}
