# What may come in. A rule that locks us out is undone by the host itself: the undo is armed before
# anything changes, survives a reboot, and is taken back by whoever gets in over a new connection.
undo=$home/undo
firewall_file=/etc/tenantry/firewall.nft
firewall_unit=/etc/systemd/system/tenantry-firewall.service

observe_firewall() { # INDEX
  look "$undo/undone"
  [ "$kind" != file ] || head -c 65536 "$undo/undone" | blob "$1" undone
  look "$firewall_file"
  [ "$kind" = file ] || return 0
  sum "$firewall_file"
  fact "$1" sha256 "$sum"
  live=$(live_rules) && [ -f "$home/firewall.live" ] && read -r left <"$home/firewall.live" || return 0
  if [ "$live" = "$left" ]; then fact "$1" loaded yes; else fact "$1" loaded changed; fi
}

# The SHA-256 of what the kernel has, without its counters.
live_rules() {
  rules=$(nft -s list table inet tenantry 2>/dev/null) || return 1
  rules=$(printf '%s' "$rules" | sha256sum) && printf '%s' "${rules%% *}"
}

undo_script='#!/bin/sh
# Written by Tenantry: puts back what was there before a change that nobody confirmed.
undo=/var/lib/tenantry/undo
[ -f "$undo/armed" ] || exit 0
while read -r path; do
  if [ -e "$undo/saved$path" ]; then cp -a -T -- "$undo/saved$path" "$path"; else rm -f -- "$path"; fi
done <"$undo/paths"
systemctl daemon-reload
if [ -e /etc/systemd/system/tenantry-firewall.service ]; then
  systemctl restart tenantry-firewall.service
else
  systemctl stop tenantry-firewall.service
  nft delete table inet tenantry
fi
cat "$undo/armed" >>"$undo/undone"
rm -f "$undo/armed"
systemctl disable --now tenantry-undo.timer
'

# arm SECONDS SUM PATH…: what an earlier change saved, and nobody confirmed, is what is put back.
arm() {
  seconds=$1 armed_for=$2
  shift 2
  mkdir -p -- "$undo" || return 1
  if [ ! -f "$undo/armed" ]; then
    rm -rf -- "$undo/saved" && mkdir -- "$undo/saved" && : >"$undo/paths" || return 1
    for path in "$@"; do
      printf '%s\n' "$path" >>"$undo/paths" || return 1
      if [ -e "$path" ]; then
        mkdir -p -- "$undo/saved${path%/*}" && cp -a -T -- "$path" "$undo/saved$path" || return 1
      fi
    done
  fi
  write "$undo/restore.sh" root root 0700 "$undo_script" \
    && write "$undo/armed" root root 0600 "$armed_for
" \
    && write /etc/systemd/system/tenantry-undo.service root root 0644 "[Unit]
Description=Undoes a change that nobody confirmed
[Service]
Type=oneshot
ExecStart=$undo/restore.sh
" \
    && write /etc/systemd/system/tenantry-undo.timer root root 0644 "[Timer]
OnActiveSec=$seconds
AccuracySec=1s
[Install]
WantedBy=timers.target
" && sync -f "$undo" && systemctl daemon-reload \
    && systemctl enable -q tenantry-undo.timer && systemctl restart tenantry-undo.timer
}

# disarm: whoever calls this got in over a new connection. What was undone stays undone.
disarm() {
  [ -f "$undo/armed" ] || return 0
  rm -f -- "$undo/armed" "$undo/undone"
  systemctl disable -q --now tenantry-undo.timer
  rm -rf -- "$undo" /etc/systemd/system/tenantry-undo.timer /etc/systemd/system/tenantry-undo.service
  systemctl daemon-reload
}

apply_firewall() { # TEXT SUM SECONDS
  command -v nft >/dev/null || refuse 'there is no nft: add `package: {name: nftables}`' || return 1
  printf '%s' "$1" | nft -c -f - || return 1
  arm "$3" "$2" "$firewall_file" "$firewall_unit" "$home/firewall.live" || return 1
  mkdir -p /etc/tenantry || return 1
  write "$firewall_file" root root 0600 "$1" \
    && write "$firewall_unit" root root 0644 "[Unit]
Description=What may come in
DefaultDependencies=no
Wants=network-pre.target
Before=network-pre.target shutdown.target
Conflicts=shutdown.target
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/sbin/nft -f $firewall_file
ExecStop=/usr/sbin/nft delete table inet tenantry
[Install]
WantedBy=sysinit.target
" && systemctl daemon-reload && systemctl enable -q tenantry-firewall.service \
    && systemctl restart tenantry-firewall.service && live=$(live_rules) \
    && write "$home/firewall.live" root root 0600 "$live
"
}

remove_firewall() {
  systemctl disable -q --now tenantry-firewall.service
  rm -f -- "$firewall_unit" "$firewall_file" "$home/firewall.live"
  systemctl daemon-reload
}
