# A program, guarded by another one that says whether it has anything to do.
observe_command() { # INDEX USER WORD…
  index=$1
  shift
  if run_as "$@" >/dev/null 2>&1 </dev/null; then fact "$index" done yes; else fact "$index" done no; fi
}

run_as() { # USER WORD…
  case $1 in
    root) shift; timeout 20 "$@" ;;
    *) user=$1; shift; timeout 20 runuser -u "$user" -- "$@" ;;
  esac
}

apply_command() { # USER WORD…
  case $1 in
    root) shift; "$@" ;;
    *) user=$1; shift; runuser -u "$user" -- "$@" ;;
  esac
}
