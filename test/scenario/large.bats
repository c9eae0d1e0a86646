#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# large.bats - answers of a Mesos that are larger than 2 GB, nested a billion deep, packed, or cut short by an election.
# takes: 100 s

load common
load simulate
load observe
setup() { common_setup; }
teardown() { common_teardown; }

# bytes PATH: that the first master, or agent, has sent of it since they were last forgotten.
bytes() { get "$C/sim/requests" | jq ".${2:-masters}[0].paths[\"$1\"].bytes // 0"; }
forget() { curl -sSf -o /dev/null -X DELETE "$C/sim/requests"; }
turn_ms() { local url=U_$1; get "${!url}/metrics" | awk '$1 == "satellite_process_longest_turn_seconds" { print int($2 * 1000) }'; }
task_is() { indexed "$1" "service = 'mesos/tasks' and host = '$2'" | jq -e ".[0].state == \"$3\"" >/dev/null 2>&1; }
seconds_of() { awk -v hz="$(getconf CLK_TCK)" '{ printf "%.1f", ($14 + $15) / hz }' "/proc/$1/stat"; }
stays_small() { sanitized || [ $(($(hwm) - before)) -lt "$1" ] || { echo "$before kB, then $(hwm)"; return 1; }; }

@test "a state of 2.3 GB and a SUBSCRIBED of as much are read as they come: in no memory, and nobody waits" {
	local n=2300000000
	simulate --masters 1 --agents 3 --tasks 10
	INTERVAL=1 LEADER_INTERVAL=1 watch_mesos m0 0 "timeout = 600; max-state = $((n + 1000000))L;"
	pid=$PID
	until_true 5 is m0 mesos/agents/registered '.metric == 3'
	before=$(hwm)
	order 'master/0/mode?path=/state' "pad $n"
	forget
	id=$(launch agent001.example.com)
	order "task/$id/TASK_FAILED"
	until_true 60 task_is m0 agent001.example.com TASK_FAILED
	[ "$(bytes /state)" -gt $n ]
	echo "# /state: CPU $(seconds_of "$pid") s, $(($(hwm) - before)) kB, longest turn $(turn_ms m0) ms" >&3
	order 'master/0/mode?path=/state' ok
	order 'master/0/mode?path=/api/v1' "pad $n"
	sed -i 's/subscribe = false/subscribe = true/' "$T/m0.cfg"
	kill -HUP "$pid"
	until_true 60 well m0 stream
	[ "$(bytes '/api/v1 SUBSCRIBE')" -gt $n ]
	id=$(launch agent002.example.com)
	order "task/$id/TASK_KILLED"
	until_true 5 task_is m0 agent002.example.com TASK_KILLED
	echo "# SUBSCRIBED: CPU $(seconds_of "$pid") s, $(($(hwm) - before)) kB, longest turn $(turn_ms m0) ms" >&3
	is m0 mesos/agents/registered '.metric == 3'
	[ "$(times m0 'does not act')" = 0 ]	# its figures came all the time
	stays_small 8192
	sanitized || [ "$(turn_ms m0)" -lt $((100 * ${PATIENCE:-1})) ]
	runs "$pid"
	stops "$pid"
}

@test "a billion brackets are refused with the 65th, and hung up on" {
	simulate --masters 1 --agents 3
	watch_mesos m0 0
	pid=$PID
	until_true 5 is m0 mesos/agents/registered '.metric == 3'
	before=$(hwm)
	while IFS='|' read -r path endpoint mode words; do
		if [ $endpoint = stream ] && [ "$(requests '/api/v1 SUBSCRIBE')" = 0 ]; then
			sed -i 's/subscribe = false/subscribe = true/' "$T/m0.cfg"
			kill -HUP "$pid"
			until_true 10 well m0 stream
		fi
		[ $endpoint = stream ] || forget
		order "master/0/mode?path=$path" "$mode"
		id=$(launch agent001.example.com)	# so that the state is asked for
		[ $endpoint != stream ] || { order leader/none; order leader/0; }
		until_true 12 critical m0 $endpoint "$words" || { echo "$mode"; return 1; }
		taken=$(($(bytes "$path") / $(requests "$path")))
		order "master/0/mode?path=$path" ok
		echo "# $endpoint, $mode: $taken bytes of it were sent" >&3
		[ "$taken" -lt 20000000 ]	# the rest of what is on its way, and not what comes after
		until_true 20 is m0 mesos/agents/registered '.metric == 3'
		if [ $endpoint = stream ]; then	# which a change of leaders makes it try again
			order leader/none
			until_true 8 follows m0
			order leader/0
		fi
		until_true 12 well m0 $endpoint
	done <<-END
		/metrics/snapshot|snapshot|flood lists|more than 8 MiB
		/metrics/snapshot|snapshot|flood objects|more than 8 MiB
		/state|state|flood lists|nested too deep
		/state|state|flood objects|nested too deep
		/api/v1|stream|flood deep|nested too deep
		/api/v1|stream|flood deeper|nested too deep
	END
	runs "$pid"
	stays_small 16384
	stops "$pid"
}

