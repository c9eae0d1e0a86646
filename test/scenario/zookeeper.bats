#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# zookeeper.bats - the store that masters share: real servers, an independent client, and everything that breaks.
# HOSTS=N: of very many.
# takes: 60 s

load common
load zookeeper

setup() {
	common_setup
	declare -gA PORT RIEMANN
	RECORD='{"managed-events":{},"manual-events":{},"managed-flag":"on","manual-flag":null}'
}

teardown() {
	if mountpoint -q "$T/fs"; then umount -l "$T/fs"; fi
	common_teardown
}

# config NAME: a master of that name, with a state of its own.
config() {
	local n=$1
	PORT[$n]=$(free_port) RIEMANN[$n]=$(free_port)
	mkdir -p "$T/$n"
	cat >"$T/$n.cfg" <<-END
	role = "master";
	state-dir = "$T/$n";
	http = { host = "127.0.0.1"; port = ${PORT[$n]}; };
	modules = ( "riemann", "whitelist" );
	riemann = { host = "127.0.0.1"; port = ${RIEMANN[$n]}; };
	whitelist = { path = "$T/$n/whitelist"; resolve = false; store = "zookeeper"; import = false; guard = { mode = "off"; }; };
	store-zookeeper = { hosts = "$ZK"; ${2:-} };
	streams = ( "index", { where = "service = 'disk'"; do = ( "persist-event", { where = "state = 'critical'";
	  do = ( "off-host" ); else = ( "on-host" ); } ); } );
	END
}

master() {
	[ -f "$T/$1.cfg" ] || config "$1"
	start "$1" --config "$T/$1.cfg"
	declare -g "PID_$1=$PID"
}

host_of() { get "http://127.0.0.1:${PORT[$1]}/whitelist/host/$2"; }
post() { status_of -X POST -d "{\"state\":\"$4\"}" "http://127.0.0.1:${PORT[$1]}/whitelist/host/$2/event/$3"; }
flag_is() { [ "$(host_of "$1" "$2" | jq -r '."manual-flag"')" = "$3" ]; }
file_is() { [ "$(tr '\n' ' ' <"$T/$1/whitelist")" = "$2" ]; }

