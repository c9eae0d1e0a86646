#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# stall.bats - a Mesos master that stalls for a minute, in part or as a whole, with the default settings.
# takes: 90 s

load common
load simulate
load observe
setup() { common_setup; }
teardown() {
	kill -CONT "${MESOS[@]}" 2>/dev/null || true
	common_teardown
}

declare -gA CONTROL MESOS SATELLITES TASK PEAK

# site NAME SUBSCRIBE [INTERVAL]: a cluster of its own, and the satellite beside it, which prints what changes.
site() {
	simulate --masters 1 --agents 6
	CONTROL[$1]=$C MESOS[$1]=${PIDS[-1]}
	SUBSCRIBE=$2 INTERVAL=${3:-60} LEADER_INTERVAL=1 STREAMS='"index", { where = "service =~ '\''mesos/tasks'\'' or service = '\''mesos/agent'\''";
		do = ( { print = "told"; } ); }' watch_mesos "$1" 0
	SATELLITES[$1]=$PID
}
knows() { leads "$1" && is "$1" mesos/agents/registered '.metric == 6'; }
acted() { [ "$(grep -c '^acts: the local Mesos master leads' "$T/$1.log")" = "$2" ]; }
doubted() { [ "$(times "$1" 'does not act any more')" = "$2" ]; }
# all_of "COMMAND…" NAME...: true of each.
all_of() {
	local what=$1 name
	shift
	for name; do ${what/@/$name} || return 1; done
}
# told NAME EXPRESSION: how many of the events that it printed are so.
told() { sed 's/^told: //' "$T/$1.out" | jq -c "select($2)" | wc -l; }
knows_all() { [ "$(told "$1" ".task == \"${TASK[$1]}\" and .state == \"TASK_FAILED\"")" -ge 1 ] && agents_told "$1"; }
agents_told() { [ "$(told "$1" '.host == "newcomer.example.com" and .state == "added"')" -ge 1 ] && [ "$(told "$1" '.state == "removed"')" -ge 1 ]; }
cpu_ms() { awk -v hz="$(getconf CLK_TCK)" '{ print int(($14 + $15) * 1000 / hz) }' "/proc/$1/stat"; }

# changes NAME: a task begins and fails, an agent comes and another goes.
changes() {
	C=${CONTROL[$1]}
	TASK[$1]=$(launch agent001.example.com)
	order "task/${TASK[$1]}/TASK_FAILED"
	order agent/newcomer.example.com/add
	order agent/agent002.example.com/remove
}

@test "metrics, state, stream or all of it stalls for a minute: a leader is lost in time where it is, and each change told once" {
	local s c pid began lost=(p_metrics p_all s_all p_stop s_stop s_metrics) kept=(p_state p_half s_stream)
	local all=("${lost[@]}" "${kept[@]}")
	for s in "${all[@]}"; do
		case $s in
		p_state | p_half) site $s false 5 ;;	# of which a state is asked within this minute
		p_*) site $s false ;;
		s_*) site $s true ;;
		esac
	done
	until_true 10 all_of "knows @" "${all[@]}"
	# A task that begins before the simulated Mesos is stopped, which can do nothing meanwhile.
	for s in p_stop s_stop; do C=${CONTROL[$s]} TASK[$s]=$(launch agent001.example.com); done
	sleep 3		# figures are known to come at once
	for s in "${all[@]}"; do
		pid=${SATELLITES[$s]} PEAK[$s]=$(hwm) C=${CONTROL[$s]}
		case $s in
		?_metrics) order 'master/0/mode?path=/metrics/snapshot' hang ;;
		p_state) order 'master/0/mode?path=/state' hang ;;
		p_half) order 'master/0/mode?path=/state' stall ;;
		s_stream) order 'master/0/mode?path=/api/v1' hang ;;
		?_all) order master/0/mode hang ;;
		?_stop) kill -STOP "${MESOS[$s]}" ;;
		esac
		[ $s != p_metrics ] || began=$SECONDS
	done
	until_true 6 all_of "doubted @ 1" "${lost[@]}"
	echo "# those that nothing is heard of act no more after $((SECONDS - began)) s at most" >&3
	[ $((SECONDS - began)) -le $((5 + 3 * ${PATIENCE:-1})) ]
	for s in "${all[@]}"; do
		case $s in *_stop) ;; *) changes $s ;; esac
	done
	until_true 5 knows_all s_metrics	# its stream goes on
	while [ $((SECONDS - began)) -lt 20 ]; do sleep 1; done
	acted s_metrics 2			# by its first heartbeat
	while [ $((SECONDS - began)) -lt 60 ]; do sleep 1; done
	doubted s_metrics 1			# and stays so
	all_of "acted @ 1" p_metrics p_all s_all p_stop s_stop "${kept[@]}"
	all_of "doubted @ 0" "${kept[@]}"
	for s in p_stop s_stop; do	# what happened just before it answers
		C=${CONTROL[$s]}
		curl -sS -o /dev/null -X POST "$C/sim/task/${TASK[$s]}/TASK_FAILED" 3>&- &
		curl -sS -o /dev/null -X POST "$C/sim/agent/newcomer.example.com/add" 3>&- &
		curl -sS -o /dev/null -X POST "$C/sim/agent/agent002.example.com/remove" 3>&- &
	done
	sleep 0.5
	for s in "${all[@]}"; do
		C=${CONTROL[$s]}
		case $s in
		?_metrics) order 'master/0/mode?path=/metrics/snapshot' ok ;;
		p_state | p_half) order 'master/0/mode?path=/state' ok ;;
		s_stream) order 'master/0/mode?path=/api/v1' ok ;;
		?_all) order master/0/mode ok ;;
		?_stop) kill -CONT "${MESOS[$s]}" ;;
		esac
	done
	until_true 3 all_of "acted @ 2" "${lost[@]}"
	until_true 20 all_of "knows_all @" "${all[@]}"
	echo "# all that changed is told $((SECONDS - began - 60)) s after the minute, at most" >&3
	until_true 5 all_of "knows @" "${all[@]}"
	sleep 2		# whatever would be told twice
	for s in "${all[@]}"; do
		echo "$s"
		[ "$(told $s ".task == \"${TASK[$s]}\" and .state == \"TASK_FAILED\"")" = 1 ]
		[ "$(told $s '.service == "mesos/tasks"')" -le 3 ]	# it may have been seen to be launched
		[ "$(told $s '.service == "mesos/agent"')" = 2 ]
		pid=${SATELLITES[$s]}
		echo "# $s: CPU $(cpu_ms "$pid") ms, at most $(($(hwm) - PEAK[$s])) kB more than before" >&3
		sanitized || [ $(($(hwm) - PEAK[$s])) -lt 4096 ]
		runs "$pid"
	done
	for s in "${all[@]}"; do stops "${SATELLITES[$s]}"; done
}