@test "a slave's agent that nests without an end, or sends without one, is refused as soon" {
	local port agent path mode words taken
	simulate --masters 1 --agents 1 --agent-ports 1 --tasks 6
	agent=$(awk '$1 == "agent" { print $2 }' "$T/ports")
	port=$(free_port)
	cat >"$T/slave.cfg" <<-END
		role = "slave"; state-dir = "$T/slave"; host = "a0";
		http = { host = "127.0.0.1"; port = $port; };
		modules = ( "mesos-agent", "checks" );
		mesos-agent = { url = "$(address agent "$agent")"; interval = 0.5; };
		checks = ( { check = "total-tasks-started"; interval = 0.5; } );
		streams = ( "index" );
	END
	U_slave=http://127.0.0.1:$port
	start slave --modules "$BUILD/modules" --config "$T/slave.cfg"
	pid=$PID
	until_true 10 listens "$port"
	until_true 8 is slave mesos/slave/total-tasks-started '.metric == 6 and .state == "ok"'
	before=$(hwm)
	while IFS='|' read -r path mode words; do
		: >"$T/slave.log"
		forget
		order "agent/$agent/mode?path=$path" "$mode"
		until_true 10 said slave "$path: $words" || { echo "$path $mode"; return 1; }
		taken=$(($(bytes "$path" agents) / $(get "$C/sim/requests" | jq ".agents[0].paths[\"$path\"].count")))
		order "agent/$agent/mode?path=$path" ok
		until_true 10 said slave "$path: answers"
		echo "# $path, $mode: $taken bytes of it were sent" >&3
		[ "$taken" -lt 20000000 ]
	done <<-END
		/metrics/snapshot|flood lists|no Mesos agent's answer is so large
		/metrics/snapshot|flood numbers|no Mesos agent's answer is so large
		/monitor/statistics|flood objects|no Mesos agent's answer is so large
		/state|flood lists|not JSON of a Mesos agent
		/state|flood objects|not JSON of a Mesos agent
		/state|flood text|not JSON of a Mesos agent
	END
	until_true 8 is slave mesos/slave/total-tasks-started '.metric == 6 and .state == "ok"'
	stays_small 32768
	stops "$pid"
}

@test "what a proxy compresses unasked is understood; what unpacks to more than max-state is refused, in no memory" {
	simulate --masters 1 --agents 3 --tasks 10
	get "$(address master 0)/state" >"$T/state"
	gzip -k "$T/state"
	(cat "$T/state"; head -c 200000000 /dev/zero | tr '\0' ' ') | gzip -1 >"$T/bomb"
	order 'master/0/mode?path=/state' "gzip $T/state.gz"
	watch_mesos m0 0 'max-state = 20000000;'
	pid=$PID
	until_true 5 is m0 mesos/agents/registered '.metric == 3'
	before=$(hwm)
	order 'master/0/mode?path=/state' "gzip $T/bomb"
	id=$(launch agent001.example.com)
	until_true 12 critical m0 state max-state
	head -c 1000 "$T/state.gz" >"$T/half"
	order 'master/0/mode?path=/state' "gzip $T/half"
	until_true 30 is m0 mesos/endpoint/state '(.description | contains("max-state") | not) and .state == "critical"'
	order 'master/0/mode?path=/state' ok
	until_true 30 well m0 state
	echo "# a bomb of 200 MB: $(($(hwm) - before)) kB" >&3
	stays_small 32768
	stops "$pid"
}

heard_of() { grep -q "\"state\":\"$2\"" "$T/$1.out"; }

@test "leaders change amid states and streams of 10,000 agents: nothing is told that did not happen, what did once" {
	local n name took told="service = 'mesos/tasks' or service = 'mesos/agent' or service = 'mesos/framework'"
	simulate --masters 3 --agents 10000 --hostname 'agent%05d.example.com' --tasks 60000 --completed 3000
	for name in s p; do
		STREAMS="\"index\", { where = \"$told\"; do = ( { print = \"told\"; } ); }" SUBSCRIBE=$([ $name = s ] && echo true || echo false) \
			LEADER=always watch_mesos $name 0 "masters = ( \"$(address master 0)\", \"$(address master 1)\", \"$(address master 2)\" );"
		until_true 20 is $name mesos/agents/registered '.metric == 10000'
	done
	for n in 1 2 0 1 0 2 1 2 0 1 2 0; do
		order leader/$n
		sleep 0.$((RANDOM % 9 + 1))
	done
	for name in s p; do
		until_true 20 is $name mesos/agents/registered '.metric == 10000'
		until_true 20 well $name $([ $name = s ] && echo stream || echo state)
	done
	id=$(launch agent00001.example.com)
	for name in s p; do until_true 20 heard_of $name TASK_STAGING; done
	order leader/none
	order "task/$id/TASK_FAILED"
	order leader/1
	for name in s p; do
		until_true 20 heard_of $name TASK_FAILED
		took=$(turn_ms $name)
		echo "# $name: longest turn $took ms" >&3
		sanitized || [ "$took" -lt $((100 * ${PATIENCE:-1})) ]
		[ "$(grep -vc '"state":"expired"' "$T/$name.out")" = 2 ]	# nor what the index says
	done
}
