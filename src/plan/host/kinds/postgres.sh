# Roles and databases of the PostgreSQL on the machine. Names are values of psql, which quotes them.
sql() { # NAME OTHER; the statements come from the standard input
  cd / && runuser -u postgres -- psql -XAtq -F ' ' -v ON_ERROR_STOP=1 -v "name=$1" -v "other=$2" -d postgres
}

observe_postgres_role() { # INDEX NAME SECRET
  said=$(sql "$2" '' 2>/dev/null <<'SQL'
select rolcanlogin, rolcreatedb, rolsuper from pg_roles where rolname = :'name';
SQL
  ) || { fact "$1" server away; return 0; }
  [ -n "$said" ] || return 0
  set -- "$1" "$2" "$3" $said
  fact "$1" login "$4"; fact "$1" createdb "$5"; fact "$1" superuser "$6"
  [ -n "$3" ] || return 0
  password_of "$3"
  if [ -n "$password" ] && PGCONNECT_TIMEOUT=5 PGPASSWORD=$password \
    psql -XAtq -w -h 127.0.0.1 -U "$2" -d postgres -c '' >/dev/null 2>&1; then
    fact "$1" password fits
  fi
}

# password_of PATH: sets password to what a generated secret holds.
password_of() {
  password=
  look "$1"
  [ "$kind" = file ] || return 0
  read -r password <"$1"
  password=${password#*=}
}

apply_postgres_role() { # NAME SECRET LOGIN
  password=
  if [ -n "$2" ]; then
    password_of "$2"
    [ -n "$password" ] || refuse "there is no password in $2: ask for it with generated_secret" || return 1
  fi
  export password
  sql "$1" "$3" <<'SQL'
\getenv password password
set log_statement = 'none';
set log_min_error_statement = 'panic';
select format('create role %I', :'name')
  where not exists (select from pg_roles where rolname = :'name') \gexec
select format('alter role %I %s nosuperuser', :'name', case when :'other' = 'login' then 'login' else 'nologin' end) \gexec
select format('alter role %I password %L', :'name', :'password') where :'password' <> '' \gexec
SQL
}

remove_postgres_role() { # NAME
  sql "$1" '' <<'SQL'
select format('drop role %I', :'name') where exists (select from pg_roles where rolname = :'name') \gexec
SQL
}

observe_postgres_database() { # INDEX NAME
  said=$(sql "$2" '' 2>/dev/null <<'SQL'
select pg_get_userbyid(datdba), pg_encoding_to_char(encoding) from pg_database where datname = :'name';
SQL
  ) || { fact "$1" server away; return 0; }
  [ -n "$said" ] || return 0
  set -- "$1" $said
  fact "$1" owner "$2"; fact "$1" encoding "$3"
}

apply_postgres_database() { # NAME OWNER
  sql "$1" "$2" <<'SQL'
select format('create database %I owner %I template template0 encoding %L', :'name', :'other', 'UTF8')
  where not exists (select from pg_database where datname = :'name') \gexec
select format('alter database %I owner to %I', :'name', :'other') \gexec
select format('revoke connect on database %I from public', :'name') \gexec
SQL
}