@test "what one master is told, all masters' files hold, and the nodes are the JVM Satellite's" {
	zk_make 1; zk_start; zk_up
	for m in a b c; do master $m; heard $m 'hosts in the store'; done
	until_true 10 posts_well a h1
	[ "$(post b h2 e ok)" = 201 ]
	[ "$(post c h3 e critical)" = 201 ]
	for m in a b c; do until_true 5 file_is $m "h1 h2 "; done
	run zk "print(sorted(zk.get_children('/satellite/whitelist')))
	print(json.loads(zk.get('/satellite/whitelist/h3')[0])['manual-flag'])"
	[ "$output" = "['h1', 'h2', 'h3']
off" ]
	[ "$(status_of -X DELETE "http://127.0.0.1:${PORT[b]}/whitelist/host/h1")" = 200 ]
	for m in a b c; do until_true 5 file_is $m "h2 "; done
}

@test "an older Satellite's nodes are read, written, and what we do not know survives" {
	zk_make 1; zk_start; zk_up
	zk "zk.create('/satellite/whitelist/10.0.0.8', b'{\"managed-events\":{\"mesos\\\\/slave\\\\/load\":{\"host\":\"10.0.0.8\",\"service\":\"mesos\\\\/slave\\\\/load\",\"state\":\"critical\",\"description\":null,\"metric\":99.5,\"tags\":null,\"time\":1.795359712086538E9,\"ttl\":300.0}},\"manual-events\":{},\"managed-flag\":\"on\",\"manual-flag\":null,\"theirs\":{\"x\":[1,2.5]}}', makepath=True)"
	master a; heard a 'hosts in the store'
	until_true 5 file_is a "10.0.0.8 "
	[ "$(post a 10.0.0.8 e critical)" = 201 ]
	until_true 5 file_is a ""
	run zk "r = json.loads(zk.get('/satellite/whitelist/10.0.0.8')[0])
	print(r['theirs'], r['manual-flag'], r['managed-flag'], r['managed-events']['mesos/slave/load']['metric'])"
	[ "$output" = "{'x': [1, 2.5]} off on 99.5" ]
}

@test "an independent client's changes arrive: made, set, removed, and removed and made anew" {
	zk_make 1; zk_start; zk_up
	master a; heard a 'hosts in the store'
	zk "zk.ensure_path('/satellite/whitelist')
	for i in range(50): zk.create('/satellite/whitelist/n%02d' % i, b'$RECORD')"
	until_true 10 file_is a "$(printf 'n%02d ' $(seq 0 49))"
	zk "for i in range(50): zk.set('/satellite/whitelist/n%02d' % i, b'${RECORD/'"on"'/'"off"'}') if i % 2 else zk.delete('/satellite/whitelist/n%02d' % i)"
	until_true 10 file_is a ""
	zk "for i in range(50): zk.ensure_path('/satellite/whitelist/n%02d' % i); zk.set('/satellite/whitelist/n%02d' % i, b'$RECORD')
	for r in range(20):
	  for i in range(50): zk.delete('/satellite/whitelist/n%02d' % i); zk.create('/satellite/whitelist/n%02d' % i, b'${RECORD/'"on"'/'"off"'}' if r % 2 == 0 else b'$RECORD')"
	until_true 10 file_is a "$(printf 'n%02d ' $(seq 0 49))"
}

@test "servers die, and come back: 503 and the last good file meanwhile, and then all of it" {
	zk_make 1; zk_start; zk_up
	master a; heard a 'hosts in the store'
	until_true 10 posts_well a h1
	until_true 5 file_is a "h1 "
	zk_stop 1
	until_true 10 said a 'out of touch'
	[ "$(post a h2 e ok)" = 503 ]
	file_is a "h1 "
	[ "$(status_of "http://127.0.0.1:${PORT[a]}/readyz")" = 503 ]
	zk_start 1; zk_up 1
	until_true 20 said_times a 'the store is back' 1
	until_true 20 posts_well a h2
	until_true 5 file_is a "h1 h2 "
	[ "$(status_of "http://127.0.0.1:${PORT[a]}/readyz")" = 200 ]
}

@test "a session that expired is made anew, and nothing is missed" {
	zk_make 1; zk_start; zk_up
	master a; heard a 'hosts in the store'
	until_true 10 posts_well a h1
	until_true 5 file_is a "h1 "
	kill -STOP "$PID_a"
	until_true 30 no_sessions
	zk "zk.create('/satellite/whitelist/h2', b'$RECORD'); zk.delete('/satellite/whitelist/h1')"
	kill -CONT "$PID_a"
	until_true 20 file_is a "h2 "
	until_true 10 posts_well a h3
}
no_sessions() { ! zk_word 1 cons | grep -q sid=; }

@test "three servers: masters go on while one of them is away" {
	zk_make 3; zk_start; zk_up
	for m in a b; do master $m; heard $m 'hosts in the store'; done
	until_true 20 posts_well a h0
	for i in 1 2 3; do
		zk_stop $i
		until_true 30 posts_well a "h$i"
		zk_start $i; zk_up $i
	done
	for m in a b; do until_true 20 file_is $m "h0 h1 h2 h3 "; done
}
posts_well() { [ "$(post "$1" "$2" e ok)" = 201 ]; }

@test "records so large that a server would not take many at once go in as many commits as they need" {
	zk_make 1; zk_start; zk_up
	zk "zk.ensure_path('/satellite/whitelist')
for i in range(40): zk.create('/satellite/whitelist/n%02d' % i, ('${RECORD%\}},\"theirs\":\"' + 'x' * 40000 + '\"}').encode())"
	master a; heard a '40 hosts in the store'
	zk_stop 1
	heard a 'out of touch'
	for i in $(seq -w 0 39); do
		"$SATELLITE" --config "$T/a.cfg" send --host "n$i" --service disk --state critical --ttl 600 >/dev/null
	done
	zk_start 1; zk_up
	until_true 30 file_is a ""
}

# told_as NAME SERVICE STATE: what a master last said of something.
told_as() {
	[ "$(get -G --data-urlencode "query=service = \"$2\"" "http://127.0.0.1:${PORT[$1]}/index" | jq -r '.[0].state')" = "$3" ]
}
# wire WHAT: of the connections to the server, through a proxy of our own, as test/clients/proxy.py has it.
wire() { echo "$1 zk" >"$T/wires"; }
file_holds() { [ "$(wc -l <"$T/a/whitelist")" = "$1" ]; }

@test "very many hosts, and the connection lost once and ten times: back within seconds, nothing missed" {
	local n=${HOSTS:-5000} i port began worst=0 took
	zk_make 1; zk_start; zk_up
	zk "zk.ensure_path('/satellite/whitelist')
	for first in range(0, $n, 500):
	  t = zk.transaction()
	  for i in range(first, min(first + 500, $n)): t.create('/satellite/whitelist/agent%05d.rack42.example.com' % i, b'$RECORD')
	  t.commit()"
	port=$(free_port)
	mkfifo "$T/wires"
	/usr/bin/python3 "$ROOT/test/clients/proxy.py" "$T/wires" "zk:$port:${ZK_PORTS[1]}" >"$T/proxy.log" 2>&1 3>&- &
	PIDS+=("$!")
	until_true 10 grep -qs begun "$T/proxy.log"
	ZK=127.0.0.1:$port master a
	until_true 30 said a "$n hosts in the store"
	until_true 10 file_holds "$n"
	for ((i = 1; i <= 11; i++)); do
		wire drop
		until_true 10 said_times a 'the store is out of touch' $i
		# Meanwhile another turns a host off, which no watch can tell.
		zk "zk.set('/satellite/whitelist/agent%05d.rack42.example.com' % ($i * $n // 12), b'${RECORD/'"on"'/'"off"'}')"
		began=$(date +%s%N)
		wire mend
		until_true 20 said_times a 'the store is back' $i
		until_true 5 file_holds $((n - i))
		took=$((($(date +%s%N) - began) / 1000000))
		[ $took -le $worst ] || worst=$took
	done
	echo "# $n hosts: back after $worst ms at worst" >&3
	# And all is watched again.
	zk "for i in range(3, $n, $n // 100): zk.delete('/satellite/whitelist/agent%05d.rack42.example.com' % i)
	for i in range(5, $n, $n // 100): zk.set('/satellite/whitelist/agent%05d.rack42.example.com' % i, b'${RECORD/'"on"'/'"off"'}')
	print(sum(1 for h in zk.get_children('/satellite/whitelist') if json.loads(zk.get('/satellite/whitelist/' + h)[0])['managed-flag'] == 'on'))" >"$T/on"
	until_true 10 file_holds "$(cat "$T/on")"
}

# jvm_lists FOLDER: a client on the JVM can, as it comes.
jvm_lists() {
	timeout 60 java -Xmx256m -XX:TieredStopAtLevel=1 -cp "$(printf '/usr/share/java/%s.jar:' zookeeper slf4j-api slf4j-nop commons-cli)" \
		org.apache.zookeeper.ZooKeeperMain -server "$ZK" ls "$1" 2>/dev/null | grep -q 'agent00001'
}

@test "a list over 1 MiB: the JVM's clients cannot read it, ours can, and it is said" {
	# 39 letters and a length are 43 bytes; 1,048,575 less a head and a stat hold 24,383 of them.
	zk_make 1; zk_start; zk_up
	zk "zk.ensure_path('/satellite/whitelist')
	for first in range(0, 24383, 500):
	  t = zk.transaction()
	  for i in range(first, min(first + 500, 24383)): t.create('/satellite/whitelist/agent%05d.rack42.example.com-123456789' % i, b'$RECORD')
	  t.commit()"
	master a
	until_true 30 said a '24383 hosts in the store'
	jvm_lists /satellite/whitelist
	[ "$(post a agent99999.rack42.example.com-123456789 e ok)" = 201 ]
	heard a 'whitelist/: the list of its 24384 nodes is over 1 MiB'
	until_true 5 told_as a satellite/store-zookeeper/list warning
	run jvm_lists /satellite/whitelist
	[ "$status" != 0 ]
	until_true 5 file_holds 24384
	[ "$(status_of -X DELETE "http://127.0.0.1:${PORT[a]}/whitelist/host/agent00000.rack42.example.com-123456789")" = 200 ]
	heard a 'under 1 MiB again'
	until_true 5 told_as a satellite/store-zookeeper/list ok
}

sick() {	# HOST WHAT: turned off while b cannot write; the others do, and b's file stays as it was
	local before
	before=$(cat "$T/fs/whitelist")
	[ "$(post b "$1" e critical)" = 201 ]
	for m in a c; do until_true 5 lacks $m "$1"; done
	heard b "$2"
	until_true 5 told_as b satellite/whitelist/file critical
	[ "$(status_of "http://127.0.0.1:${PORT[b]}/readyz")" = 503 ]
	[ "$(cat "$T/fs/whitelist")" = "$before" ]
}
lacks() { ! grep -qx "$2" "$T/$1/whitelist"; }
well() { until_true 20 cmp -s "$T/a/whitelist" "$T/fs/whitelist"; until_true 5 told_as b satellite/whitelist/file ok; }

@test "one of three masters cannot write its file: it alone stays old, whole, says so, and is well again by itself" {
	[ "$(id -u)" = 0 ] || skip "needs root to mount"
	mkdir "$T/fs"
	mount -t tmpfs -o size=64k none "$T/fs" 2>/dev/null || skip "cannot mount here"
	zk_make 1; zk_start; zk_up
	zk "zk.ensure_path('/satellite/whitelist')
	for i in range(200): zk.create('/satellite/whitelist/host-number-%04d.example.com' % i, b'$RECORD')"
	config b
	sed -i "s,$T/b/whitelist,$T/fs/whitelist," "$T/b.cfg"
	for m in a b c; do master $m; heard $m '200 hosts in the store'; done
	until_true 5 cmp -s "$T/a/whitelist" "$T/fs/whitelist"
	dd if=/dev/zero of="$T/fs/ballast" bs=4k 2>/dev/null || true
	sick host-number-0007.example.com 'No space left on device; make room there'
	rm "$T/fs/ballast"
	well
	mount -o remount,ro "$T/fs"
	sick host-number-0008.example.com 'Read-only file system; mount it writable'
	mount -o remount,rw "$T/fs"
	well
	mv "$T/fs/whitelist" "$T/fs/aside"
	mkdir "$T/fs/whitelist"
	[ "$(post b host-number-0009.example.com e critical)" = 201 ]
	for m in a c; do until_true 5 lacks $m host-number-0009.example.com; done
	heard b 'Is a directory'
	rmdir "$T/fs/whitelist"
	well
	[ "$(wc -l <"$T/fs/whitelist")" = 197 ]
}

@test "digest auth and ACLs: strangers may read or not, wrong words are told" {
	zk_make 1; zk_start; zk_up
	config a 'auth = "digest:sat:secret"; acl = ( "auth::cdrwa", "world:anyone:r" );'
	master a; heard a 'hosts in the store'
	until_true 10 posts_well a h1
	run zk "print(len(zk.get('/satellite/whitelist/h1')[0]) > 10)
	try: zk.set('/satellite/whitelist/h1', b'{}'); print('set')
	except NoAuthError: print('refused')"
	[ "$output" = "True
refused" ]
	config b 'auth = "digest:sat:wrong";'
	master b; heard b 'hosts in the store'
	[ "$(post b h2 e ok)" = 503 ]
}

@test "settings that cannot be are refused where they stand" {
	ZK=127.0.0.1:1
	config a 'root = "satellite/"; acl = ( "nonsense" ); auth = "x";'
	run "$SATELLITE" --check --config "$T/a.cfg"
	[ "$status" != 0 ]
	[[ $output == *'store-zookeeper.root: must be the path of a node'* ]]
}
