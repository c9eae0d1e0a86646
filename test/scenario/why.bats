#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# why.bats - for any host: what put it in its state, since and until when, and what would change it.

load common

setup() {
	common_setup
	PORT=$(free_port)
	URL=http://127.0.0.1:$PORT
	FILE=$T/whitelist
	MODULES='"push", "whitelist"' GUARD='rate = 1; max-off = 1; min-off-time = 3600; min-on-time = 0;' EXTRA=
	config
}

teardown() { common_teardown; }

config() {
	cat >"$T/master.cfg" <<-END
	role = "master";
	state-dir = "$T/state";
	http = { host = "127.0.0.1"; port = $PORT; };
	modules = ( $MODULES );
	whitelist = { path = "$FILE"; resolve = false; $EXTRA guard = { $GUARD }; };
	streams = ( "index",
	  { where = "service =~ 'check%'"; do = ( "persist-event",
	    { where = "state = 'critical' or expired"; do = ( "off-host" ); else = ( "on-host" ); } ); },
	  { where = "service = 'hole'"; do = ( { off-host = "blackhole"; ttl = 3600; } ); } );
	END
}

# master N: with the hosts h1 to hN.
master() {
	[ -z "${1:-}" ] || seq -f 'h%g' 1 "$1" >"$FILE"
	start master --config "$T/master.cfg"
	MASTER=$PID
	heard master 'hosts in the store'
	[ -z "${1:-}" ] || heard master "imported $1 hosts"
}

sat() { "$SATELLITE" --config "$T/master.cfg" "$@"; }
why() { sat why "$@"; }
says() { sat send --host "$1" --service "$2" --state "$3" "${@:4}" >"$T/sent"; }
is_off() { ! grep -qx "$1" "$FILE"; }
is_on() { grep -qx "$1" "$FILE"; }
# tells HOST TEXT: one of the lines has it.
tells() { why "$1" | grep -qF -- "$2"; }
lines() { [ "$(wc -l <<<"$output")" -le 12 ]; }

@test "a failing check: the stream, the event with its figure and words, and what must be ok again" {
	master 10
	says h1 'check disk' critical --metric 97.5 --description 'percentage used, threshold 90'
	until_true 3 is_off h1
	run why h1
	echo "$output"
	[ "$status" = 0 ]
	lines
	[[ $output == *'state     off since 20'* ]]
	[[ $output == *'because   streams[1].do[1].do[0]: check disk is critical, metric 97.5: percentage used, threshold 90'* ]]
	[[ $output == *'failing   check disk is critical, metric 97.5, 20'*'Z: percentage used, threshold 90'* ]]
	[[ $output == *'heard     '*' s ago'* ]]
	[[ $output == *'to change the check "check disk" must be ok again'* ]]
	[[ $output == *'to change satellite on h1: whatever the streams say'* ]]
	[ "$(get "$URL/whitelist/host/h1/why" | jq -c '[.host, .state, .source, .wished, .guard, .until]')" = \
	  '["h1","off","stream","off",null,null]' ]
	[ "$(why h1 --json | jq -r '.failing["check disk"].metric, .decisions[0].flag, (.change | length)')" = \
	  "$(printf '97.5\noff\n2')" ]
	# ok again, but only a while ago turned off: the guard says when
	says h1 'check disk' ok
	until_true 5 tells h1 'guard     wished on, deferred: the host was flipped a short time ago'
	tells h1 'to change guard min-off-time passes at 20'
	! why h1 | grep '^failing'
}

@test "an expired check" {
	master 10
	says h2 check2 ok --ttl 1
	until_true 20 is_off h2
	until_true 20 tells h2 'failing   check2 is expired'
	tells h2 'to change the check "check2" must be heard of and ok again'
}

@test "a person: who, when, until when and why; and what follows without that word" {
	master 10
	says h3 check ok
	sat off h3 --reason $'new\tdisk' --ttl 2days
	run why h3
	echo "$output"
	lines
	[[ $output == *'state     off since 20'*', '[0-9]*' s'* ]]
	[[ $output == *"because   a person said so, uid:$(id -un)"*', until 20'*'Z: new disk'* ]]
	[[ $output == *'to change that word ends at 20'*'Z; DELETE /whitelist/host/h3/event/operator takes it back; without it the host is on'* ]]
	[[ $output == *'to change satellite on h3'* ]]
	[ "$(why h3 --json | jq -r '.source, .event.state, .until > .since')" = "$(printf 'person\ncritical\ntrue')" ]
	sat on h4
	tells h4 'that word stays'
	tells h5 "because   imported from $FILE"
	tells h5 'state     on since 20'
}

@test "a refusal of the guard: its words, and who may end it" {
	GUARD='breaker = 0.2; rate = 1; max-off = 1; min-on-time = 0;'
	config
	master 10
	says h1 check critical; says h2 check critical; says h3 check critical
	until_true 5 tells h3 'guard     wished off, refused: too many hosts'
	tells h3 'state     on since'
	tells h3 'to change satellite guard reset'
	tells h3 'failing   check is critical'
	# what stands in the record outlives the process that decided
	stops "$MASTER"
	mv "$T/master.log" "$T/before.log"
	master
	tells h3 'refused: too many hosts'
}

@test "a black hole: the named hold and when it ends" {
	master 10
	says h1 hole critical --description '20 tasks of 2 frameworks failed'
	until_true 3 is_off h1
	run why h1
	echo "$output"
	[[ $output == *'because   '*'hole is critical, hold blackhole: 20 tasks of 2 frameworks failed'* ]]
	[[ $output == *'held off  since 20'*', until 20'*'hold blackhole'* ]]
	[[ $output == *'to change the hold "blackhole" must end: it does at 20'* ]]
	[ "$(why h1 --json | jq -r '.holds[0].name')" = blackhole ]
}

@test "a host that nobody knows, one that was deleted, and one that another program changed" {
	master 10
	run why nobody
	echo "$output"
	[ "$status" = 1 ]
	[[ $output == 'nobody: not in the inventory; Mesos has named no agents here' ]]
	[ "$(status_of "$URL/whitelist/host/nobody/why")" = 404 ]
	sat forget h1
	run why h1
	[ "$status" = 1 ]
	[[ $output == *'a person deleted it: it stays away'* ]]
	stops "$MASTER"
	mv "$T/master.log" "$T/before.log"
	sqlite3 "$T/state/store.db" "update map set value = replace(value, '\"managed-flag\":\"on\"',
	  '\"managed-flag\":\"off\"') where key = 'whitelist/h2'"
	master
	tells h2 'because   another program set managed-flag to off; satellite last wrote on'
	[ "$(why h2 --json | jq -r .source)" = 'another program' ]
}

@test "an agent of Mesos, and a host that is none" {
	local mesos
	mesos=$(free_port)
	MODULES='"push", "mesos-master", "whitelist"'
	config
	printf 'leader = "always"; mesos-master = { url = "http://127.0.0.1:%s"; interval = 1; };\n' "$mesos" >>"$T/master.cfg"
	"$SIM" --agents 3 --port "$mesos" --control 0 --ports-file "$T/ports" >"$T/sim.log" 2>&1 3>&- &
	PIDS+=($!)
	master 2
	until_true 10 tells h1 'not registered with Mesos'
	local agent
	agent=$(get "http://127.0.0.1:$mesos/slaves" | jq -r '.slaves[0].hostname')
	until_true 10 tells "$agent" '; registered with Mesos'
	sat forget "$agent"
	run why "$agent"
	[[ $output == *'; Mesos lists it as agent '* ]]
	run why nobody
	[[ $output == *'; Mesos lists no such agent' ]]
}
