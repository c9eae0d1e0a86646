#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# mesos.bats - a master beside a Mesos that leads, follows, refuses, lies, stalls and comes back; and a slave's agent.
# takes: 160 s

load common
load simulate
load observe
setup() { common_setup; }
teardown() { common_teardown; }

@test "the satellite beside the leading master sees it, its agents and its frameworks" {
	simulate --masters 1 --agents 7 --tasks 20 --frameworks 3
	watch_mesos m0 0
	until_true 5 leads m0
	until_true 5 is m0 mesos/agents/registered '.metric == 7 and .host == "m0"'
	until_true 5 is m0 mesos/master/slaves_active '.metric == 7 and .ttl == 1.5'
	state=$(get "$(address master 0)/state")
	name=$(jq -r '.frameworks[0].name' <<<"$state")
	want=$(jq --arg n "$name" '[.frameworks[] | select(.name == $n) | .used_resources.mem] | add / 1000' <<<"$state")
	until_true 5 is m0 "mesos/frameworks/$name/mem" "(.metric - $want | fabs) < 1e-6"
	for k in $(get "$(address master 0)/metrics/snapshot" | jq -r 'keys[]'); do
		until_true 3 is m0 "mesos/$k" '.metric != null'
	done
}

@test "a change of leaders is seen within 2 s, and a follower of any age is told from an empty cluster" {
	INTERVAL=60 LEADER_INTERVAL=1	# the defaults
	for version in 0.28 1.11; do
		simulate --masters 2 --agents 4 --version $version
		watch_mesos m0 0
		watch_mesos m1 1
		until_true 5 leads m0
		until_true 5 follows m1
		until_true 5 is m0 mesos/agents/registered '.metric == 4'
		for _ in 1 2; do
			order leader/1
			until_true 2 leads m1
			until_true 2 follows m0
			order leader/0
			until_true 2 leads m0
			until_true 2 follows m1
		done
		order leader/none
		until_true 2 follows m0
		until_true 2 follows m1
		run is m0 mesos/agents/registered '.metric == 0'
		[ "$status" != 0 ]
		common_teardown
		common_setup
	done
}

@test "a leader that was stopped, and deposed meanwhile, wakes up knowing that it knows nothing" {
	simulate --masters 2 --agents 4
	watch_mesos m0 0
	pid=$PID
	until_true 5 leads m0
	heard m0 "acts: the local"
	kill -STOP "$pid"
	order leader/1
	sleep 13	# what is believed of a silent master has to pass
	kill -CONT "$pid"
	heard m0 "does not act any more"
	until_true 5 follows m0
	[ "$(times m0 "acts: the local")" = 1 ]
	order leader/0
	until_true 5 leads m0
	until_true 5 said_times m0 "acts: the local" 2
}

now_ms() { echo $(($(date +%s%N) / 1000000)); }

@test "a leader whose Mesos master hangs acts no more within 6 s, and again with its first word; its stream goes on" {
	local sim began took
	simulate --masters 1 --agents 4 --heartbeat 15
	sim=${PIDS[-1]}
	SUBSCRIBE=true LEADER_INTERVAL=1 INTERVAL=60 watch_mesos m0 0
	until_true 5 leads m0
	heard m0 "acts: the local"
	until_true 5 is m0 mesos/agents/registered '.metric == 4'
	before=$(requests '/api/v1 SUBSCRIBE')
	[ "$before" = 1 ]
	sleep 2		# its figures are known to come at once
	kill -STOP "$sim"
	began=$(now_ms)
	until_true 10 said_times m0 "does not act any more" 1
	took=$(($(now_ms) - began))
	echo "# it hangs: acts no more after $took ms" >&3
	[ "$took" -gt 2000 ]
	[ "$took" -lt $((4600 + 1500 * ${PATIENCE:-1})) ]
	until_true 2 is m0 mesos/leader '.metric == 0 and .state == "unknown"'
	kill -CONT "$sim"
	began=$(now_ms)
	until_true 5 said_times m0 "acts: the local" 2
	echo "# it answers: acts after $(($(now_ms) - began)) ms" >&3
	until_true 5 leads m0
	[ "$(requests '/api/v1 SUBSCRIBE')" = "$before" ]
	id=$(launch agent001.example.com)
	order "task/$id/TASK_KILLED"
	until_true 3 task_is m0 agent001.example.com TASK_KILLED
}

