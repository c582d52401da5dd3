#!/bin/sh
# Starts Caddy with the operator's certificate and password.
#
# Usage: serve.sh CADDYFILE (its text)
# Reads REVERSE_PROXY_CERTIFICATE (PEM chain), REVERSE_PROXY_TLS_KEY (PEM) and
# REVERSE_PROXY_PASSWORD. What is secret lies in memory alone: /tmp is no disk.
set -eu
umask 077
missing() {
    echo "error: the secret $1 is not set: pulumi config set --secret $1" >&2
    exit 1
}
[ -n "${REVERSE_PROXY_TLS_KEY:-}" ] || missing reverse_proxy_tls_key
[ -n "${REVERSE_PROXY_PASSWORD:-}" ] || missing reverse_proxy_password
printf '%s\n' "$1" >/tmp/Caddyfile
printf '%s\n' "$REVERSE_PROXY_CERTIFICATE" >/tmp/certificate.pem
printf '%s\n' "$REVERSE_PROXY_TLS_KEY" >/tmp/key.pem
unset REVERSE_PROXY_TLS_KEY
REVERSE_PROXY_HASH=$(printf '%s\n' "$REVERSE_PROXY_PASSWORD" | caddy hash-password)
export REVERSE_PROXY_HASH XDG_CONFIG_HOME=/tmp XDG_DATA_HOME=/tmp
exec caddy run --config /tmp/Caddyfile --adapter caddyfile
