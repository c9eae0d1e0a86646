#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# torture.bats - three masters, three ZooKeeper servers: nothing acknowledged is lost while they are killed and stopped.

load common
load zookeeper

setup() {
	common_setup
	declare -gA PORT MASTER
}

teardown() {
	kill -CONT "${MASTER[@]}" "${ZK_PIDS[@]}" 2>/dev/null || true
	common_teardown
}

master() {
	local n=$1
	if [ -z "${PORT[$n]:-}" ]; then
		PORT[$n]=$(free_port)
		cat >"$T/$n.cfg" <<-END
		role = "master";
		host = "$n";
		state-dir = "$T/$n";
		http = { host = "127.0.0.1"; port = ${PORT[$n]}; };
		modules = ( "whitelist" );
		whitelist = { path = "$T/$n/whitelist"; resolve = false; store = "zookeeper"; import = false; };
		store-zookeeper = { hosts = "$ZK"; timeout = 2; };
		END
	fi
	start "$n" --config "$T/$n.cfg"
	MASTER[$n]=$PID
}

# One thing after another breaks, and is mended.
disturb() {
	local n i round=0
	while kill -0 "$1" 2>/dev/null; do
		i=$((round % 3 + 1)) n=$(printf 'abc' | cut -c$i)
		case $((round % 4)) in
		0) kill -KILL "${MASTER[$n]}"; wait "${MASTER[$n]}" 2>/dev/null || true; sleep 0.3; master "$n" ;;
		1) zk_stop $i; sleep 1; zk_start $i; zk_up $i ;;
		2) kill -STOP "${MASTER[$n]}"; sleep 3; kill -CONT "${MASTER[$n]}" ;;
		3) kill -STOP "${ZK_PIDS[$i]}"; sleep 2; kill -CONT "${ZK_PIDS[$i]}" ;;
		esac
		sleep 0.5
		round=$((round + 1))
	done
	echo "$round disturbances"
}

file_is() { [ "$(tr '\n' ' ' <"$T/$1/whitelist")" = "$2 " ]; }

@test "random updates from all sides while servers and masters are killed and stopped: none is lost, all files equal" {
	local m torture on
	zk_make 3; zk_start; zk_up
	for m in a b c; do master $m; heard $m 'hosts in the store'; done
	/usr/bin/python3 "$ROOT/test/clients/torture.py" "$ZK" "${UPDATES:-4000}" \
		"http://127.0.0.1:${PORT[a]}" "http://127.0.0.1:${PORT[b]}" "http://127.0.0.1:${PORT[c]}" >"$T/torture.log" 2>&1 3>&- &
	torture=$!
	PIDS+=("$torture")
	until_true 60 said torture begun
	disturb $torture
	wait $torture
	echo "# $(grep made "$T/torture.log")" >&3
	on=$(sed -n 's/^on: //p' "$T/torture.log")
	for m in a b c; do until_true 20 file_is $m "$on"; done
}
