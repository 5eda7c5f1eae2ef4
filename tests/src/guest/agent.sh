#!/bin/busybox sh
# Runs what the host asks for: a number on a serial port of its own names a script in the shared folder; its output goes
# next to it, its exit code back through the port.
exec 3<>/guest/port
/bin/busybox stty raw -echo <&3
echo ready >&3
while read -r call <&3; do
  /bin/sh "/share/.calls/$call.sh" >"/share/.calls/$call.out" 2>&1 </dev/null 3<&-
  echo "$call $?" >&3
done
