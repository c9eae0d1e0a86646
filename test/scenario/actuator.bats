#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# actuator.bats - what the whitelist decides, put into effect by deactivating agents, beside what people do by hand.

load common
load zookeeper

setup() {
	common_setup
	ACTUATORS='"file", "agents"' GUARD='mode = "off";' WHITELIST= ACTUATOR= MODULES='"mesos-master", "whitelist", "push"' EXTRA=
}
teardown() { common_teardown; }

# simulate OPTIONS...: a simulated Mesos with the agents a0 to a4; C is its control.
simulate() {
	rm -f "$T/ports"
	"$SIM" --port 0 --ports-file "$T/ports" --agents 5 --hostname a%d "$@" >/dev/null 2>>"$T/sim.log" 3>&- &
	PIDS+=("$!")
	until_true 10 test -f "$T/ports"
	C=$(awk '$1 == "control" { print "http://" $2 }' "$T/ports")
}
mesos() { awk -v n="$1" '$1 == "master" && $2 == n { print "http://" $3 }' "$T/ports"; }
order() { curl -sSf --max-time 10 -o /dev/null -X POST -d "${2-}" "$C/sim/$1"; }
refuse() { order "master/0/mode?path=/api/v1/$1" "$2"; }
# asked TYPE: how often master 0 was.
asked() { get "$C/sim/requests" | jq ".masters[0].paths[\"/api/v1 $1\"].count // 0"; }
asked_some() { [ "$(asked "$1")" -gt "$2" ]; }
active() { get "$C/sim/agent/$1" | jq -e '.deactivated | not' >/dev/null; }
inactive() { get "$C/sim/agent/$1" | jq -e .deactivated >/dev/null; }

# config NAME N: a satellite beside simulated master N.
config() {
	mkdir -p "$T/$1"
	cat >"$T/$1.cfg" <<-END
	role = "master"; host = "$1"; state-dir = "$T/$1";
	http = { host = "127.0.0.1"; port = $(free_port); };
	modules = ( $MODULES );
	mesos-master = { url = "$(mesos "$2")"; interval = 0.5; leader-interval = 0.2; };
	whitelist = { path = "$T/$1/whitelist"; resolve = false; actuators = ( $ACTUATORS ); guard = { $GUARD }; $WHITELIST };
	actuator-agents = { url = "$(mesos "$2")"; interval = 1; $ACTUATOR };
	streams = ( "index", { where = "service = 'disk'"; do = ( { where = "state = 'critical'";
	  do = ( "off-host" ); else = ( "on-host" ); } ); } );
	$EXTRA
	END
}
master() {
	config "$1" "$2"
	start "$1" --config "$T/$1.cfg" --modules "$BUILD/modules"
	heard "$1" 'hosts in the store'
}
# One that has taken in the five agents, and acts.
ready() {
	master m "${1:-0}"
	heard m 'imported 5 hosts'
}
# again: start m anew.
again() {
	start m --config "$T/m.cfg" --modules "$BUILD/modules"
	until_true 10 answers
}
answers() { sat hosts >/dev/null 2>&1; }
sat() { "$SATELLITE" --config "$T/${M:-m}.cfg" "$@" </dev/null; }
tells() { sat why "$1" | grep -qF -- "$2"; }
unknown_tells() { sat why "$1" 2>&1 | grep -qF -- "$2"; }
tells_nothing() { ! sat why "$1" | grep '^agents '; }
event() { sat query "host = '$1' and service = 'satellite/host/agents'" --json | jq -e "$2" >/dev/null; }
file_is() { [ "$(tr '\n' ' ' <"$T/$1/whitelist")" = "$2" ]; }
marks_are() { [ "$(zk 'print(len(zk.get_children("/satellite/deactivated")))')" = "$1" ]; }
stands() { sat query "service = 'satellite/actuator/agents'" --json | jq -e "any(.[]; .state == \"$1\")" >/dev/null; }

