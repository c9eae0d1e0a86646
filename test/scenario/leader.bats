#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# leader.bats - who acts, among masters that share a store: one at a time, and the next one soon.

load common
load zookeeper

setup() {
	common_setup
	declare -gA RIEMANN PORT MASTER
	zk_make 1; zk_start; zk_up
}

teardown() {
	kill -CONT "${MASTER[@]}" 2>/dev/null || true
	common_teardown
}

config() {
	local n=$1
	PORT[$n]=$(free_port) RIEMANN[$n]=$(free_port)
	mkdir -p "$T/$n"
	cat >"$T/$n.cfg" <<-END
	role = "master";
	host = "$n";
	state-dir = "$T/$n";
	http = { host = "127.0.0.1"; port = ${PORT[$n]}; };
	modules = ( "riemann", "whitelist" );
	riemann = { host = "127.0.0.1"; port = ${RIEMANN[$n]}; };
	whitelist = { path = "$T/$n/whitelist"; resolve = false; store = "zookeeper"; import = false; guard = { mode = "off"; }; };
	store-zookeeper = { hosts = "$ZK"; timeout = 2; };
	streams = ( "index", { where = "service = 'disk'"; do = ( { where = "state = 'critical'";
	  do = ( "off-host" ); else = ( "on-host" ); } ); } );
	END
}

master() {
	config "$1"
	start "$1" --config "$T/$1.cfg"
	MASTER[$1]=$PID
	heard "$1" 'hosts in the store'
}

# acts NAME: it was the last to say so, and has not said otherwise.
acts() { [[ $(grep -E 'acts, epoch|does not act' "$T/$1.log" | tail -n 1) == *'acts, epoch'* ]]; }
acting() {
	local m
	for m in a b c; do
		if runs "${MASTER[$m]}" && acts "$m"; then echo -n "$m"; fi
	done
}
one_acts() { [[ $(acting) == ? ]]; }
another_acts() { [[ $(acting) == ? && $(acting) != "$1" ]]; }
epoch() { zk "print(json.loads(zk.get('/satellite/leader/epoch')[0])['epoch'])"; }
post() { status_of -X POST -d '{"state":"ok"}' "http://127.0.0.1:${PORT[$1]}/whitelist/host/$2/event/e"; }
send() { "$SATELLITE" --config "$T/$1.cfg" send --host "$2" --service disk --state "$3" --ttl 600 >&2; }
managed() { get "http://127.0.0.1:${PORT[$1]}/whitelist/host/$2" | jq -r '."managed-flag"'; }
managed_is() { [ "$(managed "$1" "$2")" = "$3" ]; }

@test "one of three acts; killed, stopped or ended, another does in time, under the next epoch" {
	local m old before began took
	for m in a b c; do master $m; done
	until_true 10 one_acts
	[ "$(epoch)" = 1 ]
	for how in KILL STOP TERM; do
		old=$(acting)
		before=$(epoch)
		began=$(date +%s%N)
		kill -$how "${MASTER[$old]}"
		[ $how = STOP ] || ends "${MASTER[$old]}" || true
		: >"$T/$old.log"
		until_true 10 one_acts
		took=$((($(date +%s%N) - began) / 1000000))
		echo "# $how: another acts after $took ms" >&3
		[ "$took" -lt 5000 ]
		[ "$(epoch)" = $((before + 1)) ]
		if [ $how = STOP ]; then
			kill -CONT "${MASTER[$old]}"
			heard "$old" 'has taken over'
			heard "$old" 'does not act any more'
		else
			start "$old" --config "$T/$old.cfg"
			MASTER[$old]=$PID
			heard "$old" 'hosts in the store'
		fi
		one_acts
	done
}

@test "what the streams want is carried out by whoever acts, and taken up by the next" {
	local m leader
	for m in a b c; do master $m; done
	until_true 10 one_acts
	[ "$(post a h1)" = 201 ]
	status_of -X DELETE "http://127.0.0.1:${PORT[a]}/whitelist/host/h1/event/e"
	for m in a b c; do send $m h1 ok; done
	until_true 10 managed_is a h1 on
	leader=$(acting)
	for m in a b c; do [ $m = "$leader" ] || send $m h1 critical; done
	[ "$(managed a h1)" = on ]
	kill -KILL "${MASTER[$leader]}"
	m=$([ "$leader" = a ] && echo b || echo a)
	until_true 10 managed_is $m h1 off
}

@test "without the store nobody acts, and with it again one does" {
	local m
	for m in a b; do master $m; done
	MASTER[c]=0
	until_true 10 one_acts
	zk_stop 1
	until_true 10 nobody
	zk_start 1; zk_up
	until_true 20 one_acts
}
nobody() { [ -z "$(acting)" ]; }
