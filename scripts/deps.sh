#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing on Debian 12: `deps.sh build` what building and running needs, `deps.sh
# package` what the Debian packages need besides, `deps.sh` what the tests need too.  Quick when
# all is there.
set -euo pipefail

build=(build-essential cmake ninja-build pkg-config python3 libsodium-dev libssl-dev libjansson-dev
       libc-ares-dev libev-dev libtomlplusplus-dev)
tests=(libcriterion-dev libprotobuf-c-dev protobuf-c-compiler clang clang-format-14)
package=(debhelper dpkg-dev fakeroot)

wanted=("${build[@]}")
case "${1:-all}" in
build) ;;
package) wanted+=("${package[@]}") ;;
*) wanted+=("${tests[@]}" "${package[@]}") ;;
esac

if ! command -v dpkg-query >/dev/null || ! command -v apt-get >/dev/null; then
    echo "deps: this is no Debian; needed are the equivalents of: ${wanted[*]}"
    exit 0
fi

missing=()
for package in "${wanted[@]}"; do
    status=$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true)
    if [ "$status" != installed ]; then
        missing+=("$package")
    fi
done
if [ "${#missing[@]}" -eq 0 ]; then
    exit 0
fi

as_root=()
if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo >/dev/null; then
        echo "deps: missing: ${missing[*]}; install them as root" >&2
        exit 1
    fi
    as_root=(sudo)
fi
echo "deps: installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
"${as_root[@]}" apt-get -qq update
"${as_root[@]}" apt-get -qq -y --no-install-recommends install "${missing[@]}" >/dev/null
