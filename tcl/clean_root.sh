#!/bin/sh
# clean_root.sh: prove that `make demo` and `make test` are each enough on a
# bare system. Makes a root with debootstrap, with git and make and nothing
# else; clones what is committed into it and runs the two there, each in a
# fresh copy of the bare root.
#
#   sh tcl/clean_root.sh       RELEASE=bookworm  the suite (this system's)
#                              TARGETS="demo test"  what is to be proved
#                              WORKTREE=1  take the working tree as it is
#                              KEEP=1  keep the root
#
# Mirror, keys and proxy are those that apt uses here. An Ubuntu suite needs
# Ubuntu's mirror and keyring; where they cannot be had, the script says so.
set -eu

say() { echo "clean-root: $*"; }

if [ "$(id -u)" -ne 0 ]; then
  say "debootstrap and chroot need root: sudo make clean-root"
  exit 1
fi

. /etc/os-release
release=${RELEASE:-${VERSION_CODENAME:-bookworm}}
targets=${TARGETS:-demo test}
source=$(pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/steward-root-XXXXXX")
root=$work/root
PATH=$PATH:/usr/sbin:/sbin

# What is mounted is mounted in namespaces that end with their command, so
# nothing but files of ours is ever below $work.
finish() {
  if grep -q " $work" /proc/mounts; then
    say "something is still mounted below $work: not removed"
  elif [ -n "${KEEP:-}" ]; then
    say "kept: $work"
  else
    rm -rf --one-file-system "$work"
  fi
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# The mirror that apt has for the suite: deb822 files first, then one-line
# ones.
mirror=$(cat /etc/apt/sources.list.d/*.sources 2>/dev/null |
  awk '/^URIs:/ { uri = $2 } /^Suites:/ { print uri, $0 }' |
  grep -w "$release" | awk '{ print $1; exit }')
[ -n "$mirror" ] || mirror=$(grep -hE "^deb .* $release( |\$)" \
  /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
  sed 's/\[[^]]*\]//' | awk '{ print $2; exit }')

# Ubuntu's keyring where no package brings it (Debian 12 has none): from
# jammy's archive, used only if it is the one with the archive's known keys
# (2012: 790BC727...C0B21F32, 2018: F6ECB376...991BC93C). Not installed.
ubuntu_keyring() {
  say "no package ubuntu-keyring: fetching the keyring"
  url=$mirror/pool/main/u/ubuntu-keyring/ubuntu-keyring_2021.03.26_all.deb
  /usr/lib/apt/apt-helper download-file "$url" "$work/keyring.deb" \
    >"$work/log" 2>&1 || return 0
  dpkg-deb -x "$work/keyring.deb" "$work/keyring"
  got=$work/keyring/usr/share/keyrings/ubuntu-archive-keyring.gpg
  sum=1a4dd63e5c76728960a2edddae22e2e0fc53df8e8b87806deb971030ac704eb0
  if echo "$sum  $got" | sha256sum -c - >/dev/null 2>&1; then
    keyring=$got
  else
    say "the keyring of $mirror is not the known one"
  fi
}

script=''
case $release in
  focal|jammy|noble|oracular|plucky|questing)
    system=Ubuntu
    mirror=${mirror:-http://archive.ubuntu.com/ubuntu}
    keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg
    components=main,universe
    [ -f "$keyring" ] || ubuntu_keyring
    # an older debootstrap does not know the newest names, but their script
    [ -f "/usr/share/debootstrap/scripts/$release" ] ||
      script=/usr/share/debootstrap/scripts/gutsy
    ;;
  *)
    system=Debian
    mirror=${mirror:-http://deb.debian.org/debian}
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    components=main
    ;;
esac
if [ ! -f "$keyring" ]; then
  say "NOT POSSIBLE: no $keyring here, so that $release cannot be verified"
  exit 1
fi

# Run a command with the root's /proc and /dev mounted, for as long as it
# runs; without them where mounting is not allowed.
in_root() {
  tree=$1
  shift
  if unshare --mount true 2>/dev/null; then
    # shellcheck disable=SC2016
    unshare --mount sh -c 'mount -t proc proc "$1/proc" &&
      mount --rbind /dev "$1/dev"; tree=$1; shift; exec chroot "$tree" "$@"' \
      sh "$tree" "$@"
  else
    chroot "$tree" "$@"
  fi
}

say "$system $release by debootstrap from $mirror"
began=$(date +%s)
# shellcheck disable=SC2086
if ! unshare --mount debootstrap --variant=minbase \
    --components="$components" --include=git,make --keyring="$keyring" \
    "$release" "$root" "$mirror" $script >"$work/log" 2>&1; then
  tail -n 5 "$work/log"
  say "NOT POSSIBLE: debootstrap of $release failed: mirror or suite out of" \
    "reach, or a debootstrap too old for it"
  exit 1
fi
say "the root is there after $(($(date +%s) - began)) s"

# The network as this system has it: names, proxy, and whether apt is to
# mind dates (a mirror may be a snapshot).
rm -f "$root/etc/resolv.conf"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
apt-config dump | grep -iE '^Acquire::([a-z]+::Proxy|Check-)' \
  >"$root/etc/apt/apt.conf.d/90host" || true

# What is committed, as a stranger gets it.
if [ -n "${WORKTREE:-}" ]; then
  say "the working tree, with what is not committed"
  mkdir "$root/steward"
  git ls-files -co --exclude-standard | tar cf - -T - |
    tar xf - -C "$root/steward"
else
  git clone -q --no-hardlinks "$source" "$root/steward"
fi

failed=0
results=''
for target in $targets; do
  say "make $target"
  tree=$work/$target
  cp -a "$root" "$tree"
  began=$(date +%s)
  if in_root "$tree" env -i HOME=/root LANG=C.UTF-8 \
      PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
      http_proxy="${http_proxy:-}" https_proxy="${https_proxy:-}" \
      make -C /steward "$target"; then
    word=PASS
  else
    word=FAIL
    failed=1
  fi
  results="$results
clean-root: $word  $system $release  make $target  $(($(date +%s) - began)) s"
  [ -n "${KEEP:-}" ] || rm -rf --one-file-system "$tree"
done
echo "$results"
exit "$failed"
