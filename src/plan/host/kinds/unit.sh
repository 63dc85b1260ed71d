# Units of systemd: one question for all of them.
observe_units() { # INDEX NAME, again and again
  indices= names=
  while [ $# -gt 1 ]; do
    indices="$indices $1" names="$names $2"
    look "/run/tenantry/$2.reloaded"
    [ "$kind" != file ] || fact "$1" reloaded "$changed"
    shift 2
  done
  set -- $indices
  systemctl show --timestamp=us+utc -p LoadState -p ActiveState -p UnitFileState -p NeedDaemonReload \
    -p ExecMainStartTimestamp -p InactiveExitTimestamp -p Result -- $names |
    while IFS='=' read -r key value; do
      case $key in '') shift ;; *) fact "$1" "$key" "$value" ;; esac
    done
}

# ENABLED is enable, disable or `leave`; ACTION is start, restart, reload, stop or `leave`.
apply_unit() { # NAME ENABLED ACTION
  systemctl daemon-reload || return 1
  case $2 in enable | disable) systemctl "$2" -- "$1" || return 1 ;; esac
  case $3 in
    leave) return 0 ;;
    stop) systemctl stop -- "$1"; return ;;
    reload)
      mkdir -p /run/tenantry && : >"/run/tenantry/$1.reloading" || return 1
      systemctl reload-or-restart -- "$1" && mv -T -- "/run/tenantry/$1.reloading" "/run/tenantry/$1.reloaded"
      ;;
    restart) systemctl restart -- "$1" ;;
    start) systemctl reset-failed -- "$1" 2>/dev/null; systemctl start -- "$1" ;;
  esac || { tell_unit "$1"; return 1; }
  case $1 in *.service) settled "$1" || { tell_unit "$1"; return 1; } ;; esac
}

# A service that ends at once has started as far as systemd knows.
settled() {
  sleep 0.2
  ! systemctl is-failed --quiet -- "$1"
}

tell_unit() { systemctl status --no-pager --full --lines 10 -- "$1"; }

remove_unit() { # NAME
  systemctl disable --now -- "$1" && { systemctl reset-failed -- "$1" 2>/dev/null || true; }
}
