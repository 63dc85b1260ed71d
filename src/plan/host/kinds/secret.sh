# A credential that is made once, on the host, and kept in a file that its owner alone reads. What it
# is nobody asks.
observe_generated_secret() { # INDEX PATH
  observe_path "$1" "$2" || return 0
  [ "$size" != 0 ] || fact "$1" empty yes
}

apply_generated_secret() { # PATH OWNER GROUP VARIABLE LENGTH
  [ -d "${1%/*}/" ] || refuse "the folder ${1%/*}/ is not there: ask for it in the catalog" || return 1
  look "$1"
  case $kind in
    file) [ "$size" = 0 ] || { chown -- "$2:$3" "$1" && chmod -- 0600 "$1"; return; } ;;
    absent) ;;
    *) refuse "something else than a file stands at $1: move it away"; return 1 ;;
  esac
  made=$(od -An -v -tx1 -N "$5" /dev/urandom | tr -d ' \n' | head -c "$5") || return 1
  [ "${#made}" = "$5" ] || refuse "/dev/urandom gave too little" || return 1
  write "$1" "$2" "$3" 0600 "${4:+$4=}$made
"
}
