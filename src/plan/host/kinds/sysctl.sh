# Settings of the kernel: one file each, so that one can be taken off again.
sysctl_file() { printf '/etc/sysctl.d/90-tenantry-%s.conf' "$1"; }

observe_sysctl() { # INDEX KEY
  running=$(sysctl -n -- "$2" 2>/dev/null) && printf '%s' "$running" | blob "$1" running
  look "$(sysctl_file "$2")"
  [ "$kind" != file ] || blob "$1" written <"$(sysctl_file "$2")"
}

apply_sysctl() { # KEY VALUE TEXT
  sysctl -q -w -- "$1=$2" && write "$(sysctl_file "$1")" root root 0644 "$3"
}

remove_sysctl() { # KEY
  rm -f -- "$(sysctl_file "$1")"
}
