#!/bin/sh
# need.sh: find what a make target needs, say what is missing, install it.
#
#   sh tcl/need.sh build|test|demo|check|docs|...
#
# Debian and Ubuntu: apt-get, with sudo when not root. Elsewhere the missing
# things are named and the script fails. DEPS=skip turns it off. Nothing but
# a shell and the essential packages is assumed, and when nothing is missing
# it takes some 30 ms.

[ "${DEPS:-}" = skip ] && exit 0

CC=${CC:-cc}
words=''     # what is missing, for people
packages=''  # the Debian packages that bring it

missing() {  # missing WHAT PACKAGE...
  words="$words${words:+, }$1"
  shift
  packages="$packages${packages:+ }$*"
}

command_() {  # command_ NAME PACKAGE...
  name=$1
  shift
  command -v "$name" >/dev/null 2>&1 || missing "the program $name" "$@"
}

# A header: first where Debian puts it, then ask the compiler.
header() {  # header NAME PACKAGE
  for dir in /usr/include /usr/local/include /usr/include/*-linux-*; do
    [ -f "$dir/$1" ] && return 0
  done
  echo "#include <$1>" | $CC -E -x c - >/dev/null 2>&1 ||
    missing "the header $1" "$2"
}

tcl_sqlite() {
  echo 'exit [catch {package require sqlite3}]' | tclsh >/dev/null 2>&1 ||
    missing 'the Tcl package sqlite3' libsqlite3-tcl
}

compiler() {
  case ${CC%% *} in
    *clang*) command_ "${CC%% *}" clang libc6-dev ;;
    *gcc*|cc) command_ "${CC%% *}" gcc libc6-dev ;;
    *) command_ "${CC%% *}" "${CC%% *}" libc6-dev ;;
  esac
  header stdio.h libc6-dev
  header sqlite3ext.h libsqlite3-dev
  header xxhash.h libxxhash-dev
  header pcre2.h libpcre2-dev
  command_ tclsh tcl
}

look() {  # look TARGET: fill words and packages
  words='' packages=''
  case $1 in
    build|fault|fuzz|bench|install) compiler ;;
    docs) command_ tclsh tcl ;;
    demo) compiler; command_ sqlite3 sqlite3; tcl_sqlite ;;
    test|asan|coverage)
      compiler; command_ sqlite3 sqlite3; tcl_sqlite
      [ "$1" = test ] || command_ gcc gcc libc6-dev
      [ -d /usr/share/json-schema-test-suite/tests ] ||
        missing 'the JSON Schema test suite' json-schema-test-suite
      ;;
    check)
      compiler; command_ sqlite3 sqlite3; tcl_sqlite
      command_ gcc gcc libc6-dev
      command_ clang clang
      command_ clang-format clang-format
      command_ cppcheck cppcheck
      command_ nm binutils
      ;;
    format) command_ clang-format clang-format ;;
    valgrind) compiler; command_ valgrind valgrind ;;
    clean-root)
      # debootstrap lives in sbin, which is not on everybody's PATH
      [ -x /usr/sbin/debootstrap ] || command_ debootstrap debootstrap
      command_ git git
      ;;
    *) echo "need.sh: unknown target '$1'" >&2; exit 2 ;;
  esac
}

# SQLite's minimum, said before a compiler says it less clearly.
minimum() {
  [ -f /usr/include/sqlite3.h ] || return 0
  while read -r define name number rest; do
    [ "$name" = SQLITE_VERSION ] && version=$(echo "$number" | tr -d '"')
    if [ "$define $name" = '#define SQLITE_VERSION_NUMBER' ]; then
      [ "$number" -ge 3040000 ] && return 0
      echo "steward: SQLite 3.40 or newer is needed, this system has $version" >&2
      exit 1
    fi
  done </usr/include/sqlite3.h
}

# apt-get update, when the lists are empty or an install failed.
apt_update() {
  echo "steward: apt-get update"
  $sudo apt-get -q -o DPkg::Lock::Timeout=300 update
}

apt_install() {
  # shellcheck disable=SC2086
  $sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y \
    -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 \
    install --no-install-recommends $packages
}

[ $# -eq 1 ] || { echo 'usage: need.sh TARGET' >&2; exit 2; }
look "$1"
if [ -z "$words" ]; then
  minimum
  exit 0
fi

# Under make -j two of us may be here: one installs, the other looks again.
if command -v flock >/dev/null 2>&1 && mkdir -p build; then
  exec 9>build/need.lock
  flock 9
  look "$1"
  [ -n "$words" ] || { minimum; exit 0; }
fi

echo "steward: missing for 'make $1': $words"
if ! command -v apt-get >/dev/null 2>&1; then
  echo "steward: install that with this system's package manager (in Debian" \
    "the packages are called: $packages) and try again" >&2
  exit 1
fi
sudo=''
if [ "$(id -u)" -ne 0 ]; then
  if ! command -v sudo >/dev/null 2>&1; then
    echo "steward: not root and no sudo; as root: apt-get install $packages" >&2
    exit 1
  fi
  sudo=sudo
fi
# each package once
packages=$(for p in $packages; do echo "$p"; done | sort -u | tr '\n' ' ')
packages=${packages% }
echo "steward: installing with ${sudo}${sudo:+ }apt-get: $packages"
echo "steward: (DEPS=skip turns this off)"

lists=''
for f in /var/lib/apt/lists/*_Packages*; do
  [ -f "$f" ] && lists=yes && break
done
[ -n "$lists" ] || apt_update || exit 1
if ! apt_install; then
  echo "steward: once more with fresh package lists"
  apt_update
  apt_install || {
    echo "steward: apt-get could not install: $packages" >&2
    exit 1
  }
fi

look "$1"
if [ -n "$words" ]; then
  echo "steward: still missing after the installation: $words" >&2
  exit 1
fi
minimum
