#!/usr/bin/env bash
# The peer of benches/patching.rs: what a hand-written script does to patch a root, and no more. An overlay on the same
# root, a chroot, apt-get update, apt-get dist-upgrade, clean. Needs root.
# usage: by-hand.sh ROOT SCRATCH
set -euo pipefail
root=$1 scratch=$2
mkdir -p "$scratch"/{upper,work,merged}
unshare --mount --pid --fork --kill-child bash -euo pipefail -c '
  mount -t overlay overlay -o "lowerdir=$1,upperdir=$2/upper,workdir=$2/work,volatile" "$2/merged"
  mount -t proc proc "$2/merged/proc"
  mount --bind /dev "$2/merged/dev"
  mount -t tmpfs tmpfs "$2/merged/run"
  mount -t tmpfs tmpfs "$2/merged/tmp"
  printf "#!/bin/sh\nexit 101\n" > "$2/merged/usr/sbin/policy-rc.d"; chmod 755 "$2/merged/usr/sbin/policy-rc.d"
  rm -f "$2/merged/etc/resolv.conf"; cp /etc/resolv.conf "$2/merged/etc/resolv.conf"
  [ -e /etc/apt/apt.conf.d ] && apt-config dump Acquire | grep -E "Proxy|Check-" > "$2/merged/etc/apt/apt.conf.d/99hand" || true
  run() { chroot "$2" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 "${@:3}"; }
  run x "$2/merged" apt-get -q update
  run x "$2/merged" apt-get -q -y -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold dist-upgrade
  run x "$2/merged" apt-get clean
' by-hand "$root" "$scratch" >"$scratch/log" 2>&1 || { tail -n 20 "$scratch/log" >&2; exit 1; }
rm -rf "$scratch"/{upper,work,merged}
