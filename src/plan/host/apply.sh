# What carries steps out: one lock for the whole of it, and an event at the begin and end of each.

failed=
# step NUMBER NEEDS QUIET FUNCTION ARGUMENT…: what needs a failed step is left out, and so on.
step() {
  number=$1 needs=$2 quiet=$3
  shift 3
  for need in $needs; do
    case " $failed " in *" $need "*)
      printf 'skip %s %s\n' "$number" "$need"
      failed="$failed $number"
      return
      ;;
    esac
  done
  printf 'begin %s\n' "$number"
  status=0
  # What programs of others make is as open as they expect it to be; what we write says how open.
  (umask 022 && "$@") >"$home/output" 2>&1 </dev/null || status=$?
  [ "$status" = 0 ] || failed="$failed $number"
  printf 'end %s %s ' "$number" "$status"
  [ "$quiet" = quiet ] || tail -c 4096 "$home/output" | base64 -w 0
  echo
}

# begin WHO SUM: takes the lock, and makes sure that what was planned for is what is there.
begin() {
  mkdir -p -- "$home" && chmod 700 "$home" && : >>"$home/lock" || { echo unrecorded; return 1; }
  exec 9>>"$home/lock"
  if ! flock -w 10 9; then
    printf 'busy '; head -c 200 "$home/holder" | base64 -w 0; echo
    return 1
  fi
  printf '%s' "$1" >"$home/holder"
  look "$home/inventory.json"
  [ "$kind" = file ] || sum=none
  [ "$kind" != file ] || sum "$home/inventory.json"
  if [ "$sum" != "$2" ]; then echo moved; return 1; fi
}

# record TEXT: writes the inventory.
record() { write "$home/inventory.json" root root 0600 "$1"; }

# finish TEXT: the inventory as it is once everything has been done.
finish() {
  if [ -z "$failed" ]; then record "$1" || { echo 'unrecorded'; return; }; fi
  rm -f -- "$home/output" "$home/holder"
}
