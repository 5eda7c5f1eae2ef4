# Distributed under the terms of MIT or Apache-2.0, as the driver itself.

EAPI=8

inherit acct-user

DESCRIPTION="Entropy Key daemon"
ACCT_USER_ID=-1
ACCT_USER_GROUPS=( ekeyd )

acct-user_add_deps
