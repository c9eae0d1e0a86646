#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# setup.sh - install from Debian's packages what building and testing need, if something is missing.
set -eu

PACKAGES="build-essential clang pkg-config libconfig-dev libuv1-dev libpcre2-dev libyajl-dev libcjson-dev \
libcivetweb-dev libcurl4-openssl-dev libsqlite3-dev libssl-dev libzookeeper-mt-dev libcmocka-dev bats curl jq mandoc \
riemann-c-client nginx-light procps iproute2 socat sqlite3 openssl zookeeper python3-kazoo valgrind \
monitoring-plugins-basic perl"

missing=
for p in $PACKAGES; do
	dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $p"
done
[ -n "$missing" ] || exit 0

sudo=
if [ "$(id -u)" != 0 ]; then
	command -v sudo >/dev/null || { echo "setup: please install as root:$missing" >&2; exit 1; }
	sudo=sudo
fi
echo "setup: installing$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq
# shellcheck disable=SC2086
$sudo apt-get install -y -qq --no-install-recommends $missing >/dev/null
