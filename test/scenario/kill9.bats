#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# kill9.bats - the master is killed at random moments while hosts flip; the file is always whole, and what
# was acknowledged is there again.  ROUNDS says how often.

load common

setup() {
	common_setup
	PORT=$(free_port) RIEMANN=$(free_port)
	URL=http://127.0.0.1:$PORT
	FILE=$T/whitelist
	mkdir "$T/state"
	cat >"$T/master.cfg" <<-END
	role = "master";
	state-dir = "$T/state";
	http = { host = "127.0.0.1"; port = $PORT; };
	modules = ( "riemann", "whitelist" );
	riemann = { host = "127.0.0.1"; port = $RIEMANN; };
	whitelist = { path = "$FILE"; guard = { mode = "off"; }; };
	streams = ( "index", { where = "state = 'critical'"; do = ( "off-host", "persist-event" );
	                       else = ( "on-host", "delete-event" ); } );
	END
	seq -f 'host%03g' 1 60 >"$FILE"
}

teardown() {
	touch "$T/over"
	common_teardown
}

master() {
	"$SATELLITE" --config "$T/master.cfg" >/dev/null 2>"$T/master.log" 3>&- &
	MASTER=$!
	PIDS=("$MASTER")
}

answers() { curl -sf --max-time 2 -o /dev/null "$URL/whitelist/on"; }

# Every line is a host of ours, sorted, and those that nobody flips are all there.
whole() {
	[ "$(grep -cE '^host0(4[1-9]|5[0-9]|60)$' "$FILE")" = 20 ] && ! grep -qvE '^host0[0-6][0-9]$' "$FILE" && sort -cu "$FILE" && [ "$(tail -c 1 "$FILE")" = '' ]
}

# The even hosts flip by REST, one word after the other; the last acknowledged one is in $T/said/HOST.
people() {
	local n=0 host state
	while [ ! -e "$T/over" ]; do
		n=$((n + 1))
		host=$(printf 'host%03d' $((n % 20 * 2 + 2)))
		state=$([ $((RANDOM % 2)) = 0 ] && echo ok || echo critical)
		echo "$state" >"$T/asked/$host"
		if curl -sf --max-time 5 -o /dev/null -d "{\"state\":\"$state\"}" "$URL/whitelist/host/$host/event/e"; then
			echo "$state" >"$T/said/$host"
			echo "$host" >>"$T/acks"
		else
			rm -f "$T/said/$host"	# nobody knows
			sleep 0.02
		fi
	done
}

# The odd ones flip by streams.
slaves() {
	local n=0
	while [ ! -e "$T/over" ]; do
		n=$((n + 1))
		riemann-client send -h "$(printf 'host%03d' $((n % 20 * 2 + 1)))" -S load \
			-s "$([ $((RANDOM % 2)) = 0 ] && echo ok || echo critical)" 127.0.0.1 "$RIEMANN" >/dev/null 2>&1 || sleep 0.02
	done
}

# The file is what the store says.
agrees() {
	get "$URL/whitelist/on" 2>/dev/null | jq -r 'keys[]' | LC_ALL=C sort >"$T/on" && cmp -s "$T/on" "$FILE"
}

acknowledged() {
	local f want
	for f in "$T"/said/*; do
		[ -e "$f" ] || continue
		want=$([ "$(cat "$f")" = ok ] && echo on || echo off)
		get "$URL/whitelist/host/${f##*/}" | jq -e ".[\"manual-flag\"] == \"$want\"" >/dev/null ||
			{ echo "${f##*/}: $want was acknowledged"; return 1; }
	done
}

@test "killed ${ROUNDS:-200} times, the file is always whole, and equals the store" {
	local i people slaves
	mkdir "$T/said" "$T/asked"
	master
	until_true 10 answers
	people 3>&- &
	people=$!
	slaves 3>&- &
	slaves=$!
	for i in $(seq "${ROUNDS:-200}"); do
		[ $((RANDOM % 2)) = 0 ] || until_true 10 answers
		sleep "0.0$((RANDOM % 10))$((RANDOM % 10))"
		kill -KILL "$MASTER"
		wait "$MASTER" 2>/dev/null || true
		whole || { cat "$FILE"; false; }
		master
	done
	touch "$T/over"
	wait "$people" "$slaves" || true
	until_true 10 answers
	until_true 5 agrees
	[ "$(wc -l <"$T/acks")" -ge $((${ROUNDS:-200} / 4)) ]
	acknowledged
	[ "$(get "$URL/whitelist/all" | jq length)" = 60 ]
	# and once more, with nothing going on: killed, started, the same
	kill -KILL "$MASTER"
	wait "$MASTER" 2>/dev/null || true
	cp "$FILE" "$T/was"
	master
	until_true 10 answers
	until_true 5 agrees
	cmp "$FILE" "$T/was"
	acknowledged
	sqlite3 "$T/state/store.db" 'PRAGMA integrity_check' | grep -qx ok
	[ -z "$(ls "$T" | grep -v -e '^whitelist$' -e '^whitelist.new$' -e state -e said -e asked -e master -e on -e over -e was -e acks)" ]
}
