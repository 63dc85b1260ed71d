# What is only looked at: whether something answers, and whether something listens.
observe_http_check() { # INDEX URL TEXT
  command -v curl >/dev/null || { fact "$1" missing curl; return 0; }
  answer=$(mktemp) || return 0
  status=$(curl -s -o "$answer" --max-time 5 --max-filesize 1048576 -w '%{http_code}' -- "$2")
  fact "$1" status "$status"
  if [ -n "$3" ] && grep -qF -- "$3" "$answer"; then fact "$1" contains yes; fi
  rm -f -- "$answer"
}

observe_port_check() { # INDEX PORT
  ss -Hltnp "sport = :$2" 2>/dev/null | head -c 4096 | blob "$1" sockets
}
