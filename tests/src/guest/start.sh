#!/bin/busybox sh
# Runs the test's own script and ends the guest with its exit code.
export PATH=/usr/sbin:/usr/bin
/bin/sh /guest/script
exec /guest/end $?
