# Distributed under the terms of MIT or Apache-2.0, as the driver itself.

EAPI=8

inherit acct-group

DESCRIPTION="Group that may use Entropy Keys and the daemon's sockets"
ACCT_GROUP_ID=-1
