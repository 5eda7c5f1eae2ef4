# Fetches from Debian into a folder below target/, for the scripts of this folder and packaging/build. It installs nothing,
# needs no root and fetches nothing twice. A script sources it with these set: `into` (the folder), `log`, `plan` (what a
# part must have been fetched by), `left_out` (folders of /usr/share), for whole trees `needless` (packages to leave out),
# and `architecture`, in Debian's words, if it is not amd64.

# Package lists of our own, where the machine's are missing or stale. All scripts share them; tests/run deletes them.
lists=$(mkdir -p "${CARGO_TARGET_DIR:-target}/lists" && cd "${CARGO_TARGET_DIR:-target}/lists" && pwd)

fail() {
  [ ! -s "$log" ] || tail -n 20 "$log" >&2
  printf '%s: %s\n' "$0" "$1" >&2
  exit 1
}

# Runs a function for a part, unless the part is there, whole and by today's plan.
part() {
  local name=$1
  shift
  [ "$(cat "$into/done/$name" 2>/dev/null)" != "$plan" ] || return 0
  printf '%s: fetching %s\n' "$(basename "$into")" "$name"
  "$@"
  # The tests keep images made of the parts.
  rm -f "$into"/*.cpio
  printf '%s\n' "$plan" >"$into/done/$name"
}

# apt-get or apt-cache ($1) that keeps everything in a folder of ours.
apt() {
  local program=$1
  shift
  local options=(-q -o "Dir::State::status=$into/apt/status" -o "Dir::Cache=$into/apt/cache"
    -o "Dir::Cache::archives=$into/apt/deb" -o Debug::NoLocking=true -o APT::Install-Recommends=false
    -o "APT::Architecture=${architecture:-amd64}" -o "APT::Architectures=${architecture:-amd64}")
  [ "$(id -u)" -ne 0 ] || options+=(-o APT::Sandbox::User=root)
  [ ! -e "$(own_lists)/fetched" ] || options+=(-o "Dir::State::lists=$(own_lists)")
  "$program" "${options[@]}" "$@" 2>>"$log"
}

# Tries with the machine's own package lists; where those are missing or stale, with lists of our own.
with_lists() {
  ! "$@" || return 0
  echo "$(basename "$into"): the machine's package lists do not do, fetching lists of our own"
  mkdir -p "$(own_lists)/partial"
  apt apt-get -o "Dir::State::lists=$(own_lists)" -o Acquire::Languages=none update >>"$log" || return 1
  touch "$(own_lists)/fetched"
  "$@"
}

own_lists() { printf '%s/%s' "$lists" "${architecture:-amd64}"; }

# Downloads the packages named after the list $1 with all that they depend on and need, and writes the files' names to $1.
download_closure() {
  local list=$1 wanted
  shift
  apt apt-get install --yes --simulate "$@" >"$list.plan" || return 1
  # "Inst NAME (VERSION ARCHIVE [ARCHITECTURE])"; in file names the colon of a version is %3a.
  sed -n 's/^Inst \([^ ]*\) (\([^ ]*\) .*\[\([^]]*\)\]).*/\1_\2_\3.deb/p' "$list.plan" | grep -vE "$needless" |
    sed 's/:/%3a/' >"$list" || return 1
  mapfile -t wanted < <(sed 's/_[^_]*$//; s/_/=/; s/%3a/:/' "$list")
  (cd "$into/apt/deb" && apt apt-get -qq download "${wanted[@]}" >>"$log")
}

# Unpacks a file of Debian into a tree whose /bin, /lib and so on are links into /usr.
unpack() {
  local deb=$1 tree=$2 name
  local without=()
  for name in "${left_out[@]}"; do without+=("--exclude=./usr/share/$name"); done
  dpkg-deb --fsys-tarfile "$deb" 2>>"$log" |
    tar --extract --keep-directory-symlink --no-same-owner "${without[@]}" --directory "$tree" 2>>"$log"
}

fetch_tree() {
  local tree=$1 name folder
  shift
  with_lists download_closure "$into/apt/$tree" "$@" ||
    fail "could not fetch $*: check the network, and that apt's sources name Debian main for ${architecture:-amd64}"
  rm -rf "${into:?}/$tree"
  for folder in bin lib lib64 sbin; do
    mkdir -p "$into/$tree/usr/$folder"
    ln -s "usr/$folder" "$into/$tree/$folder"
  done
  while read -r name; do
    unpack "$into/apt/deb/$name" "$into/$tree" ||
      fail "$into/apt/deb/$name cannot be unpacked; delete $into and run this again"
    dpkg-deb --field "$into/apt/deb/$name" >"$into/apt/control/$name"
  done <"$into/apt/$tree"
}

# Python's pip. Debian splits it from Python: where it is missing, it runs from the unpacked packages of the list `pip`, which the
# script sets.
pip() {
  if ! python3 -m pip --version >>"$log" 2>&1; then
    [ -d "$into/pip" ] || {
      with_lists download_pip || fail "could not fetch ${pip[*]}: check the network, and that apt's sources name Debian main"
      mkdir -p "$into/pip"
      unpack "$(echo "$into"/apt/deb/python3-pip_*.deb)" "$into/pip" || fail "pip's package cannot be unpacked"
    }
    export PYTHONPATH=$into/pip/usr/lib/python3/dist-packages
  fi
  python3 -m pip --disable-pip-version-check --no-input "$@" >>"$log" 2>&1
}

download_pip() { (cd "$into/apt/deb" && apt apt-get -qq download "${pip[@]}" >>"$log"); }

# Makes the folder ready, or says what is missing.
begin_fetching() {
  local program
  for program in apt-get apt-cache dpkg-deb tar; do
    command -v "$program" >/dev/null || fail "$program is needed: this is made of Debian's packages"
  done
  mkdir -p "$into/done" "$into/apt/cache" "$into/apt/control" "$into/apt/deb/partial"
  : >"$into/apt/status"
  : >"$log"
}

# Deletes what only the fetching needed.
end_fetching() { rm -rf "$into/apt/deb" "$into/apt/cache"; }
