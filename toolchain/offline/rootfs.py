"""A minimal Debian root file system, made by debootstrap and packed as one tar file."""

from __future__ import annotations

import os
from pathlib import Path

from toolchain.process import as_root, run
from toolchain.progress import Step

MIRROR = "http://deb.debian.org/debian"
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
SCRIPTS = Path("/usr/share/debootstrap/scripts")

SOURCES = """\
Types: deb
URIs: {mirror}
Suites: {suite} {suite}-updates
Components: main
Signed-By: {keyring}

Types: deb
URIs: {security}
Suites: {suite}-security
Components: main
Signed-By: {keyring}
"""

FINISH = """\
set -eu
root=$1
# No service starts, no documentation is unpacked and no package file is kept: as in Debian's own
# slim images.
printf '#!/bin/sh\\nexit 101\\n' > "$root/usr/sbin/policy-rc.d"
chmod 755 "$root/usr/sbin/policy-rc.d"
printf 'path-exclude /usr/share/doc/*\\npath-include /usr/share/doc/*/copyright\\n%s\\n' \\
    'path-exclude /usr/share/man/*' > "$root/etc/dpkg/dpkg.cfg.d/slim"
printf 'APT::Install-Recommends "false";\\nAcquire::Languages "none";\\n%s\\n' \\
    'DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };' \\
    > "$root/etc/apt/apt.conf.d/slim"
rm -f "$root/etc/apt/sources.list"
cp "$2" "$root/etc/apt/sources.list.d/debian.sources"
find "$root/usr/share/doc" -mindepth 1 -not -name copyright -not -type d -delete
rm -rf "$root/usr/share/man"/* "$root/var/cache/apt"/*.bin "$root/var/cache/apt/archives"/*.deb
rm -rf "$root/var/lib/apt/lists"/* "$root/var/log"/*.log "$root/var/log/apt" "$root/tmp"/*
rm -f "$root/etc/machine-id" "$root/etc/hostname" "$root/etc/resolv.conf"
: > "$root/etc/machine-id"
mkdir -p "$root/var/cache/apt/archives/partial" "$root/var/lib/apt/lists/partial"
# Names in order and no times: the same packages give the same file.
tar --create --file "$3" --directory "$root" --sort=name --numeric-owner --mtime=@0 \\
    --exclude=./dev/* --exclude=./proc/* --exclude=./sys/* .
chown "$4" "$3"
rm -rf "$root"
"""


def make_rootfs(suite: str, archive: Path) -> None:
    """Make the root file system and pack it; the archive gets its name when it is complete."""
    mirror = os.environ.get("FINETUNE_DEBIAN_MIRROR", MIRROR)
    root = archive.with_suffix(".root")
    sources = archive.with_suffix(".sources")
    partial = archive.with_suffix(".partial")
    sources.write_text(sources_list(suite, mirror))
    try:
        with Step(f"Making Debian {suite} from {mirror} (debootstrap)") as step:
            run(as_root(["rm", "-rf", root]), title="removing an unfinished root file system")
            run(
                as_root(debootstrap_command(suite, root, mirror)),
                title=f"debootstrap {suite}",
                watch=step.update,
            )
            owner = f"{os.getuid()}:{os.getgid()}"
            finish = ["sh", "-c", FINISH, "sh", root, sources, partial, owner]
            run(as_root(finish), title=f"packing Debian {suite}")
        partial.rename(archive)
    finally:
        sources.unlink(missing_ok=True)


def debootstrap_command(suite: str, root: Path, mirror: str) -> list[str]:
    """Return the command; older debootstraps do not know newer suites by name."""
    command = ["/usr/sbin/debootstrap", "--variant=minbase", f"--keyring={KEYRING}"]
    command += [suite, str(root), mirror]
    return command if (SCRIPTS / suite).exists() else [*command, str(SCRIPTS / "sid")]


def sources_list(suite: str, mirror: str) -> str:
    """Return what apt inside the image reads: the suite, its updates and security fixes."""
    security = mirror.rstrip("/").removesuffix("/debian") + "/debian-security"
    return SOURCES.format(suite=suite, mirror=mirror, security=security, keyring=KEYRING)