@test "credentials: asked for in words, used where set, never logged" {
	simulate --masters 1 --agents 2 --credentials 'eye:s3cret-word'
	watch_mesos m0 0
	until_true 5 critical m0 snapshot credentials
	watch_mesos wrong 0 'user = "eye"; password = "n0t-it";'
	until_true 5 critical wrong snapshot "does not take these credentials"
	watch_mesos right 0 'user = "eye"; password = "s3cret-word";'
	until_true 5 leads right
	until_true 5 is right mesos/agents/registered '.metric == 2'
	run grep -rlE 's3cret-word|n0t-it' "$T/m0.log" "$T/wrong.log" "$T/right.log"
	[ "$status" != 0 ]
}

@test "a master that follows sends on to its leader, and the credentials with it" {
	simulate --masters 2 --agents 3 --version 1.11 --credentials 'eye:s3cret-word'
	for subscribe in true false; do
		LEADER=always SUBSCRIBE=$subscribe watch_mesos "$subscribe" 1 'user = "eye"; password = "s3cret-word";'
		until_true 8 is "$subscribe" mesos/agents/registered '.metric == 3'
		well "$subscribe" "$([ "$subscribe" = true ] && echo stream || echo state)"
		follows "$subscribe"
	done
}

@test "whatever the master does is an event and one line, and it comes back by itself" {
	simulate --masters 1 --agents 3 --version 1.11
	watch_mesos m0 0 'timeout = 1;'
	pid=$PID
	until_true 5 leads m0
	while IFS='|' read -r mode words; do
		order master/0/mode "$mode"
		until_true 8 critical m0 snapshot "$words" || { echo "$mode"; return 1; }
		order master/0/mode ok
		until_true 8 well m0 snapshot || { echo "after $mode"; return 1; }
		until_true 8 leads m0
		runs "$pid"
	done <<-END
		503|answers 503
		403|ACLs
		500|answers 500
		404|url
		slow 3000|within 1 s
		garbage|not JSON
		truncate|metrics/snapshot
		close|metrics/snapshot
		307loop|metrics/snapshot
		hang|within 1 s
		down|does a Mesos master run there
	END
	[ "$(times m0 'snapshot: answers 503')" = 1 ]
	[ "$(times m0 'snapshot: Failed to connect')" -le 2 ]
	stops "$pid"
}

@test "a state that is refused, broken or late costs the state alone" {
	simulate --masters 1 --agents 3 --version 1.11 --tasks 30 --churn 20
	watch_mesos m0 0 'timeout = 1;'
	pid=$PID
	until_true 5 is m0 mesos/agents/registered '.metric == 3'
	while IFS='|' read -r mode words; do
		order "master/0/mode?path=/state" "$mode"
		until_true 12 critical m0 state "$words" || { echo "$mode"; return 1; }
		leads m0
		well m0 snapshot
		order "master/0/mode?path=/state" ok
		until_true 12 well m0 state || { echo "after $mode"; return 1; }
	done <<-END
		503|answers 503
		garbage|not JSON
		truncate|/state
		slow 3000|within 1 s
		307loop|/state
	END
	until_true 5 is m0 mesos/agents/registered '.metric == 3'
	runs "$pid"
}

@test "nothing moves, and the state is not asked for again" {
	simulate --masters 1 --agents 3
	watch_mesos m0 0
	until_true 5 is m0 mesos/agents/registered '.metric == 3'
	before=$(requests /state)
	polls=$(requests /metrics/snapshot)
	more() { [ "$(requests /metrics/snapshot)" -gt $((polls + 8)) ]; }
	until_true 10 more
	[ "$(requests /state)" = "$before" ]
	is m0 mesos/agents/registered '.metric == 3'
	order agent/newcomer.example.com/add
	until_true 4 is m0 mesos/agents/registered '.metric == 4'
	[ "$(requests /state)" = $((before + 1)) ]
	is m0 mesos/bytes-per-minute '.metric > 0'
}

