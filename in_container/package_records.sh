#!/bin/sh
# Packs what package managers and Go's linker have written down of what is in an image.
#
# Usage: package_records.sh FOLDER
#
# Leaves FOLDER/records.tar: dpkg's status and os-release; METADATA, RECORD and direct_url.json of
# Python's distributions; and for each program that Go has linked FOLDER/go/PATH, its build
# information and what follows it. Needs find, grep and tar, and no Python: Ollama's image has none.
# What may not be read is left out.
set -eu
export LC_ALL=C
folder=$1
list=$folder/names
packed=$folder/records.tar

find / -xdev \( -path /proc -o -path /sys -o -path "$folder" \) -prune -o -type f \( \
    -path '*-packages/*.dist-info/METADATA' -o -path '*-packages/*.dist-info/RECORD' -o \
    -path '*-packages/*.dist-info/direct_url.json' -o -path '*-packages/*.egg-info/PKG-INFO' -o \
    -path '*-packages/*.egg-info' \) -print >"$list" 2>/dev/null || true
for file in /var/lib/dpkg/status /etc/os-release; do
    [ ! -r "$file" ] || printf '%s\n' "$file" >>"$list"
done

# Go's linker puts it at a multiple of 16 bytes; the same words elsewhere are somebody's who reads it.
find / -xdev \( -path /proc -o -path /sys \) -prune -o -type f -perm -u=x -size +512k \
    \( -path '*/bin/*' -o -path '*/sbin/*' \) -print 2>/dev/null |
    while read -r program; do
        grep -abo 'Go buildinf:' "$program" 2>/dev/null | while IFS=: read -r at _; do
            begins=$((at - 2))
            [ $((begins % 16)) -eq 0 ] || continue
            mkdir -p "$folder/go$(dirname "$program")"
            tail -c "+$((begins + 1))" "$program" | head -c 1048576 >"$folder/go$program"
            printf '%s\n' "$folder/go$program" >>"$list"
            break
        done
    done

tar -chPf "$packed" -T "$list"
