#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# torture.bats - three masters, three ZooKeeper servers: nothing acknowledged is lost while they are killed, stopped and cut off.
# UPDATES=N: until so many were acknowledged.

load common
load zookeeper

setup() {
	common_setup
	declare -gA PORT RIEMANN MASTER
}

teardown() {
	kill -CONT "${MASTER[@]}" "${ZK_PIDS[@]}" 2>/dev/null || true
	common_teardown
}

# wires: one from each master to each server, named as m1 is from m to server 1; HOSTS[m] is what m connects to.
wires() {
	local m i port all=()
	declare -gA HOSTS
	for m in a b c; do
		for i in 1 2 3; do
			port=$(free_port)
			all+=("$m$i:$port:${ZK_PORTS[$i]}")
			HOSTS[$m]+=${HOSTS[$m]:+,}127.0.0.1:$port
		done
	done
	mkfifo "$T/wires"
	/usr/bin/python3 "$ROOT/test/clients/proxy.py" "$T/wires" "${all[@]}" >"$T/proxy.log" 2>&1 3>&- &
	PIDS+=("$!")
	heard proxy begun
}
wire() { echo "$1 $2" >"$T/wires"; }

master() {
	local n=$1
	if [ -z "${PORT[$n]:-}" ]; then
		PORT[$n]=$(free_port) RIEMANN[$n]=$(free_port)
		cat >"$T/$n.cfg" <<-END
		role = "master";
		host = "$n";
		state-dir = "$T/$n";
		http = { host = "127.0.0.1"; port = ${PORT[$n]}; };
		modules = ( "riemann", "whitelist" );
		riemann = { host = "127.0.0.1"; port = ${RIEMANN[$n]}; };
		whitelist = { path = "$T/$n/whitelist"; resolve = false; store = "zookeeper"; import = false;
		  guard = { mode = "off"; }; };
		store-zookeeper = { hosts = "${HOSTS[$n]}"; timeout = 2; };
		streams = ( "persist-event", { where = "service = 's0'"; do = ( { where = "state = 'critical'";
		  do = ( "off-host" ); else = ( "on-host" ); } ); } );
		END
	fi
	start "$n" --config "$T/$n.cfg"
	MASTER[$n]=$PID
}

ready() { [ "$(status_of "http://127.0.0.1:${PORT[$1]}/readyz")" = 200 ]; }
acts() { [[ $(grep -E 'acts, epoch|does not act' "$T/$1.log" | tail -n 1) == *'acts, epoch'* ]]; }
one_acts() { acts a || acts b || acts c; }

# One thing after another breaks, and is mended: each kind at least once, until the updates are over.  It befalls
# whoever acts, three times of four.
disturb() {
	local m n i round=0
	while [ $round -lt 8 ] || ! said torture over; do
		runs "$1" || return 1
		i=$((RANDOM % 3 + 1)) n=$(printf 'abc' | cut -c$i)
		[ $((RANDOM % 4)) = 0 ] || for m in a b c; do ! acts $m || n=$m; done
		case $((round % 8)) in
		0) kill -KILL "${MASTER[$n]}"; wait "${MASTER[$n]}" 2>/dev/null || true; sleep 0.3; master "$n" ;;
		1) zk_stop $i; sleep 1; zk_start $i; zk_up $i ;;
		2) wire cut "$n*"; sleep 4 ;;
		3) kill -STOP "${MASTER[$n]}"; sleep 4; kill -CONT "${MASTER[$n]}" ;;
		4) wire half "$n*"; sleep 4 ;;
		5) kill -STOP "${ZK_PIDS[$i]}"; sleep 2; kill -CONT "${ZK_PIDS[$i]}" ;;
		6) wire delay "$n*"; sleep 2 ;;
		7) wire cut "*$i"; sleep 2 ;;
		esac
		wire mend '*'
		sleep 0.3
		round=$((round + 1))
	done
	echo "# $round disturbances" >&3
}

@test "random updates from all sides while servers and masters are killed, stopped and cut off: none is lost, all files equal" {
	local m torture args=()
	zk_make 3; zk_start; zk_up
	wires
	for m in a b c; do
		master $m; heard $m 'hosts in the store'
		args+=("http://127.0.0.1:${PORT[$m]},${RIEMANN[$m]},$T/$m/whitelist")
	done
	/usr/bin/python3 "$ROOT/test/clients/torture.py" "$ZK" "${UPDATES:-1500}" "$T/calm" "${args[@]}" >"$T/torture.log" 2>&1 3>&- &
	torture=$!
	PIDS+=("$torture")
	until_true 60 said torture begun
	disturb $torture
	for m in a b c; do until_true 20 ready $m; done
	until_true 10 one_acts
	touch "$T/calm"
	wait $torture
	echo "# $(grep made "$T/torture.log")" >&3
	/usr/bin/python3 "$ROOT/test/clients/history.py" a="$T/a.log" b="$T/b.log" c="$T/c.log" -- "$T"/zk[123]/data >"$T/history.log"
	echo "# $(grep writes "$T/history.log")" >&3
	# And it would have said so.
	run /usr/bin/python3 "$ROOT/test/clients/history.py" b="$T/a.log" c="$T/b.log" a="$T/c.log" -- "$T"/zk[123]/data
	[ "$status" = 1 ]
	[[ $output == *WRONG* ]]
}
