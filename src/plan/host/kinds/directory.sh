# A folder, not what is in it.
observe_directory() { # INDEX PATH
  observe_path "$1" "$2" || return 0
}

apply_directory() { # PATH OWNER GROUP MODE
  look "$1"
  case $kind in
    directory) ;;
    absent)
      [ -d "${1%/*}/" ] || refuse "the folder ${1%/*}/ is not there: ask for it in the catalog" || return 1
      mkdir -- "$1" || return 1
      ;;
    *) refuse "something else than a folder stands at $1: move it away"; return 1 ;;
  esac
  chown -h -- "$2:$3" "$1" && chmod -- "$4" "$1" && sync -- "$1/"
}

remove_directory() { # PATH
  look "$1"
  [ "$kind" != absent ] || return 0
  rmdir -- "$1"
}