@test "what is left out of a state is one line for each cause, until a state is without it" {
	simulate --masters 1 --agents 2
	get "$(address master 0)/state" >"$T/good.json"
	id=$(printf 'x%.0s' {1..300})
	jq --arg id "$id" '.slaves += [{id: "S7"}, {id: "S8"}] | .frameworks[0].tasks += [{id: $id, state: "TASK_RUNNING"}]' "$T/good.json" >"$T/odd.json"
	printf '{"master/elected":1}' >"$T/elected.json"	# with nothing else, so that states are asked for each time
	order 'master/0/mode?path=/metrics/snapshot' "file $T/elected.json"
	order 'master/0/mode?path=/state' "file $T/odd.json"
	watch_mesos m0 0
	for times in 1 2; do
		until_true 5 said_times m0 'agents without a hostname, or with one that is over 255 bytes or no text, are left out (2): nothing tells of them; give them one with mesos-agent --hostname; the first is "S7"' $times
		until_true 5 said_times m0 "tasks without an id, or with one that is over 255 bytes or no text, are left out (1)" $times
		until_true 5 said_times m0 "the first is \"${id:0:64}\"" $times
		before=$(requests /state)
		three_more() { [ "$(requests /state)" -ge $((before + 3)) ]; }
		until_true 8 three_more
		[ "$(times m0 'are left out')" = $((2 * times)) ]
		order 'master/0/mode?path=/state' "file $T/good.json"
		before=$(requests /state)
		until_true 8 three_more
		order 'master/0/mode?path=/state' "file $T/odd.json"
	done
}

@test "an old Mesos is understood by its old paths" {
	simulate --masters 1 --agents 5 --version 0.22
	watch_mesos m0 0
	until_true 5 leads m0
	until_true 5 is m0 mesos/agents/registered '.metric == 5'
}

@test "a reload with other settings, in the middle of a request, loses nothing" {
	simulate --masters 1 --agents 3
	watch_mesos m0 0 'timeout = 1;'
	until_true 5 is m0 mesos/agents/registered '.metric == 3'
	for mode in hang ok; do
		order master/0/mode "$mode"
		polls=$(requests /metrics/snapshot)
		asks_again() { [ "$(requests /metrics/snapshot)" -gt "$polls" ]; }
		until_true 5 asks_again
		sed -i "s/interval = 0.5;/interval = 0.6;/; s/host = \"m0[^\"]*\"/host = \"m0-$mode\"/" "$T/m0.cfg"
		kill -HUP "$PID"
	done
	sed -i 's/host = "m0[^"]*"/host = "m9"/' "$T/m0.cfg"
	kill -HUP "$PID"
	until_true 8 is m0 mesos/leader '.host == "m9" and .metric == 1'
	until_true 8 is m0 mesos/agents/registered '.host == "m9" and .metric == 3'
	stops "$PID"
}

requests_v1() { get "$C/sim/requests" | jq ".masters[$1].paths[\"/api/v1 SUBSCRIBE\"].count // 0"; }
# last NAME HOST: the state that the last event of a task on that host has.
last_task() { indexed "$1" "service = 'mesos/tasks' and host = '$2'" | jq -er '.[0].state' 2>/dev/null; }
task_is() { [ "$(last_task "$1" "$2")" = "$3" ]; }
agent_is() { indexed "$1" "service = 'mesos/agent' and host = '$2'" | jq -e ".[0].state == \"$3\"" >/dev/null 2>&1; }
framework_is() { is "$1" mesos/framework ".framework == \"$2\" and .state == \"$3\""; }

