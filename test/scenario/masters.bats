#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# masters.bats - whom Mesos' own ZooKeeper names is observed: JSON or protobuf, deposed, fallen, and servers that go.

load common
load simulate
load observe
load zookeeper

setup() {
	common_setup
	zk_make 1; zk_start; zk_up
}
teardown() {
	kill -CONT "${ZK_PIDS[@]}" 2>/dev/null || true
	common_teardown
}

# stand N [binary]: simulated master N stands for election, behind those that do already.
stand() {
	zk "
	import struct
	host, port = '$(address master "$1")'[7:].split(':')
	ip = struct.unpack('<I', bytes(map(int, host.split('.'))))[0]
	def number(n):
	    out = b''
	    while n > 127:
	        out += bytes([n & 127 | 128]); n >>= 7
	    return out + bytes([n])
	def text(field, s):
	    return bytes([field << 3 | 2]) + number(len(s)) + s.encode()
	zk.ensure_path('$ZNODE')
	if '${2:-}' == 'binary':
	    value = text(1, '2015-id') + b'\x10' + number(ip) + b'\x18' + number(int(port)) + text(4, 'master@%s:%s' % (host, port)) + text(5, 'm$1')
	    zk.create('$ZNODE/info_', value, sequence=True)
	else:
	    value = {'address': {'hostname': 'm$1', 'ip': host, 'port': int(port)}, 'hostname': 'm$1', 'id': 'an-id',
	        'ip': ip, 'pid': 'master@%s:%s' % (host, port), 'port': int(port), 'version': '1.11.0'}
	    zk.create('$ZNODE/json.info_', json.dumps(value).encode(), sequence=True)
	"
}
# falls: the lowest node vanishes, and the time is in FELL.
falls() {
	FELL=$(zk "
	n = min(zk.get_children('$ZNODE'), key=lambda n: n.split('_')[-1])
	zk.delete('$ZNODE/' + n)
	print(time.time_ns() // 1000000)
	")
}

# live N: simulated master N stands for election as long as a process lives, whose pid goes to LIVES.
live() {
	local host=$(address master "$1")
	/usr/bin/python3 - 2>/dev/null 3>&- <<-END &
	import json, time
	from kazoo.client import KazooClient
	zk = KazooClient(hosts="$ZK", timeout=2)
	zk.start(timeout=20)
	zk.ensure_path("$ZNODE")
	zk.create("$ZNODE/json.info_", json.dumps({"hostname": "m$1", "port": ${host##*:}, "address": {
	    "hostname": "m$1", "ip": "127.0.0.1", "port": ${host##*:}}}).encode(), ephemeral=True, sequence=True)
	open("$T/live$1", "w")
	time.sleep(600)
	END
	LIVES[$1]=$!
	PIDS+=("$!")
	until_true 20 test -e "$T/live$1"
}

# beside NAME N [SETTINGS]: a satellite master beside simulated master N, by the word of ZooKeeper and as settings fall back.
beside() {
	INTERVAL=60 LEADER_INTERVAL=1 watch_mesos "$1" "$2" "masters = \"${MASTERS:-zk://$ZK$ZNODE}\"; $3"
}
zookeeper_says() { is "$1" mesos/endpoint/zookeeper ".state == \"$2\" and (.description | contains(\"$3\"))"; }
since() { echo $(($(date +%s%N) / 1000000 - FELL)); }

ZNODE=/prod/mesos

# change FORM: of two satellites each beside a master, who observes whom when the lowest node vanishes.
change() {
	local took
	simulate --masters 3 --agents 4 --version "$2"
	for n in 0 1 2; do stand $n $1; done
	beside m0 0
	beside m1 1
	until_true 10 leads m0
	until_true 10 follows m1 "$(address master 0) does"
	until_true 10 is m0 mesos/agents/registered '.metric == 4'
	order leader/1
	falls
	until_true 5 leads m1
	until_true 5 follows m0 "$(address master 1) does"
	took=$(since)
	echo "# $1: the lowest node gone, the next one's satellite leads and the old one's follows after $took ms" >&3
	[ "$took" -lt 2000 ]
	heard m1 "acts: the local"
	heard m0 "does not act any more"
	# He who comes back stands behind the others.
	stand 0 $1
	order leader/2
	falls
	until_true 5 follows m1 "$(address master 2) does"
	took=$(since)
	echo "# $1: the next after $took ms" >&3
	[ "$took" -lt 2000 ]
	until_true 5 follows m0 "$(address master 2) does"
	is m1 mesos/endpoint/snapshot '.state == "ok"'
}

@test "the master with the lowest json.info_ leads; once it vanishes the next is observed within 2 s" { change json 1.11; }
@test "the master with the lowest info_, in protobuf, leads; once it vanishes the next is observed within 2 s" { change binary 0.22; }

acts() { [[ $(grep -E 'acts, epoch|does not act' "$T/$1.log" | tail -n 1) == *'acts, epoch'* ]]; }

@test "the leading Mesos master and its satellite die: the next satellite acts within 5 s, 2 of them a session" {
	local n began took M=()
	declare -A LIVES
	simulate --masters 3 --agents 4
	for n in 0 1 2; do live $n; done
	for n in 0 1 2; do
		MORE="whitelist = { path = \"$T/list$n\"; resolve = false; store = \"zookeeper\"; import = false; };
			store-zookeeper = { hosts = \"$ZK\"; timeout = 2; };" beside m$n $n
		M[n]=$PID
	done
	until_true 15 acts m0
	for n in 0 1; do
		began=$(($(date +%s%N) / 1000000))
		kill -KILL "${LIVES[$n]}" "${M[n]}"
		until_true 15 acts m$((n + 1))
		took=$(($(date +%s%N) / 1000000 - began))
		echo "# killed, with a session of 2 s: the next acts after $took ms" >&3
		[ "$took" -lt 5000 ]
	done
}

@test "its servers away or hanging, the figures of the one observed say whether it leads; back, they are asked again" {
	simulate --masters 2 --agents 2
	stand 0; stand 1
	beside m0 0
	pid=$PID
	until_true 10 leads m0
	until_true 5 zookeeper_says m0 ok 'json.info_0000000000 leads: m0, 127.0.0.1'
	zk_stop 1
	until_true 10 zookeeper_says m0 critical 'no server answers'
	leads m0
	order leader/1
	until_true 5 follows m0
	order leader/0
	until_true 5 leads m0
	zk_start; zk_up
	until_true 20 zookeeper_says m0 ok 'json.info_0000000000 leads'
	kill -STOP "${ZK_PIDS[1]}"
	until_true 10 zookeeper_says m0 critical 'no server answers'
	leads m0
	kill -CONT "${ZK_PIDS[1]}"
	until_true 20 zookeeper_says m0 ok 'json.info_0000000000 leads'
	falls
	until_true 5 follows m0 "$(address master 1) does"
	runs "$pid"
	[ "$(times m0 'acts: the local')" = 2 ]
}

@test "a node that is garbage, none at all, and no path are events and a line that name them" {
	simulate --masters 2 --agents 2
	beside m0 0
	until_true 10 zookeeper_says m0 critical 'there is no such node'
	follows m0
	zk "zk.ensure_path('$ZNODE/log_replicas')"
	until_true 5 zookeeper_says m0 critical 'no Mesos master stands for election'
	while IFS='|' read -r name value words; do
		zk "zk.create('$ZNODE/$name', $value, sequence=True)"
		until_true 5 zookeeper_says m0 critical "$words"
		heard m0 "the node ${name}00"
		until_true 5 leads m0	# its own figures say so
		falls
	done <<-'END'
		json.info_|b''|json.info_
		json.info_|b'{"hostname":'|is no JSON
		json.info_|b'[[[[[[[[[[[[[['|is no JSON
		json.info_|b'{"ip":0,"port":5050}'|is no JSON with a host
		json.info_|b'{"hostname":"a b/c@d","port":5050}'|is no JSON with a host
		json.info_|b'{"hostname":"m0","port":70000}'|is no JSON with a host
		info_|b'\x0a\xff\xff\xff\xff\x0f'|is no MasterInfo
		info_|b'\xff' * 100000|is no MasterInfo
	END
	until_true 5 zookeeper_says m0 critical 'no Mesos master stands for election'
	until_true 5 follows m0
	# What is no node of a master is left alone.
	zk "zk.create('$ZNODE/json.info_', b'x'); zk.create('$ZNODE/info_12x', b'x'); zk.create('$ZNODE/other_0000000000', b'x')"
	stand 0
	until_true 5 leads m0
}

@test "an ensemble that wants a user, and one at an address of IPv6" {
	simulate --masters 2 --agents 2
	stand 0; stand 1
	zk "
	from kazoo.security import make_digest_acl
	zk.set_acls('$ZNODE', [make_digest_acl('eye', 's3cret', all=True)])
	"
	beside out 0
	until_true 10 zookeeper_says out critical 'may not be read: it wants another user and password'
	MASTERS="zk://eye:s3cret@$ZK$ZNODE" beside m0 0
	until_true 10 zookeeper_says m0 ok 'leads: m0'
	until_true 5 leads m0
	run grep -l s3cret "$T/m0.log"
	[ "$status" != 0 ]
	run indexed m0 'service =~ "%"'
	[[ $output != *s3cret* ]]
	[ -e /proc/net/if_inet6 ] || return 0
	six=$(free_port)
	socat "TCP6-LISTEN:$six,bind=[::1],fork,reuseaddr" "TCP:$ZK" 3>&- &
	PIDS+=("$!")
	MASTERS="zk://eye:s3cret@[::1]:$six,127.0.0.1:1$ZNODE" beside six 0
	until_true 20 zookeeper_says six ok "[::1]:$six,127.0.0.1:1$ZNODE: json.info_"
}

@test "mistakes in it are refused where they stand" {
	while IFS='|' read -r masters words; do
		cat >"$T/bad.cfg" <<-END
			role = "master"; state-dir = "$T"; leader = "mesos";
			modules = ( "mesos-master" );
			mesos-master = {
			  masters = $masters;
			};
		END
		run "$SATELLITE" --check --config "$T/bad.cfg"
		echo "$masters: $output"
		[ "$status" != 0 ]
		[[ $output == *"bad.cfg:4:"*"$words"* ]]
		[[ $output != *s3cret* ]]
	done <<-'END'
		"zk://"|names no server
		"zk:///mesos"|names no server
		"zk://a:2181"|needs the path
		"zk://a:2181/"|needs the path
		"zk://a,,b/mesos"|HOST:PORT
		"zk://a,/mesos"|HOST:PORT
		"zk://s3cret@a/mesos"|USER:PASSWORD
		"zk://a/mesos//x"|needs the path
		("zk://a/mesos", "http://b:5050")|names a ZooKeeper
	END
}

@test "a reload goes to another path, to URLs and back" {
	local to
	simulate --masters 2 --agents 2
	ZNODE=/a stand 0
	ZNODE=/b stand 1
	MASTERS="zk://$ZK/a" beside m0 0
	pid=$PID
	until_true 10 leads m0
	until_true 5 zookeeper_says m0 ok '/a: json.info_0000000000 leads'
	for to in '"zk://'$ZK'/b"' '( "'$(address master 0)'", "'$(address master 1)'" )' '"zk://'$ZK'/a"' '"zk://'$ZK'/b"'; do
		sed -i "s|masters = [^;]*;|masters = $to;|" "$T/m0.cfg"
		: >"$T/m0.log"
		kill -HUP "$pid"
		case $to in
		*/a*) until_true 10 zookeeper_says m0 ok '/a: json.info_0000000000 leads'; until_true 5 leads m0 ;;
		*/b*) until_true 10 zookeeper_says m0 ok '/b: json.info_0000000000 leads'; until_true 5 follows m0 "$(address master 1) does" ;;
		*) until_true 10 leads m0 ;;
		esac
		runs "$pid"
	done
	stops "$pid"
}
