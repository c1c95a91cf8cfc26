#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds the Debian source and binary packages out of the files that git knows (or of all, without
# git) into a folder: package.sh DIR.  Nothing is written into the source tree.
set -euo pipefail
out=$(mkdir -p "$1" && cd "$1" && pwd)
cd "$(dirname "$0")/.."

version=$(sed -n 's/^#define SY_VERSION_TEXT  *"\(.*\)"/\1/p' base/version.h)
packaged=$(sed -n '1s/.*(\(.*\)).*/\1/p' debian/changelog)
if [ "$version" != "$packaged" ]; then
    echo "package: debian/changelog says $packaged, base/version.h $version" >&2
    exit 1
fi

tree=$out/switchyard-$version
rm -rf "$tree" "$out"/*.deb "$out"/*.dsc "$out"/*.tar.* "$out"/*.buildinfo "$out"/*.changes
mkdir -p "$tree"
if git rev-parse --is-inside-work-tree >/dev/null 2>&1; then
    git ls-files -co --exclude-standard -z
else
    find . -name build -prune -o -type f -print0
fi | while IFS= read -r -d '' file; do
    if [ -e "$file" ]; then
        printf '%s\0' "$file"
    fi
done | tar -c --null -T - | tar -x -C "$tree"

cd "$tree"
# No lintian, no signature: both belong to whoever uploads.
if ! dpkg-buildpackage --no-sign --jobs="${JOBS:-2}" >"$out/build.log" 2>&1; then
    tail -n 40 "$out/build.log" >&2
    exit 1
fi
rm -rf "$tree"
cd "$out"
ls ./*.deb ./*.dsc
