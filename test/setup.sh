#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# setup.sh - install what building and testing need, if something is missing; `setup.sh demo`: what the demo needs.
set -eu
cd "$(dirname "$0")/.."

PACKAGES="build-essential clang libclang-rt-14-dev pkg-config libconfig-dev libuv1-dev libpcre2-dev libyajl-dev \
libcjson-dev libcivetweb-dev libcurl4-openssl-dev libsqlite3-dev libssl-dev libzookeeper-mt-dev libcmocka-dev bats curl jq mandoc \
zlib1g-dev riemann-c-client nginx-light procps iproute2 socat sqlite3 openssl zookeeper python3-kazoo valgrind \
monitoring-plugins-basic perl"

# Clients of others, which tests talk to: collectd, Prometheus, a browser, and node with packages from npm.
CLIENTS="collectd-core libriemann-client-dev prometheus chromium"
NPM="riemann@2.2.0 ws@8.23.0"
if [ "${1:-}" != demo ]; then
	PACKAGES="$PACKAGES $CLIENTS"
	command -v node >/dev/null || PACKAGES="$PACKAGES nodejs"
	command -v npm >/dev/null || PACKAGES="$PACKAGES npm"
fi

missing=
for p in $PACKAGES; do
	dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q '^install ok installed$' || missing="$missing $p"
done
if [ -n "$missing" ]; then
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
fi

if [ "${1:-}" != demo ] && [ "$(cat build-npm/has 2>/dev/null)" != "$NPM" ]; then
	echo "setup: npm packages: $NPM"
	mkdir -p build-npm
	# shellcheck disable=SC2086
	for try in 1 2 3; do
		npm install --prefix build-npm --ignore-scripts --no-audit --no-fund --loglevel=error $NPM >/dev/null && break
		[ $try -lt 3 ] || exit 1
	done
	echo "$NPM" >build-npm/has
fi
