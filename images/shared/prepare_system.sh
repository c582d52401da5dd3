#!/bin/sh
# Installs Debian packages and makes the image trust the operator's extra certificate authorities.
#
# Usage: prepare_system.sh PACKAGE...
# Reads APT_MIRROR (URL that replaces the distribution's own archive; empty: none) and
# EXTRA_CA_B64 (base64 of PEM certificates; empty: none).
set -eu
export DEBIAN_FRONTEND=noninteractive

if [ -n "${APT_MIRROR:-}" ]; then
    # Debian and Ubuntu keep the archive in one of these two places; security stays where it is.
    for sources in /etc/apt/sources.list /etc/apt/sources.list.d/*.sources; do
        [ -f "$sources" ] || continue
        sed -i -E "s#https?://(deb\.debian\.org/debian|archive\.ubuntu\.com/ubuntu)/?(\s|\$)#${APT_MIRROR%/}/\2#" \
            "$sources"
    done
fi

if ! apt-get -o Acquire::Retries=3 -o APT::Update::Error-Mode=any update -qq ||
    ! apt-get -o Acquire::Retries=3 install -y -qq --no-install-recommends ca-certificates "$@"; then
    echo "error: the packages could not be installed: $*" >&2
    echo "       If the archive is slow or unreachable, set images.mirrors.apt in the settings." >&2
    exit 1
fi
rm -rf /var/lib/apt/lists/* /var/cache/apt/archives/*.deb /var/log/apt /var/log/dpkg.log

if [ -n "${EXTRA_CA_B64:-}" ]; then
    # One certificate per file: update-ca-certificates links only single ones by their hash.
    # Written over, not added to: an image built on this one may do it again.
    mkdir -p /usr/local/share/ca-certificates
    printf '%s' "$EXTRA_CA_B64" | base64 -d | awk '
        /-----BEGIN CERTIFICATE-----/ { n++; file = sprintf("/usr/local/share/ca-certificates/extra-%02d.crt", n); printf "" > file }
        n { print >> file }
        /-----END CERTIFICATE-----/ { close(file) }'
    ls /usr/local/share/ca-certificates/extra-*.crt >/dev/null 2>&1 || {
        echo "error: EXTRA_CA_B64 holds no PEM certificate: give base64 of a file with BEGIN CERTIFICATE" >&2
        exit 1
    }
fi
update-ca-certificates >/dev/null 2>&1