@test "off deactivates, on reactivates, for every agent of the host, whatever its id" {
	simulate
	ready
	[ "$(sat off a1 --reason "bad disk")" = 'a1: off' ]
	[ "$(sat off A1)" = 'A1: off; but Mesos lists no such agent' ]
	[ "$(sat off A1 --json)" = '{"host":"A1","state":"off","registered":false}' ]
	[ "$(sat forget A1)" = 'A1: forgotten' ]
	until_true 5 inactive a1
	heard m 'a1: agent '
	for a in a0 a2 a3 a4; do active $a; done
	# registered anew, under another id
	order agent/a1/remove
	order agent/a1/add
	until_true 10 inactive a1
	sat on a1
	until_true 5 active a1
	until_true 5 tells_nothing a1
	[ "$(asked DEACTIVATE_AGENT)" = 2 ]
	[ "$(asked REACTIVATE_AGENT)" = 1 ]
	until_true 5 event a1 'any(.[]; .state == "ok" and (.description | contains("reactivated")))'
}

@test "what another deactivated stays so, is told of, and is nobody's to reactivate, over a restart, too" {
	simulate
	order agent/a2/deactivate
	order agent/a3/deactivate
	ready
	until_true 5 tells a2 'is deactivated, and not by satellite, which leaves it so'
	sat hosts a2 | grep -qF '; agents: agent '
	[ "$(sat why a2 --json | jq -r '.actuators.agents' | grep -c 'not by satellite')" = 1 ]
	[ "$(sat why a1 --json | jq -c '.actuators')" = '{"agents":null}' ]
	until_true 5 event a2 'any(.[]; .state == "warning")'
	# off and on again: still not ours
	sat off a3
	sat off a1
	until_true 5 inactive a1
	sat on a3
	until_true 5 tells a3 'not by satellite'
	stops "$PID"
	again
	until_true 10 tells a3 'not by satellite'
	sat on a1
	until_true 5 active a1
	inactive a2
	inactive a3
	[ "$(asked REACTIVATE_AGENT)" = 1 ]
	# who did it undoes it
	order agent/a2/reactivate
	until_true 5 tells_nothing a2
	until_true 5 event a2 'any(.[]; .state == "ok")'
}

@test "what another reactivated, or Mesos forgot, is told of and deactivated anew; draining is a person's" {
	simulate
	ready
	sat off a1
	sat off a4
	until_true 5 inactive a1
	until_true 5 inactive a4
	order agent/a1/reactivate
	until_true 5 inactive a1
	heard m 'is active again, and not by satellite'
	[ "$(asked DEACTIVATE_AGENT)" = 3 ]
	# a person drains what we had deactivated: it is no longer ours
	id=$(get -H 'Content-Type: application/json' -d '{"type":"GET_AGENTS"}' "$(mesos 0)/api/v1" |
		jq -r '.get_agents.agents[].agent_info | select(.hostname == "a4").id.value')
	get -H 'Content-Type: application/json' -d "{\"type\":\"DRAIN_AGENT\",\"drain_agent\":{\"agent_id\":{\"value\":\"$id\"}}}" \
		"$(mesos 0)/api/v1"
	lists=$(asked GET_AGENTS)
	until_true 10 asked_some GET_AGENTS $((lists + 2))
	sat on a4
	until_true 5 tells a4 'is drained, and not by satellite'
	inactive a4
	[ "$(asked REACTIVATE_AGENT)" = 0 ]
}

@test "the leader changes, and goes away: nothing is lost, and what was decided meanwhile follows" {
	simulate --masters 2
	EXTRA='leader = "always";' ready
	order leader/1		# master 0 sends on
	sat off a0
	until_true 8 inactive a0
	order leader/none
	sat off a1
	sat on a0
	until_true 8 tells a1 'is not deactivated yet; '
	until_true 8 stands critical
	active a1
	order leader/0
	until_true 20 inactive a1
	until_true 20 active a0
	until_true 5 stands ok
}

