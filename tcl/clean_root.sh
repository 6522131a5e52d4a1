#!/bin/sh
# clean_root.sh: prove that `make demo` and `make test` are each enough on a
# bare system. Makes a root with debootstrap (only git and make are added),
# clones what is committed into it, and runs the two there.
#
#   sh tcl/clean_root.sh          RELEASE=bookworm: the suite (default: this
#                                 system's); KEEP=1 keeps the root
#
# Mirror and keys are those that apt uses here. An Ubuntu suite needs Ubuntu's
# mirror and keyring; where they cannot be had, the script says so and stops.
set -eu

say() { echo "clean-root: $*"; }

if [ "$(id -u)" -ne 0 ]; then
  say "debootstrap and chroot need root: sudo make clean-root"
  exit 1
fi

. /etc/os-release
release=${RELEASE:-${VERSION_CODENAME:-bookworm}}
source=$(pwd)
root=$(mktemp -d "${TMPDIR:-/tmp}/steward-root-XXXXXX")

finish() {
  for dir in dev/pts dev proc; do
    umount "$root/$dir" 2>/dev/null || true
  done
  [ -n "${KEEP:-}" ] || rm -rf --one-file-system "$root"
}
trap finish EXIT INT TERM

# The mirror that apt has for the suite: deb822 files first, then one-line ones.
mirror=$(cat /etc/apt/sources.list.d/*.sources 2>/dev/null |
  awk '/^URIs:/ { uri = $2 } /^Suites:/ { print uri, $0 }' |
  grep -w "$release" | awk '{ print $1; exit }')
[ -n "$mirror" ] || mirror=$(grep -hE "^deb .* $release( |\$)" \
  /etc/apt/sources.list /etc/apt/sources.list.d/*.list 2>/dev/null |
  sed 's/\[[^]]*\]//' | awk '{ print $2; exit }')
case $release in
  focal|jammy|noble|oracular|plucky|questing)
    mirror=${mirror:-http://archive.ubuntu.com/ubuntu}
    keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg
    components=main,universe
    ;;
  *)
    mirror=${mirror:-http://deb.debian.org/debian}
    keyring=/usr/share/keyrings/debian-archive-keyring.gpg
    components=main
    ;;
esac
if [ ! -f "$keyring" ]; then
  say "no $keyring: the suite $release cannot be verified here, so it was" \
    "not tried"
  exit 1
fi

say "debootstrap $release from apt's mirror"
PATH=$PATH:/usr/sbin
if ! debootstrap --variant=minbase --components="$components" \
    --include=git,make --keyring="$keyring" "$release" "$root" "$mirror" \
    >"$root.log" 2>&1; then
  tail -n 5 "$root.log"
  say "debootstrap of $release failed: mirror or suite out of reach"
  rm -f "$root.log"
  exit 1
fi
rm -f "$root.log"
cp /etc/resolv.conf "$root/etc/resolv.conf"
mount -t proc proc "$root/proc"
mount --bind /dev "$root/dev"

# What is committed, as a stranger gets it.
git clone -q "$source" "$root/steward"

# Run a target in the root, in a fresh copy of the source tree.
failed=0
prove() {
  start=$(date +%s)
  if chroot "$root" env -i HOME=/root PATH=/usr/sbin:/usr/bin:/sbin:/bin \
      LANG=C.UTF-8 sh -c "cd /steward && git clean -qfdx && make $1"; then
    word=PASS
  else
    word=FAIL
    failed=1
  fi
  results="${results:-}
clean-root: $word  make $1  ($(($(date +%s) - start)) s)"
}
prove demo
prove test
echo "$results"
exit "$failed"
