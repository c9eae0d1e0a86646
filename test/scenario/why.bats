#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# why.bats - for any host: what put it in its state, since and until when, and what would change it.

bats_require_minimum_version 1.5.0
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

why() { sat why "$@"; }
says() { sat send --host "$1" --service "$2" --state "$3" "${@:4}" >"$T/sent"; }
is_off() { ! grep -qx "$1" "$FILE"; }
is_on() { grep -qx "$1" "$FILE"; }
# tells HOST TEXT: one of the lines has it.
tells() { why "$1" | grep -qF -- "$2"; }
unknown() { sat hosts "$1" | grep -q '; unknown to Mesos for [0-9]* s'; }
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
	until_true 5 tells h3 'failing   check is critical'
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
	[[ $output == *'a person deleted it: it stays away'*'or "satellite on h1"; it gets no work;'* ]]
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
	EXTRA='silent = 2;'
	config
	printf 'leader = "always"; mesos-master = { url = "http://127.0.0.1:%s"; interval = 1; };\n' "$mesos" >>"$T/master.cfg"
	"$SIM" --agents 3 --port "$mesos" --control 0 --ports-file "$T/ports" >"$T/sim.log" 2>&1 3>&- &
	PIDS+=($!)
	master 2
	until_true 10 tells h1 'not registered with Mesos for at least '
	until_true 10 unknown h1
	local agent
	agent=$(get "http://127.0.0.1:$mesos/slaves" | jq -r '.slaves[0].hostname')
	until_true 10 tells "$agent" '; registered with Mesos'
	sat forget "$agent"
	run why "$agent"
	[[ $output == *'; Mesos lists it as agent '* ]]
	run why nobody
	[[ $output == *'; Mesos lists no such agent' ]]
}

@test "every command speaks JSON, and its exit status tells" {
	master 10
	[ "$(sat hosts --json | jq -c 'map(.host + .state) | sort | .[0:2]')" = '["h10on","h1on"]' ]
	[ "$(sat hosts off --json | jq length)" = 0 ]
	[ "$(sat hosts h1 --json | jq -c 'map([.source, .because])')" = "[[\"import\",\"imported from $FILE\"]]" ]
	[ "$(sat off h1 --json --reason=smoke --ttl=1hour)" = '{"host":"h1","state":"off","registered":null}' ]
	[ "$(sat hosts off --json | jq -c 'map([.host, .source, .until > .since])')" = '[["h1","person",true]]' ]
	[ "$(sat on h1 --json)" = '{"host":"h1","state":"on","registered":null}' ]
	[ "$(sat forget h1 --json)" = '{"host":"h1","state":"forgotten","registered":null,"was":"on"}' ]
	[ "$(sat guard --json | jq -c '[.mode, .hosts]')" = '["enforce",9]' ]
	[ "$(sat guard reset --json)" = '{"latched":false}' ]
	[ "$(sat status --json | jq .acting)" = true ]
	local line
	for line in 'why h1' 'forget h1' 'hosts h1' 'on h2 --ttl 5parsecs' 'off /'; do
		run --separate-stderr sat $line
		echo "$line: $status $output $stderr"
		[ "$status" = 1 ]
		[ -z "$output" ]
		[ -n "$stderr" ]
	done
	for line in why forget on off 'on h2 --ttl' 'why h2 h3' 'guard rest' 'hosts --jsn' 'off --reason x' 'status x' 'sttus'; do
		run --separate-stderr sat $line
		echo "$line: $status $output $stderr"
		[ "$status" = 2 ]
		[ -z "$output" ]
		[[ $stderr == *usage* || $stderr == *commands* ]]
	done
}

@test "they go to --url, to SATELLITE_URL, or to the control socket" {
	master 2
	printf 'role = "master"; state-dir = "%s/other";\n' "$T" >"$T/other.cfg"
	[ "$("$SATELLITE" --url "$URL" why h1 --json | jq -r .host)" = h1 ]
	[ "$(SATELLITE_URL=$URL "$SATELLITE" off h1 --reason 'new disk')" = 'h1: off' ]
	[[ $(SATELLITE_URL=$URL "$SATELLITE" why h1) == *': new disk'* ]]
	# what the command line says of whom to talk to wins
	[[ $(SATELLITE_URL=http://127.0.0.1:1 sat why h1) == *'new disk'* ]]
	[[ $(SATELLITE_URL=http://127.0.0.1:1 "$SATELLITE" --state-dir "$T/state" why h1) == *'new disk'* ]]
	SATELLITE_URL=$URL run "$SATELLITE" --config "$T/other.cfg" why h1
	[ "$status" = 3 ]
	SATELLITE_URL=http://127.0.0.1:1 run "$SATELLITE" why h1
	[ "$status" = 3 ]
	SATELLITE_URL=nonsense run "$SATELLITE" why h1
	[ "$status" = 2 ]
}

@test "the event of a check that is no more leaves the record, once its host speaks of others only" {
	EXTRA='reap = 2; silent = 10;' GUARD='mode = "off";'
	config
	master 3
	says h1 check-old critical --ttl 1
	says h1 check ok
	says h2 check-old critical --ttl 1
	until_true 10 tells h1 'failing   check-old is expired'
	speaks() {
		says h1 check ok
		! tells h1 'failing'
	}
	until_true 20 speaks
	heard master 'h1: check-old: nothing was heard of it for long'
	tells h1 'state     on'
	[ "$(get "$URL/whitelist/host/h1" | jq -c '.["managed-events"] | keys')" = '["check"]' ]
	# h2 is silent, and keeps what it had
	tells h2 'failing   check-old is expired'
	! said master 'h2: check-old: nothing'
}

# completes WORDS...: what bash offers for the last of them.
completes() {
	COMP_WORDS=("$SATELLITE" "$@") COMP_CWORD=$#
	_satellite
	printf '%s\n' "${COMPREPLY[@]}" | sort | xargs
}

@test "bash completes commands, options and hosts" {
	compopt() { :; }
	. "$ROOT/etc/satellite.bash-completion"
	master 3
	sat off h2
	[ "$(completes wh)" = why ]
	[ "$(completes --config "$T/master.cfg" why h)" = 'h1 h2 h3' ]
	[ "$(completes --config = "$T/master.cfg" on '')" = '--json --reason --ttl h2' ]
	[ "$(completes --url "$URL" off h)" = 'h1 h3' ]
	[ "$(completes --url "$URL" off h1 h)" = '' ]
	[ "$(completes off h1 --r)" = --reason ]
	[ "$(completes off h1 --ttl 7)" = 7days ]
	[ "$(completes --role = m)" = master ]
	[ "$(completes --role =)" = 'master slave' ]
	[ "$(completes guard r)" = reset ]
	# nobody answers: the words that need nobody
	[ "$(completes --url http://127.0.0.1:1 hosts o)" = 'off on' ]
	# every command that satellite has is offered
	local name
	for name in $(get "$URL/command" | jq -r '.[].name'); do
		[ "$(completes "$name")" != '' ] || { echo "$name"; false; }
	done
	make -s -C "$ROOT" -o all O="$BUILD" install DESTDIR="$T/root" PREFIX=/usr
	cmp "$T/root/usr/share/bash-completion/completions/satellite" "$ROOT/etc/satellite.bash-completion"
}
