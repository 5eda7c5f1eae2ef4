#!/bin/busybox sh
# Hands the guest over to systemd. The first file system cannot be the old root of pivot_root(2), which services with
# a view of their own need; so it is mounted once more over itself.
/guest/setup
cd /
/bin/busybox mkdir -p /root/over
/bin/busybox mount --rbind / /root/over
cd /root/over || exec /guest/end 122
/bin/busybox mount --move . /
exec /bin/busybox chroot . /usr/lib/systemd/systemd