@test "a stream tells each change of tasks and agents, and no state is asked for" {
	simulate --masters 1 --agents 5 --tasks 40 --heartbeat 0.5
	SUBSCRIBE=true watch_mesos m0 0
	until_true 5 is m0 mesos/agents/registered '.metric == 5'
	run last_task m0 agent003.example.com
	[ "$status" != 0 ]	# what was there is no news
	id=$(launch agent003.example.com)
	until_true 2 task_is m0 agent003.example.com TASK_STAGING
	order "task/$id/TASK_RUNNING"
	until_true 2 task_is m0 agent003.example.com TASK_RUNNING
	order "task/$id/TASK_FAILED"
	until_true 2 task_is m0 agent003.example.com TASK_FAILED
	indexed m0 "service = 'mesos/tasks' and host = 'agent003.example.com'" |
		jq -e --arg id "$id" '.[0] | .task == $id and .source != null and .framework != null and .agent != null'
	order agent/newcomer.example.com/add
	until_true 2 agent_is m0 newcomer.example.com added
	until_true 2 is m0 mesos/agents/registered '.metric == 6'
	order agent/agent002.example.com/deactivate
	until_true 4 agent_is m0 agent002.example.com deactivated
	order agent/agent002.example.com/reactivate
	until_true 4 agent_is m0 agent002.example.com active
	order agent/agent001.example.com/remove
	until_true 2 agent_is m0 agent001.example.com removed
	order framework/newcomer/add
	until_true 2 framework_is m0 newcomer added
	order framework/newcomer/remove
	until_true 2 framework_is m0 newcomer removed
	state=$(get "$(address master 0)/state")	# this one is ours
	name=$(jq -r '.frameworks[0].name' <<<"$state")
	want=$(jq --arg n "$name" '[.frameworks[] | select(.name == $n) | .used_resources.cpus] | add' <<<"$state")
	until_true 3 is m0 "mesos/frameworks/$name/cpu" "(.metric - $want | fabs) < 1e-6"
	[ "$(requests /state)" = 1 ]
	[ "$(requests_v1 0)" = 1 ]
	is m0 mesos/requests-per-minute '.metric > 5'
	is m0 mesos/longest-request '.metric > 0'
}

# drain N: as an operator does.
drain() {
	local id
	id=$(get "$(address master 0)/slaves" | jq -r --arg h "$1" '.slaves[] | select(.hostname == $h).id')
	curl -sSf -o /dev/null -H 'Content-Type: application/json' "$(address master 0)/api/v1" \
		-d "{\"type\":\"DRAIN_AGENT\",\"drain_agent\":{\"agent_id\":{\"value\":\"$id\"}}}"
}
# sure NAME HOST STATE: and the event says so without a doubt.
sure() { indexed "$1" "service = 'mesos/agent' and host = '$2'" | jq -e ".[0] | .state == \"$3\" and .description == null" >/dev/null 2>&1; }
both() { sure polled "$@" && sure streamed "$@"; }
both_count() { is polled mesos/agents/registered ".metric == $1" && is streamed mesos/agents/registered ".metric == $1"; }

@test "agents that are lost, removed, given up, deactivated, drained and back are told apart, with a stream and without" {
	simulate --masters 1 --agents 8 --tasks 16 --heartbeat 0.5
	watch_mesos polled 0
	SUBSCRIBE=true watch_mesos streamed 0
	until_true 5 both_count 8
	until_true 5 well streamed stream
	order agent/agent000.example.com/unreachable	# of which the stream says nothing
	until_true 5 both agent000.example.com unreachable
	order agent/agent001.example.com/remove
	until_true 5 both agent001.example.com removed
	order agent/agent002.example.com/fail
	until_true 5 both agent002.example.com inactive
	order agent/agent002.example.com/gone
	until_true 5 both agent002.example.com removed
	until_true 5 both_count 5
	order agent/agent003.example.com/deactivate
	until_true 5 both agent003.example.com deactivated
	drain agent004.example.com
	until_true 5 both agent004.example.com drained
	drain agent003.example.com	# which moves no figure: every tenth interval
	until_true 9 both agent003.example.com drained
	order agent/agent000.example.com/add
	until_true 5 both agent000.example.com added
	order agent/agent001.example.com/add
	until_true 5 both agent001.example.com added
	until_true 5 both_count 7
	order agent/agent005.example.com/unreachable	# and back before anybody looked
	order agent/agent005.example.com/add
	until_true 3 sure streamed agent005.example.com added
}