@test "the next satellite goes on where the last one ended: what was deactivated is its to reactivate" {
	zk_make 1; zk_start; zk_up
	simulate --masters 2
	WHITELIST='store = "zookeeper";' ACTUATOR='store = "zookeeper";' EXTRA="store-zookeeper = { hosts = \"$ZK\"; timeout = 2; };"
	ready
	first=$PID
	order agent/a3/deactivate
	sat off a1
	until_true 5 inactive a1
	master n 1
	kill -KILL "$first"
	order leader/1
	M=n sat off a2
	until_true 20 inactive a2
	M=n sat on a1
	M=n until_true 10 active a1
	M=n until_true 5 tells a3 'not by satellite'
	inactive a3
	until_true 10 marks_are 1
}

@test "refusals: no credentials, no leave, a Mesos too old: said once, no storm, and it goes on by itself" {
	simulate
	ready
	while read -r status words; do
		refuse DEACTIVATE_AGENT "$status"
		before=$(asked DEACTIVATE_AGENT)
		sat off a1
		heard m "$words"
		until_true 5 tells a1 "is not deactivated yet; "
		until_true 5 asked_some DEACTIVATE_AGENT $((before + 1))
		# each pause is as long as the last one twice
		[ $(($(asked DEACTIVATE_AGENT) - before)) -le 5 ]
		[ "$(times m "$words")" = 1 ]
		[ "$(sat status | grep -c 'actuator-agents.*DEACTIVATE')" -ge 1 ]
		refuse DEACTIVATE_AGENT ok
		until_true 12 inactive a1
		sat on a1
		until_true 5 active a1
	done <<-END
		403 answers 403: this principal may not do that
		401 it wants credentials
	END
}

