#!/usr/bin/env bash
# npm run test:ceph: the contract of media on a Ceph RBD image behind qemu-nbd.
#
# It installs what it needs from Debian 12's packages (as root), starts a Ceph of one monitor and one OSD that keeps its
# objects in memory, gives the suite (test/contract/medium-ceph.suite.ts) its configuration, and removes everything again.
# When the OSD does not join its monitor the logs are shown, and it ends with 69. Not a part of continuous integration: the
# packages alone are some hundred megabytes. An image's lock outlives a killed qemu-nbd until Ceph gives its client up:
# here after five seconds, by itself after thirty.
#
#   ceph-mon ─ ceph-osd (memstore) ─ pool "xbbd" ─ rbd image ─ qemu-nbd rbd: ─ unix socket ─ the medium under test
set -euo pipefail
cd "$(dirname "$0")/.."

missing=()
for tool in ceph-mon:ceph-mon ceph-osd:ceph-osd rbd:ceph-common qemu-nbd:qemu-utils; do
  command -v "${tool%%:*}" >/dev/null || missing+=("${tool##*:}")
done
ls /usr/lib/*/qemu/block-rbd.so >/dev/null 2>&1 || missing+=(qemu-block-extra)
if [ ${#missing[@]} -gt 0 ]; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "xbbd: this machine lacks ${missing[*]}: as root on Debian 12 they would be installed now" >&2
    exit 69
  fi
  echo "xbbd: installing ${missing[*]} …" >&2
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

dir=$(mktemp -d /tmp/xbbd-ceph-XXXXXX)
pids=()
finish() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
  rm -rf "$dir"
}
trap finish EXIT
export CEPH_CONF="$dir/ceph.conf"
port=$((20000 + RANDOM % 20000))
fsid=$(cat /proc/sys/kernel/random/uuid)
mkdir "$dir/mon" "$dir/osd"
cat >"$CEPH_CONF" <<END
[global]
fsid = $fsid
mon host = v1:127.0.0.1:$port
auth cluster required = none
auth service required = none
auth client required = none
osd pool default size = 1
osd pool default min size = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
ms bind msgr2 = false
ms bind ipv6 = false
run dir = $dir
admin socket = $dir/\$name.asok
log file = $dir/\$name.log
[mon.a]
mon data = $dir/mon
[osd]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
osd data = $dir/osd
osd client watch timeout = 5
# The OSD would ask with the fsid of a map that it may not have yet, be told that it is wrong, and end.
osd class update on start = false
osd crush update on start = false
osd objectstore = memstore
memstore device bytes = 268435456
END

echo "xbbd: starting a Ceph of one node …" >&2
monmaptool --create --fsid "$fsid" --addv a "v1:127.0.0.1:$port" "$dir/monmap" >/dev/null
ceph-mon --id a --mkfs --monmap "$dir/monmap" >/dev/null
ceph-mon --id a --foreground >"$dir/mon.out" 2>&1 &
pids+=($!)
ceph() { timeout 60 /usr/bin/ceph "$@" 2>>"$dir/ceph.err"; }
osd=$(cat /proc/sys/kernel/random/uuid)
ceph osd new "$osd" 0 >/dev/null
ceph-osd --id 0 --mkfs --osd-uuid "$osd" >/dev/null 2>"$dir/osd.mkfs"
ceph osd crush add osd.0 1 root=default host=here >/dev/null
ceph-osd --id 0 --foreground >"$dir/osd.out" 2>&1 &
pids+=($!)
for _ in $(seq 60); do [[ $(ceph osd stat) == *"1 up"* ]] && break; sleep 0.2; done
[[ $(ceph osd stat) == *"1 up"* ]] || { cat "$dir"/*.out "$dir"/ceph.err "$dir"/osd.mkfs >&2; exit 69; }
ceph osd pool create xbbd 8 8 >/dev/null
ceph osd pool application enable xbbd rbd >/dev/null
timeout 60 rbd create --size 1M xbbd/first >&2

echo "xbbd: it is up; the suite runs" >&2
XBBD_CEPH_POOL=xbbd node scripts/test.mjs --testMatch '**/contract/medium-ceph.suite.js'