@test "of the oldest Mesos it is guessed which agents are lost, and said so" {
	simulate --masters 1 --agents 3 --version 0.22
	watch_mesos m0 0
	until_true 5 is m0 mesos/agents/registered '.metric == 3'
	order agent/agent000.example.com/unreachable
	until_true 5 is m0 mesos/agent '.state == "removed" and .host == "agent000.example.com" and (.description | contains("active before"))'
	order agent/agent001.example.com/fail
	until_true 5 agent_is m0 agent001.example.com inactive
	order agent/agent001.example.com/unreachable
	until_true 5 is m0 mesos/agent '.state == "unreachable" and .host == "agent001.example.com" and (.description | contains("inactive before"))'
}

@test "streams that stall, break off or lie: what happened meanwhile is told when they are back" {
	simulate --masters 1 --agents 3 --tasks 10 --heartbeat 0.3
	SUBSCRIBE=true watch_mesos m0 0 'timeout = 1;'
	pid=$PID
	until_true 5 is m0 mesos/agents/registered '.metric == 3'
	until_true 5 well m0 stream
	while IFS='|' read -r mode words; do
		before=$(requests_v1 0)
		order 'master/0/mode?path=/api/v1' "$mode"
		id=$(launch agent001.example.com)
		order "task/$id/TASK_LOST"
		[ "$mode" = hang ] || order leader/none	# which ends the stream
		[ "$mode" = hang ] || order leader/0
		until_true 12 critical m0 stream "$words" || { echo "$mode"; return 1; }
		order 'master/0/mode?path=/api/v1' ok
		until_true 3 leads m0
		[ "$mode" = 503 ] && break
		until_true 20 well m0 stream || { echo "after $mode"; return 1; }
		[ "$(requests_v1 0)" -gt "$before" ]
		[ "$mode" != hang ] || until_true 5 task_is m0 agent001.example.com TASK_LOST
		runs "$pid"
	done <<-END
		hang|heartbeats
		slow 3000|nothing came
		truncate|/api/v1
		close|/api/v1
		503|answers 503
	END
	until_true 8 well m0 state	# refused: polled
	until_true 5 is m0 mesos/agents/registered '.metric == 3'
	stops "$pid"
}

@test "answers without an end, stalls and lengths of 2^63 cost no memory, and pass" {
	simulate --masters 1 --agents 3 --tasks 10 --heartbeat 0.3
	watch_mesos m0 0 'timeout = 2; max-state = 20000000;'
	pid=$PID
	until_true 5 is m0 mesos/agents/registered '.metric == 3'
	before=$(hwm)
	while IFS='|' read -r mode words; do
		order 'master/0/mode?path=/state' "$mode"
		id=$(launch agent001.example.com)	# so that the state is asked for
		until_true 12 critical m0 state "$words" || { echo "$mode"; return 1; }
		leads m0
		order 'master/0/mode?path=/state' ok
		order "task/$id/TASK_KILLED"
		until_true 12 well m0 state || { echo "after $mode"; return 1; }
		until_true 5 task_is m0 agent001.example.com TASK_KILLED
		until_true 5 is m0 mesos/agents/registered '.metric == 3'
	done <<-END
		flood lists|nested too deep
		flood objects|nested too deep
		flood text|too long
		flood digits|too long
		flood numbers|max-state
		flood slaves|max-state
		stall|within 2 s
	END
	sed -i 's/subscribe = false/subscribe = true/' "$T/m0.cfg"
	kill -HUP "$pid"
	until_true 8 well m0 stream
	while IFS='|' read -r mode words; do
		streams=$(requests_v1 0)
		order 'master/0/mode?path=/api/v1' "$mode"
		order leader/none	# which ends the stream
		order leader/0
		until_true 12 critical m0 stream "$words" || { echo "$mode"; return 1; }
		order 'master/0/mode?path=/api/v1' ok
		until_true 20 is m0 mesos/agents/registered '.metric == 3'
		order leader/none	# which makes it try again at once
		until_true 8 follows m0
		order leader/0
		until_true 20 well m0 stream || { echo "after $mode"; return 1; }
		id=$(launch agent001.example.com)
		order "task/$id/TASK_FAILED"
		until_true 5 task_is m0 agent001.example.com TASK_FAILED
	done <<-END
		flood record|max-state
		flood large|max-state
		flood digits|no record
		flood lists|no record
		stall|nothing came
	END
	runs "$pid"
	sanitized || [ $(($(hwm) - before)) -lt 16384 ] || { echo "$before $(hwm)"; return 1; }
	stops "$pid"
}

