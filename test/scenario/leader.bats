#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# leader.bats - who acts, among masters that share a store: one at a time, and the next one soon.
# RUNS=N: so many times the leader is lost.

load common
load zookeeper
load simulate

setup() {
	common_setup
	declare -gA RIEMANN PORT MASTER BESIDE
	MODULES='"riemann", "whitelist"'
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
	modules = ( $MODULES );
	${BESIDE[$n]}
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

# lose HOW MASTER: as its machine, its process or its network would be lost; found HOW MASTER: and found again.
lose() {
	case $1 in
	killed) kill -KILL "${MASTER[$2]}"; ends "${MASTER[$2]}" || true ;;
	stopped) kill -STOP "${MASTER[$2]}" ;;
	cut) echo "cut $2" >"$T/wires" ;;
	ended) kill -TERM "${MASTER[$2]}"; ends "${MASTER[$2]}" || true ;;
	esac
}
found() {
	: >"$T/$2.log"
	case $1 in
	stopped) kill -CONT "${MASTER[$2]}"; heard "$2" 'does not act any more' ;;
	cut) echo "mend $2" >"$T/wires"; heard "$2" 'the store is back' ;;
	*) start "$2" --config "$T/$2.cfg"; MASTER[$2]=$PID; heard "$2" 'hosts in the store' ;;
	esac
}
acts_else() {
	local m
	for m in a b c; do [ $m = "$1" ] || ! acts $m || return 0; done
	return 1
}
percent() { printf '%s\n' $2 | sort -n | awk -v p="$1" '{ v[NR] = $1 } END { print v[int((NR - 1) * p / 100 + 0.5) + 1] }'; }

@test "one of three acts; killed, stopped, cut off or ended, another does in time, under the next epoch" {
	local m i how old before began took times=() port=()
	for m in a b c; do port+=("$m:$(free_port):${ZK_PORTS[1]}"); done
	mkfifo "$T/wires"
	/usr/bin/python3 "$ROOT/test/clients/proxy.py" "$T/wires" "${port[@]}" >"$T/proxy.log" 2>&1 3>&- &
	PIDS+=("$!")
	until_true 10 grep -qs begun "$T/proxy.log"
	for m in 0 1 2; do
		ZK=127.0.0.1:$(echo "${port[$m]}" | cut -d: -f2)
		master ${port[$m]%%:*}
	done
	ZK=127.0.0.1:${ZK_PORTS[1]}
	until_true 10 one_acts
	[ "$(epoch)" = 1 ]
	for ((i = 0; i < ${RUNS:-4}; i++)); do
		how=$(echo killed stopped cut ended | cut -d' ' -f$((i % 4 + 1)))
		old=$(acting)
		before=$(epoch)
		began=$(date +%s%N)
		lose $how "$old"
		until_true 10 acts_else "$old"
		took=$((($(date +%s%N) - began) / 1000000))
		[ $how = ended ] || times+=($took)	# who ends says so
		echo "# $how: another acts after $took ms" >&3
		[ "$(epoch)" = $((before + 1)) ]
		found $how "$old"
		until_true 10 one_acts
	done
	echo "# leader lost to the next acting: p50 $(percent 50 "${times[*]}") ms, p99 $(percent 99 "${times[*]}") ms," \
		"longest $(percent 100 "${times[*]}") ms, of ${#times[@]}" >&3
	[ "$(percent 50 "${times[*]}")" -lt 5000 ]
	[ "$(percent 100 "${times[*]}")" -lt $((5000 * ${PATIENCE:-3})) ]
}

# beside_mesos: three masters, each beside one of a simulated Mesos.
beside_mesos() {
	local m n=0
	MODULES='"riemann", "mesos-master", "whitelist"'
	simulate --masters 3 --agents 3
	for m in a b c; do
		BESIDE[$m]="mesos-master = { url = \"$(address master $n)\"; leader-interval = 0.25; };"
		master $m
		n=$((n + 1))
	done
	until_true 10 acts a
}

@test "with Mesos' election the satellite beside the next leader acts within two seconds of it" {
	local i n m before began took times=() names=(a b c)
	beside_mesos
	for ((i = 0; i < ${RUNS:-4}; i++)); do
		n=$(((i + 1) % 3))
		m=${names[$n]}
		before=$(epoch)
		# Every other one that led is gone with its machine.
		[ $((i % 2)) = 0 ] || { lose killed "${names[$((i % 3))]}"; }
		began=$(date +%s%N)
		order leader/$n
		until_true 5 acts "$m"
		took=$((($(date +%s%N) - began) / 1000000))
		times+=($took)
		[ "$(epoch)" = $((before + 1)) ]
		[ "$(acting)" = "$m" ]
		[ $((i % 2)) = 0 ] || found killed "${names[$((i % 3))]}"
	done
	echo "# elected to acting: p50 $(percent 50 "${times[*]}") ms, longest $(percent 100 "${times[*]}") ms, of ${#times[@]}" >&3
	[ "$(percent 50 "${times[*]}")" -lt 2000 ]
	[ "$(percent 100 "${times[*]}")" -lt $((2000 * ${PATIENCE:-3})) ]
}

@test "a Mesos master that hangs costs its satellite the lead within 6 s; the next elected, hanging or not, acts within two" {
	local began took
	beside_mesos
	order master/0/mode hang
	began=$(date +%s%N)
	until_true 10 nobody
	took=$((($(date +%s%N) - began) / 1000000))
	echo "# hanging: acts no more after $took ms" >&3
	[ "$took" -lt $((4600 + 1500 * ${PATIENCE:-1})) ]
	order leader/1
	began=$(date +%s%N)
	until_true 5 acts b
	took=$((($(date +%s%N) - began) / 1000000))
	echo "# elected: acts after $took ms" >&3
	[ "$took" -lt $((2000 * ${PATIENCE:-1})) ]
	# Elected before it counts as lost: the old one acts no more, whatever it believes of its own.
	order master/1/mode hang
	order leader/2
	began=$(date +%s%N)
	until_true 5 acts c
	until_true 5 acts_not b
	took=$((($(date +%s%N) - began) / 1000000))
	echo "# elected while the old one is believed: alone after $took ms" >&3
	[ "$took" -lt $((2000 * ${PATIENCE:-1})) ]
	[ "$(acting)" = c ]
}
acts_not() { ! acts "$1"; }

leader_is() { "$SATELLITE" --config "$T/$1.cfg" status | grep -E "^leader +$2"; }
critical_leader() {
	get -G "http://127.0.0.1:${PORT[$1]}/index" --data-urlencode "query=service = 'satellite/leader' and host = '$1'" |
		jq -e 'any(.[]; .state == "critical" and (.description | startswith("nobody acts: a did last")))'
}

@test "the satellite beside the leading Mesos master is dead: the others say that nobody acts" {
	beside_mesos
	until_true 10 leader_is a 'acts \(epoch'
	until_true 10 leader_is b 'a acts \(epoch'
	lose killed a
	until_true 15 leader_is b 'nobody acts: a did last, .*; a Mesos master has to lead, and a satellite to run beside it'
	until_true 15 critical_leader c
	heard c 'leader: nobody acts: a did last'
	[ -z "$(acting)" ]
	found killed a
	until_true 10 acts a
	until_true 10 leader_is b 'a acts \(epoch'
	heard c 'leader: a acts'
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
