# shellcheck shell=bash
# Sourced by tests/run and tests/bench/run: a throw-away PostgreSQL in a temporary folder, on a free port of 127.0.0.1.
# It installs Debian's package where none is there, and never touches the machine's own clusters.

postgres_dir=
postgres_prefix=${TMPDIR:-/tmp}/larder-postgres

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# The server refuses to run as root.
as_server() {
  if [ "$(id -u)" = 0 ]; then runuser -u postgres -- "$@"; else "$@"; fi
}

# The folder of the newest server programs; nothing where there are none.
postgres_bin() {
  find /usr/lib/postgresql/*/bin -name initdb 2>/dev/null | sort -V | tail -n 1 | xargs -r dirname
}

postgres_install() {
  [ -z "$(postgres_bin)" ] || return 0
  command -v apt-get >/dev/null || {
    echo "PostgreSQL's server programs are missing and there is no apt-get to install them with." \
      "Start a PostgreSQL 15 or newer and name it: LARDER_TEST_POSTGRES_URL=postgres://USER:PASSWORD@HOST:PORT/postgres $0" >&2
    return 1
  }
  echo "Installing Debian's package postgresql (it starts no server)" >&2
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends postgresql-common >&2
  echo 'create_main_cluster = false' | as_root tee -a /etc/postgresql-common/createcluster.conf >/dev/null
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends postgresql >&2
}

# postgres_start [-c NAME=VALUE ...]: starts a server and exports LARDER_TEST_POSTGRES_URL. The default collation is a linguistic
# one, so that a statement that forgot COLLATE "C" is found out.
postgres_start() {
  local bin password port attempt
  postgres_install
  bin=$(postgres_bin)
  postgres_sweep
  postgres_dir=$(as_server mktemp -d "$postgres_prefix.XXXXXX")
  exec {postgres_lock}>"$postgres_dir/lock"
  flock -n "$postgres_lock"
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  as_server tee "$postgres_dir/password" <<<"$password" >/dev/null
  as_server "$bin/initdb" --pgdata="$postgres_dir/data" --username=larder --pwfile="$postgres_dir/password" \
    --auth=scram-sha-256 --encoding=UTF8 --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US --no-sync >/dev/null
  for attempt in 1 2 3 4 5; do
    port=$((20000 + RANDOM % 10000))
    # The lock is not for the server to inherit: it tells whether this script still lives.
    if as_server "$bin/pg_ctl" --pgdata="$postgres_dir/data" --log="$postgres_dir/log" --wait start --silent --options="\
      -c listen_addresses=127.0.0.1 -c port=$port -c unix_socket_directories= -c max_connections=300 $*" {postgres_lock}>&-; then
      export LARDER_TEST_POSTGRES_URL="postgres://larder:$password@127.0.0.1:$port/postgres"
      return 0
    fi
    echo "PostgreSQL did not start on port $port (attempt $attempt)" >&2
  done
  as_server cat "$postgres_dir/log" >&2
  return 1
}

# Stops the server in a folder, if it runs, and removes the folder.
postgres_remove() {
  local pid
  pid=$(head -n 1 "$1/data/postmaster.pid" 2>/dev/null || true)
  if [ -n "$pid" ] && [ "$(as_server readlink "/proc/$pid/cwd")" = "$1/data" ]; then
    as_server "$(postgres_bin)/pg_ctl" --pgdata="$1/data" --mode=immediate --silent --wait stop || true
  fi
  as_server rm -rf "$1"
}

postgres_stop() {
  [ -z "$postgres_dir" ] || postgres_remove "$postgres_dir"
  postgres_dir=
}

# Removes what a killed earlier run left: a folder of ours whose lock nobody holds.
postgres_sweep() {
  local dir lock
  for dir in "$postgres_prefix".??????; do
    if [ ! -f "$dir/lock" ] || [ -L "$dir" ] || [ "$(stat -c %u "$dir")" != "$(as_server id -u)" ]; then continue; fi
    exec {lock}<"$dir/lock"
    if flock -n "$lock"; then
      echo "Removing what a killed run left in $dir" >&2
      postgres_remove "$dir"
    fi
    exec {lock}<&-
  done
}
