#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# alerts.bats - alerts of masters that share a store: each goes out at least once, and again only under the same id.
# takes: 70 s

load common
load zookeeper

setup() {
	common_setup
	zk_make 1; zk_start; zk_up
}

teardown() {
	common_teardown
}

@test "whoever acts is killed, stopped and cut off: each alert is logged, a repeat under the same id, in calm once" {
	local ports="" seed=${SEED:-$RANDOM}
	for _ in 1 2 3 4 5 6 7 8 9; do ports="$ports $(free_port)"; done
	echo "# seed $seed" >&3
	# shellcheck disable=SC2086
	timeout "${SECONDS_MAX:-400}" /usr/bin/python3 "$ROOT/test/clients/alerts.py" "$SATELLITE" "$T" \
		"${ZK_PORTS[1]}" "${ROUNDS:-20}" "$seed" $ports >"$T/alerts.out" 2>&1 3>&- || { cat "$T/alerts.out"; false; }
	sed 's/^/# /' "$T/alerts.out" >&3
}

master() {
	cat >"$T/$1.cfg" <<-END
	role = "master"; host = "$1"; state-dir = "$T/$1";
	http = { host = "127.0.0.1"; port = $2; };
	modules = ( "whitelist" );
	whitelist = { path = "$T/$1/whitelist"; resolve = false; store = "zookeeper"; import = false; };
	store-zookeeper = { hosts = "$ZK"; timeout = 2; };
	streams = ( { log = "warning"; alert = true; }, { log = "notice"; } );
	END
	start "$1" --config "$T/$1.cfg"
	heard "$1" 'hosts in the store'
}
# tell HOST: an event with the same time for both.
tell() {
	local p now
	now=$(date +%s.%6N)
	for p in "$A" "$B"; do
		[ "$(status_of -X POST -d "{\"host\":\"$1\",\"service\":\"s\",\"state\":\"critical\",\"time\":$now}" \
			"http://127.0.0.1:$p/events")" = 200 ]
	done
}
alerted() { grep -o "$2 s critical \[alert [0-9a-f]*\]" "$T/$1.log"; }
alerted_by() { alerted "$1" "$2" >/dev/null; }
by_one() { [ "$(for m in a b; do alerted $m "$1" || true; done | wc -l)" = 1 ]; }
by_any() { alerted_by a "$1" || alerted_by b "$1"; }
one_acts() { [ "$(grep -lF 'acts, epoch' "$T"/[ab].log | wc -l)" -ge 1 ]; }

@test "while the store is away alerts go on, under the same ids; with it again they go out once" {
	A=$(free_port) B=$(free_port)
	master a "$A"; master b "$B"
	until_true 10 one_acts
	tell h1
	until_true 10 by_one h1
	for m in a b; do heard $m 'h1 s critical'; done
	zk_stop 1
	for m in a b; do heard $m 'the store is out of touch'; done
	tell h2
	for m in a b; do until_true 15 alerted_by $m h2; done
	[ "$(alerted a h2)" = "$(alerted b h2)" ]
	# What they had sent before is not sent again.
	by_one h1
	zk_start 1; zk_up
	for m in a b; do heard $m 'the store is back'; done
	# Whoever is not told yet that it is back sends as before, at once.
	again() {
		n=$((n + 1))
		tell "h$n"
		until_true 5 by_any "h$n" && by_one "h$n"
	}
	n=2
	until_true 5 again
	by_one h1
}