@test "the stream goes where the leader goes" {
	simulate --masters 2 --agents 4 --tasks 10 --heartbeat 1
	SUBSCRIBE=true watch_mesos m0 0
	SUBSCRIBE=true watch_mesos m1 1
	until_true 5 leads m0
	until_true 5 well m0 stream
	for n in 1 0 1; do
		order "leader/$n"
		until_true 2 leads "m$n"
		until_true 5 well "m$n" stream
		id=$(launch agent001.example.com)
		order "task/$id/TASK_KILLED"
		until_true 3 task_is "m$n" agent001.example.com TASK_KILLED
		is "m$n" mesos/agents/registered '.metric == 4'
	done
}

@test "of several masters the one that leads is observed, within 2 s of a change" {
	simulate --masters 3 --agents 4 --tasks 10 --heartbeat 1
	LEADER=always SUBSCRIBE=true INTERVAL=60 LEADER_INTERVAL=1 watch_mesos m1 1 \
		"masters = ( \"$(address master 0)\", \"$(address master 1)\", \"$(address master 2)\" );"
	until_true 5 is m1 mesos/agents/registered '.metric == 4'
	for n in 1 2 0 1; do
		order "leader/$n"
		if [ "$n" = 1 ]; then until_true 2 leads m1; else until_true 2 is m1 mesos/leader ".description | contains(\"$(address master "$n") does\")"; fi
		until_true 5 is m1 mesos/endpoint/stream ".state == \"ok\" and (.description | contains(\"$(address master "$n")\"))"
		id=$(launch agent001.example.com)
		order "task/$id/TASK_KILLED"
		until_true 3 task_is m1 agent001.example.com TASK_KILLED
		is m1 mesos/agents/registered '.metric == 4'
	done
	order master/1/mode hang	# a leader that says nothing any more
	order leader/0
	until_true 3 is m1 mesos/leader ".description | contains(\"$(address master 0) does\")"
	order master/1/mode ok
	sed -i 's|masters = ( "http|masters = ( "zk|' "$T/m1.cfg"
	run "$SATELLITE" --modules "$BUILD/modules" --check --config "$T/m1.cfg"
	[ "$status" = 1 ]
	[[ "$output" == *"names a ZooKeeper: that stands in"* ]]
}

@test "of several masters the next one leads the same cluster: what ended while nobody led is told once, and nothing else" {
	local n id told="service = 'mesos/tasks' or service = 'mesos/agent' or service = 'mesos/framework'"
	simulate --masters 3 --agents 6 --tasks 40 --completed 20
	for n in true false; do
		STREAMS="\"index\", { where = \"$told\"; do = ( { print = \"told\"; } ); }" LEADER=always SUBSCRIBE=$n watch_mesos m$n 0 \
			"masters = ( \"$(address master 0)\", \"$(address master 1)\", \"$(address master 2)\" );"
		until_true 10 is m$n mesos/agents/registered '.metric == 6'
	done
	[ ! -s "$T/mtrue.out" ] && [ ! -s "$T/mfalse.out" ]
	for n in 1 2 0; do
		id=$(launch "agent00$n.example.com")
		until_true 5 task_is mtrue "agent00$n.example.com" TASK_STAGING
		until_true 5 task_is mfalse "agent00$n.example.com" TASK_STAGING
		order leader/none
		order "task/$id/TASK_FAILED"
		order leader/$n
		until_true 10 task_is mtrue "agent00$n.example.com" TASK_FAILED
		until_true 10 task_is mfalse "agent00$n.example.com" TASK_FAILED
	done
	told_six() { [ "$(wc -l <"$T/mtrue.out") $(wc -l <"$T/mfalse.out")" = "6 6" ]; }
	until_true 5 told_six
	stays_true 1 told_six
}