@test "credentials go to the masters that are named, whichever of them leads" {
	simulate --masters 2 --credentials 'hand:s3cret-word'
	EXTRA='leader = "always";' ACTUATOR='user = "hand"; password = "s3cret-word";' config m 0
	sed -i "s|mesos-master = {|& user = \"hand\"; password = \"s3cret-word\";|;
		s|actuator-agents = { url = [^;]*|actuator-agents = { url = ( \"$(mesos 0)\", \"$(mesos 1)\" )|" "$T/m.cfg"
	start m --config "$T/m.cfg" --modules "$BUILD/modules"
	heard m 'imported 5 hosts'
	order leader/1
	sat off a1
	until_true 10 inactive a1
	run grep -rl s3cret-word "$T/m.log"
	[ "$status" != 0 ]
}

@test "a Mesos before 1.9 is asked once, and told of once" {
	simulate --version 1.8
	ready
	sat off a1
	sat off a2
	heard m 'does not know DEACTIVATE_AGENT, which came with 1.9'
	until_true 5 stands critical
	until_true 5 said_times m 'which came with 1.9' 1
	sat off a3
	until_true 5 file_is m "a0 a4 "	# which does its part all the same
	[ "$(asked DEACTIVATE_AGENT)" -le 4 ]
	[ "$(times m 'which came with 1.9')" = 1 ]
}

@test "observe: what streams wish changes nothing; with the file alone Mesos is never asked; agents alone write no file" {
	simulate
	GUARD='mode = "observe";' ready
	sat send --host a1 --service disk --state critical >/dev/null
	until_true 5 tells a1 'only observed'
	sat off a2	# a person is no stream
	until_true 5 inactive a2
	active a1
	[ "$(asked DEACTIVATE_AGENT)" = 1 ]
	stops "$PID"
	lists=$(asked GET_AGENTS)
	ACTUATORS='"file"' config m 0
	again
	sat on a2
	until_true 5 grep -qx a2 "$T/m/whitelist"
	[ "$(asked GET_AGENTS)" = "$lists" ]
	stops "$PID"
	rm "$T/m/whitelist"
	ACTUATORS='"agents"' config m 0
	again
	until_true 10 active a2
	[ ! -e "$T/m/whitelist" ]
}

@test "a host that is forgotten gets no work by the file; its agent stays as it is, which is said" {
	simulate
	ready
	sat off a1
	until_true 5 inactive a1
	[ "$(sat forget a1)" = 'a1: forgotten; "agents" leaves its agent off, until "satellite on a1"' ]
	until_true 5 unknown_tells a1 'is still deactivated, by satellite: "satellite on a1" reactivates it'
	unknown_tells a1 'it gets no work; '
	inactive a1
	[ "$(sat forget a2)" = 'a2: forgotten' ]
	active a2
	stops "$PID"
	ACTUATORS='"agents"' config m 0
	again
	until_true 10 unknown_tells a1 'is still deactivated, by satellite'
	unknown_tells a2 'its agent is left as it was then'
	[ "$(sat forget a3)" = 'a3: forgotten; "agents" leaves its agent on, until "satellite off a3"' ]
	active a3
	sat on a1
	until_true 5 active a1
	until_true 5 tells_nothing a1
	[ "$(asked DEACTIVATE_AGENT)" = 1 ]
	[ "$(asked REACTIVATE_AGENT)" = 1 ]
}

@test "settings are judged, and a dry run asks for lists alone" {
	simulate
	ACTUATORS='"file", "agnets"' config m 0
	run "$SATELLITE" --check --config "$T/m.cfg" --modules "$BUILD/modules"
	[ "$status" = 1 ]
	[[ $output == *'actuators[1]: no module has the name "actuator-agnets"'* ]]
	ACTUATOR='password = "x";' config m 0
	sed -i 's|actuator-agents = { url = "http://|actuator-agents = { url = "|' "$T/m.cfg"
	run "$SATELLITE" --check --config "$T/m.cfg" --modules "$BUILD/modules"
	[ "$status" = 1 ]
	echo "$output"
	[[ $output == *'actuator-agents.password: needs user beside it'* ]]
	[[ $output == *'is not http://HOST:PORT'* ]]
	# marks that lie elsewhere than the records
	EXTRA='store-zookeeper = { hosts = "127.0.0.1:1"; };'
	ACTUATOR='store = "zookeeper";' config m 0
	run "$SATELLITE" --check --config "$T/m.cfg" --modules "$BUILD/modules"
	[ "$status" = 1 ]
	[[ $output == *m.cfg:[1-9]*': actuator-agents.store: is "zookeeper", and must be that of the whitelist, "sqlite"'* ]]
	# whichever of them is made first, also if it is not given
	MODULES='"actuator-agents", "whitelist"' ACTUATOR= WHITELIST='store = "zookeeper";' config m 0
	run "$SATELLITE" --check --config "$T/m.cfg" --modules "$BUILD/modules"
	[ "$status" = 1 ]
	[[ $output == *m.cfg:[1-9]*': actuator-agents.store: is "sqlite", and must be that of the whitelist, "zookeeper"'* ]]
	sed -i '/^actuator-agents = /d' "$T/m.cfg"
	run "$SATELLITE" --check --config "$T/m.cfg" --modules "$BUILD/modules"
	[ "$status" = 1 ]
	[[ $output == *m.cfg:[1-9]*': actuator-agents.store: is "sqlite", and must be'* ]]
	ACTUATORS='"file"' MODULES='"actuator-agents", "whitelist"' ACTUATOR= WHITELIST='store = "zookeeper";' config m 0
	run "$SATELLITE" --check --config "$T/m.cfg" --modules "$BUILD/modules"
	[ "$status" = 0 ]
	EXTRA=
	ready
	sat off a1
	until_true 5 inactive a1
	stops "$PID"
	order agent/a1/reactivate
	start m --dry-run --config "$T/m.cfg" --modules "$BUILD/modules"
	heard m 'a1: agent '
	heard m 'dry run: no DEACTIVATE_AGENT'
	active a1
	[ "$(asked DEACTIVATE_AGENT)" = 1 ]
}
