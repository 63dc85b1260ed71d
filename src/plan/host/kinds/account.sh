# Users, groups, and the keys that let people in.
observe_user() { # INDEX NAME
  entry=$(getent passwd "$2") || return 0
  IFS=: read -r _ _ number _ _ home_folder shell <<ENTRY
$entry
ENTRY
  fact "$1" number "$number"; fact "$1" home "$home_folder"; fact "$1" shell "$shell"
  fact "$1" groups "$(id -Gn -- "$2")"
}

apply_user() { # NAME HOME SHELL SYSTEM GROUPS
  if getent passwd "$1" >/dev/null; then
    usermod ${2:+-d "$2"} -s "$3" ${5:+-a -G "$5"} -- "$1"
    return
  fi
  own=--user-group
  if getent group "$1" >/dev/null; then own="--gid $1"; fi
  case $4 in system) home_folder=--no-create-home ;; *) home_folder=--create-home ;; esac
  useradd $own $home_folder ${4:+--system} ${2:+--home-dir "$2"} --shell "$3" ${5:+--groups "$5"} -- "$1"
}

remove_user() { # NAME
  ! getent passwd "$1" >/dev/null || userdel -- "$1"
}

observe_group() { # INDEX NAME
  entry=$(getent group "$2") || return 0
  IFS=: read -r _ _ number _ <<ENTRY
$entry
ENTRY
  fact "$1" number "$number"
}

apply_group() { # NAME SYSTEM
  getent group "$1" >/dev/null || groupadd ${2:+--system} -- "$1"
}

remove_group() { # NAME
  ! getent group "$1" >/dev/null || groupdel -- "$1"
}

# What stands in a user's home is read and written as that user, who could have put a link there.
keys_file='
umask 077
cd && mkdir -p .ssh && touch .ssh/authorized_keys || exit 1
rm -rf .ssh/.authorized_keys.tenantry
{ grep -vF -- "$1" .ssh/authorized_keys; [ -z "$2" ] || printf "%s\n" "$2"; } >.ssh/.authorized_keys.tenantry
sync .ssh/.authorized_keys.tenantry && mv -T .ssh/.authorized_keys.tenantry .ssh/authorized_keys
'

as_user() { # NAME PROGRAM ARGUMENT…
  entry=$(getent passwd "$1") || refuse "there is no user $1: ask for it in the catalog" || return 1
  IFS=: read -r _ _ _ _ _ home_folder _ <<ENTRY
$entry
ENTRY
  runner=$1
  shift
  HOME=$home_folder runuser -u "$runner" -- "$@"
}

observe_authorized_key() { # INDEX USER BLOB
  as_user "$2" sh -c 'cd && grep -qF -- "$1" .ssh/authorized_keys' sh "$3" </dev/null 2>/dev/null || return 0
  fact "$1" present yes
}

apply_authorized_key() { # USER BLOB LINE
  as_user "$1" sh -c "$keys_file" sh "$2" "$3"
}

remove_authorized_key() { # USER BLOB
  ! getent passwd "$1" >/dev/null || as_user "$1" sh -c "$keys_file" sh "$2" ''
}
