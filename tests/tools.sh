#!/usr/bin/env bash
# Run by tests/run: installs Python and Node tools at pinned versions in target/tools, for the end-to-end tests that drive Larder with
# them. They are installed once, and again when a list of versions changed. The interpreters are Debian's packages where they are missing.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/postgres.sh
. tests/postgres.sh

tools=${CARGO_TARGET_DIR:-target}/tools

# debian PACKAGE...
debian() {
  command -v apt-get >/dev/null || {
    echo "Something is missing and there is no apt-get to install it with; Debian calls it: $*" >&2
    return 1
  }
  echo "Installing Debian's packages $*" >&2
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -yqq --no-install-recommends "$@" >&2
}

# is_made FOLDER VERSIONS: whether the folder holds what these versions are.
is_made() {
  [ "$(cat "$1/made-of" 2>/dev/null)" = "$(sha256sum <<<"$2")" ]
}

python_packages() {
  local folder=$tools/python versions
  python3 -c 'import ensurepip, venv' 2>/dev/null || debian python3 python3-venv
  versions=$(python3 --version && cat tests/requirements.txt)
  ! is_made "$folder" "$versions" || return 0
  echo "Installing the Python packages of tests/requirements.txt in $folder" >&2
  rm -rf "$folder"
  python3 -m venv "$folder"
  "$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --requirement tests/requirements.txt
  sha256sum <<<"$versions" >"$folder/made-of"
}

node_packages() {
  local folder=$tools/node versions
  { command -v node && command -v npm; } >/dev/null || debian nodejs npm
  versions=$(node --version && cat tests/clients/package-lock.json)
  ! is_made "$folder" "$versions" || return 0
  echo "Installing the Node packages of tests/clients/package.json in $folder" >&2
  rm -rf "$folder"
  mkdir "$folder"
  cp tests/clients/package.json tests/clients/package-lock.json "$folder"
  (cd "$folder" && npm ci --silent --ignore-scripts --no-audit --no-fund)
  sha256sum <<<"$versions" >"$folder/made-of"
}

mkdir -p "$tools"
exec {lock}>"$tools/lock"
flock "$lock"
python_packages
node_packages
