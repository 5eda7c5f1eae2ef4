# Distributed under the terms of MIT or Apache-2.0, as the driver itself.

EAPI=8

inherit cargo linux-info systemd tmpfiles udev

DESCRIPTION="Driver for the Simtec Entropy Key"
# Source of a release and its vendored crates: put the results of `git archive` and `cargo vendor` into DISTDIR.
HOMEPAGE="https://www.entropykey.co.uk"
SRC_URI="${P}.tar.gz ${P}-vendor.tar.gz"
RESTRICT="fetch"

LICENSE="|| ( MIT Apache-2.0 ) LGPL-2.1+ BSD Unicode-3.0"
SLOT="0"
KEYWORDS="~amd64 ~arm64"
IUSE="+demo systemd"

RDEPEND="acct-group/ekeyd acct-user/ekeyd virtual/udev !app-crypt/ekeyd"
BDEPEND=">=virtual/rust-1.88"

CONFIG_CHECK="~USB_ACM"

src_configure() {
	local myfeatures=( $(usev demo) )
	cargo_src_configure --no-default-features
}

src_compile() {
	cargo_src_compile -p ekeyd -p ekey-ctl
}

src_test() {
	# The other tests fetch other projects' programs.
	cargo_src_test -p ekey-proto -p ekey-egd -p ekey-control -p ekey-keyring -p ekeyd
}

src_install() {
	dosbin "$(cargo_target_dir)"/ekeyd
	dobin "$(cargo_target_dir)"/ekey-ctl
	newinitd packaging/openrc/ekeyd ekeyd
	systemd_dounit udev/ekeyd.service
	newtmpfiles udev/ekeyd.tmpfiles ekeyd.conf
	udev_dorules udev/60-ekey.rules
	exeinto "$(get_udevdir)"
	doexe udev/ekeyd-hotplug
	insinto /etc/entropykey
	doins ekeyd/ekeyd.toml
	doman packaging/man/ekey*
	dodoc README.md CHANGELOG.md docs/*.md
}

pkg_postinst() {
	udev_reload
	tmpfiles_process ekeyd.conf
}

pkg_postrm() {
	udev_reload
}
