#!/bin/busybox sh
# The first program of a guest: mounts what every system has, loads the modules, mounts the folder shared with the host.
export PATH=/usr/sbin:/usr/bin
/bin/busybox --install -s /usr/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs -o mode=755 tmpfs /run
hostname guest

while read -r module; do
  insmod "/usr/lib/modules/$(uname -r)/$module" || {
    echo "guest: $module cannot be loaded"
    exec /guest/end 120
  }
done </guest/load
mount -t 9p -o trans=virtio,version=9p2000.L,msize=262144,cache=none share /share || {
  echo "guest: the shared folder cannot be mounted"
  exec /guest/end 121
}