@test "mistakes in its settings are refused where they stand" {
	cat >"$T/bad.cfg" <<-END
		role = "master";
		modules = ( "mesos-master" );
		mesos-master = {
			url = "localhost:5050";
			user = "eye";
			key = "/k.pem";
			leader-interval = 61;
		};
	END
	run "$SATELLITE" --modules "$BUILD/modules" --check --config "$T/bad.cfg" --state-dir "$T"
	[ "$status" = 1 ]
	[[ "$output" == *"bad.cfg:7: "*leader-interval* ]]
	sed -i 's/leader-interval = 61;//' "$T/bad.cfg"
	run "$SATELLITE" --modules "$BUILD/modules" --check --config "$T/bad.cfg" --state-dir "$T"
	[ "$status" = 1 ]
	[[ "$output" == *"bad.cfg:4: "*"http://HOST:PORT"* ]]
	[[ "$output" == *"bad.cfg:5: "*password* ]]
	[[ "$output" == *"bad.cfg:6: "*cert* ]]
}

# watch_agent URL: a slave whose checks ask that agent; its index is at U_slave.
watch_agent() {
	local port
	port=$(free_port)
	mkdir -p "$T/slave"
	cat >"$T/slave.cfg" <<-END
		role = "slave"; state-dir = "$T/slave"; host = "a0";
		http = { host = "127.0.0.1"; port = $port; };
		modules = ( "checks" );
		mesos-agent = { url = "$1"; timeout = 1; };
		checks = ( { check = "total-tasks-failed"; interval = 0.5; }, { check = "total-tasks-finished"; interval = 0.5; },
			   { check = "total-tasks-started"; interval = 0.5; } );
		streams = ( "index" );
	END
	U_slave=http://127.0.0.1:$port
	start slave --modules "$BUILD/modules" --config "$T/slave.cfg"
	until_true 10 listens "$port"
}

@test "a slave reports its agent's totals, and that it does not know them" {
	simulate --masters 1 --agents 1 --agent-ports 1 --tasks 6
	agent=$(awk '$1 == "agent" { print $2 }' "$T/ports")
	watch_agent "$(address agent "$agent")"
	order "agent/$agent/metrics" '{"slave/tasks_failed": 21, "slave/tasks_finished": 9, "slave/tasks_killed": 4, "slave/tasks_lost": 2,
		"slave/tasks_running": 8, "slave/tasks_staging": 3, "slave/tasks_starting": 3}'
	until_true 8 is slave mesos/slave/total-tasks-failed '.metric == 21 and .state == "ok" and .host == "a0"'
	until_true 8 is slave mesos/slave/total-tasks-finished '.metric == 9'
	until_true 8 is slave mesos/slave/total-tasks-started '.metric == 50'
	order "agent/$agent/metrics" '{"slave/tasks_lost": null}'
	until_true 8 is slave mesos/slave/total-tasks-started '.state == "unknown" and .metric == null'
	is slave mesos/slave/total-tasks-failed '.state == "ok"'
	for mode in 503 401 garbage truncate close down 'slow 3000'; do
		order "agent/$agent/mode" "$mode"
		until_true 8 is slave mesos/slave/total-tasks-failed '.state == "unknown" and .metric == null' || { echo "$mode"; return 1; }
		order "agent/$agent/mode" ok
		until_true 8 is slave mesos/slave/total-tasks-failed '.state == "ok"' || { echo "after $mode"; return 1; }
	done
	stops "$PID"
}
