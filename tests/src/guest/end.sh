#!/bin/busybox sh
# Ends the guest with the exit code $1, through QEMU's isa-debug-exit at port 0xf4.
/bin/busybox sync
printf '%b' "\\0$(printf %o "$1")" | /bin/busybox dd of=/dev/port bs=1 seek=244 count=1 2>/dev/null
echo "guest: still here, although it should have ended"
