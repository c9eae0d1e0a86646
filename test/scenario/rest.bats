#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# rest.bats - an operator turns hosts on and off over HTTP; every row of the table, right and wrong.

load common

setup() {
	common_setup
	PORT=$(free_port)
	URL=http://127.0.0.1:$PORT
	mkdir "$T/state"
	seq -f 'host%g' 1 5 >"$T/whitelist"
	config
}

teardown() { common_teardown; }

# config LINE...: a master's, with further settings of `whitelist`.
config() {
	cat >"$T/master.cfg" <<-END
	role = "master";
	state-dir = "$T/state";
	http = { host = "127.0.0.1"; port = $PORT; };
	modules = ( "whitelist" );
	whitelist = { path = "$T/whitelist"; guard = { mode = "off"; }; $* };
	streams = ( "index" );
	END
}

master() {
	start master --config "$T/master.cfg"
	MASTER=$PID
	heard master 'imported 5 hosts'
}

# asks METHOD PATH [BODY]: the status; the body of the answer is in $T/body.
asks() {
	local data=()
	[ $# -lt 3 ] || data=(-H 'Content-Type: application/json' --data-binary "$3")
	curl -s --max-time 10 --path-as-is -o "$T/body" -D "$T/head" -w '%{http_code}' -X "$1" "${data[@]}" "$URL$2"
}

# expect STATUS METHOD PATH [BODY]
expect() {
	local want=$1 got
	shift
	got=$(asks "$@")
	[ "$got" = "$want" ] || { echo "$*: $got, not $want: $(cat "$T/body")"; return 1; }
}

body() { jq -e "$@" "$T/body" >"$T/jq.out" || { echo "not so: $*"; cat "$T/body"; return 1; }; }
error() { body '.error | type == "string" and length > 0'; }
file_is() { [ "$(tr '\n' ' ' <"$T/whitelist")" = "$*${1:+ }" ]; }

@test "lists: on, off and all, another flag is refused" {
	master
	expect 200 GET /whitelist/all
	body 'keys == ["host1","host2","host3","host4","host5"]'
	body '.host1["managed-flag"] == "on" and .host1["manual-flag"] == null'
	body '.host1["managed-events"] == {} and .host1["manual-events"] == {}'
	expect 201 POST /whitelist/host/host2/event/disk '{"state":"critical"}'
	expect 200 GET /whitelist/on
	body 'keys == ["host1","host3","host4","host5"]'
	expect 200 GET /whitelist/off
	body 'keys == ["host2"]'
	expect 400 GET /whitelist/bogus
	error
	expect 404 GET /whitelist/
	curl -sfI "$URL/whitelist/all" | grep -qi '^content-type: application/json'
}

@test "a host: its record, unknown ones, and forgetting it" {
	config 'resolve = false;'
	master
	expect 200 GET /whitelist/host/host1
	body '.["managed-flag"] == "on"'
	expect 404 GET /whitelist/host/nobody
	error
	expect 404 DELETE /whitelist/host/nobody
	error
	expect 200 DELETE /whitelist/host/host1
	expect 404 GET /whitelist/host/host1
	expect 404 DELETE /whitelist/host/host1
	until_true 2 file_is host2 host3 host4 host5
	expect 201 POST /whitelist/host/host1/event/back '{"state":"ok"}'
	until_true 2 file_is host1 host2 host3 host4 host5
}

@test "events: posted, dropped, and the latest one counts" {
	master
	expect 201 POST /whitelist/host/host3/event/disk \
		'{"state":"critical","ttl":"7day","description":"bad \"disk\" é/x","extra":"z"}'
	body '.["manual-flag"] == "off"'
	body '.["manual-events"].disk | .state == "critical" and .ttl == 604800 and .extra == "z"'
	body '.["manual-events"].disk.description == "bad \"disk\" é/x"'
	body '.["manual-events"].disk.time | . > 1700000000'
	until_true 2 file_is host1 host2 host4 host5
	expect 201 POST /whitelist/host/host3/event/fixed '{"state":"ok"}'
	body '.["manual-flag"] == "on"'
	until_true 2 file_is host1 host2 host3 host4 host5
	expect 200 DELETE /whitelist/host/host3/event/fixed
	body '.["manual-flag"] == "off"'
	expect 404 DELETE /whitelist/host/host3/event/fixed
	error
	expect 404 DELETE /whitelist/host/nobody/event/disk
	error
	expect 200 DELETE /whitelist/host/host3/event/disk
	body '.["manual-flag"] == null and .["managed-flag"] == "on"'
	until_true 2 file_is host1 host2 host3 host4 host5
}

@test "bodies that are wrong say why" {
	master
	local b
	for b in '' 'x' '[]' '"ok"' '{' '{"state":"ok"' '{"ttl":"1day"}' '{"state":null}' '{"state":"warning"}' \
		'{"state":1}' '{"state":"ok","ttl":"1fortnight"}' '{"state":"ok","ttl":"day"}' '{"state":"ok","ttl":"0day"}' \
		'{"state":"ok","ttl":"-1day"}' '{"state":"ok","ttl":"1 day"}' '{"state":"ok","ttl":"1dayss"}' \
		'{"state":"ok","ttl":86400}' '{"state":"ok","ttl":"99999999999999999999week"}' \
		'{"state":"ok","metric":"x"}' '{"state":"ok","extra":1}' '{"state":"ok","extra":{}}' \
		'{"state":"ok","description":["x"]}' '{"state":"ok","tags":"x"}' '{"state":"ok","tags":[1]}' \
		'{"state":"ok","state":"critical"}' $'{"state":"ok","x":"\xff"}' '{"state":"ok"} {"state":"ok"}'; do
		expect 400 POST /whitelist/host/host1/event/e "$b" || { echo "body: $b"; false; }
		error
	done
	for b in '{"state":"ok","ttl":"1minute"}' '{"state":"ok","ttl":"10minutes"}' '{"state":"ok","ttl":"2hours"}' \
		'{"state":"ok","ttl":"7day"}' '{"state":"ok","ttl":"1weeks"}' '{"state":"ok","ttl":null,"metric":1.5}' \
		'{"state":"ok","tags":["a","b"],"time":1}'; do
		expect 201 POST /whitelist/host/host1/event/e "$b" || { echo "body: $b"; false; }
	done
	# curl's default content type is a form's: the body decides
	[ "$(curl -s -o /dev/null -w '%{http_code}' -d '{"state":"ok"}' "$URL/whitelist/host/host1/event/e")" = 201 ]
	runs "$MASTER"
}

@test "sizes: a body over 1 MiB, a record over 64 KiB, a 65th event" {
	master
	local i
	{ printf '{"state":"ok","description":"'; head -c 1100000 /dev/zero | tr '\0' x; printf '"}'; } >"$T/big"
	expect 413 POST /whitelist/host/host1/event/e "@$T/big"
	{ printf '{"state":"ok","description":"'; head -c 70000 /dev/zero | tr '\0' x; printf '"}'; } >"$T/big"
	expect 413 POST /whitelist/host/host1/event/e "@$T/big"
	error
	for i in $(seq 64); do
		expect 201 POST "/whitelist/host/host2/event/e$i" '{"state":"ok"}'
	done
	expect 409 POST /whitelist/host/host2/event/e65 '{"state":"ok"}'
	error
	expect 201 POST /whitelist/host/host2/event/e64 '{"state":"critical"}'
	expect 200 GET /whitelist/host/host2
	body '.["manual-events"] | length == 64'
	body '.["manual-flag"] == "off"'
}

@test "wrong methods are told the right ones" {
	master
	expect 405 POST /whitelist/all '{}'
	grep -qi '^allow: .*GET' "$T/head"
	expect 405 PUT /whitelist/host/host1/event/e '{}'
	grep -qi '^allow: .*POST' "$T/head"
	grep -qi '^allow: .*DELETE' "$T/head"
	expect 405 GET /whitelist/host/host1/event/e
	expect 405 POST /whitelist/host/host1 '{}'
	expect 405 DELETE /metrics/snapshot
}

@test "new hosts: a legal name, the pattern, an address" {
	config 'host-pattern = "127.0.0.%";'
	master
	local n
	expect 400 POST /whitelist/host/elsewhere/event/e '{"state":"ok"}'
	error
	expect 201 POST /whitelist/host/127.0.0.9/event/e '{"state":"ok"}'
	until_true 2 grep -qx 127.0.0.9 "$T/whitelist"
	stops "$MASTER"
	config
	start master --config "$T/master.cfg"
	heard master '6 hosts in the store'
	for n in -x 'a%20b' 'a%09b' 'a%2Fb' 'a%00b' 'a%7F' "$(head -c 254 /dev/zero | tr '\0' a)" \
		no-such-host.invalid; do
		expect 400 POST "/whitelist/host/$n/event/e" '{"state":"ok"}' || { echo "name: $n"; false; }
		error
	done
	expect 201 POST /whitelist/host/::1/event/e '{"state":"ok"}'
	# A machine without /etc/hosts knows no localhost.
	n=localhost
	getent hosts $n >/dev/null || n=127.0.0.7
	expect 201 POST "/whitelist/host/$n/event/e" '{"state":"critical"}'
	expect 200 GET "/whitelist/host/$n"
	body '.["managed-flag"] == null and .["manual-flag"] == "off"'
	until_true 2 grep -qx ::1 "$T/whitelist"
	[ "$(grep -cx "$n" "$T/whitelist")" = 0 ]
}

# silent: PORT accepts no connection and refuses none, since its queue is full.
silent() {
	PORT_FILE=$T/silent.port
	perl -e 'use Socket; socket(L, PF_INET, SOCK_STREAM, 0); bind(L, sockaddr_in(0, inet_aton("127.0.0.1")));
		listen(L, 0); ($p) = sockaddr_in(getsockname(L)); use Fcntl;
		for (1 .. 4) { socket($s, PF_INET, SOCK_STREAM, 0); fcntl($s, F_SETFL, O_NONBLOCK);
			connect($s, sockaddr_in($p, inet_aton("127.0.0.1"))); push @s, $s; undef $s }
		open(F, ">", $ARGV[0]); print F "$p\n"; close(F); sleep 60' "$PORT_FILE" 3>&- &
	PIDS+=($!)
	until_true 5 test -s "$PORT_FILE"
	SILENT=$(cat "$PORT_FILE")
}

@test "new hosts: one that must be reachable answers, or refuses, but is not silent" {
	local shut open=$PORT
	silent
	shut=$(free_port)
	config "reachable = $open;"
	master
	expect 201 POST /whitelist/host/127.0.0.1/event/e '{"state":"ok"}'
	! grep -q : /proc/net/if_inet6 2>/dev/null || expect 201 POST /whitelist/host/::1/event/e '{"state":"ok"}'
	stops "$MASTER"
	config "reachable = ( $shut );"
	start master --config "$T/master.cfg"
	MASTER=$PID
	until_true 10 listens "$PORT"
	until_true 5 expect 201 POST /whitelist/host/127.0.0.2/event/e '{"state":"ok"}'
	config "reachable = $SILENT; reach-timeout = 0.5;"
	kill -HUP "$MASTER"
	heard master 'reloaded'
	until_true 5 expect 200 GET /whitelist/host/127.0.0.2
	expect 400 POST /whitelist/host/127.1/event/e '{"state":"ok"}'
	body ".error == \"not reachable: 127.0.0.1 port $SILENT: no answer in time\""
	expect 404 GET /whitelist/host/127.1
	# who is known already is not asked again, and a person may turn any host off
	expect 201 POST /whitelist/host/127.0.0.2/event/e '{"state":"critical"}'
	expect 201 POST /whitelist/host/host1/event/e '{"state":"critical"}'
	# others do not wait for it, and neither does the end
	config "reachable = $SILENT; reach-timeout = 30;"
	kill -HUP "$MASTER"
	until_true 5 said_times master 'reloaded' 2
	until_true 5 expect 200 GET /whitelist/host/host1
	asks POST /whitelist/host/127.1/event/e '{"state":"ok"}' >"$T/waits" &
	waits=$!
	until_true 5 reaches "$SILENT"
	curl -s --max-time 0.3 -o /dev/null -d '{"state":"ok"}' "$URL/whitelist/host/127.1/event/e" || true
	[ "$(curl -s --max-time 2 -o /dev/null -w '%{http_code}' "$URL/whitelist/all")" = 200 ]
	stops "$MASTER"
	wait $waits
	[ "$(cat "$T/waits")" = 503 ]
	said_times master 'POST 127.1: e: ok: 503, the whitelist stops' 2
	config 'reachable = "ssh";'
	run "$SATELLITE" --check --config "$T/master.cfg"
	[ "$status" = 1 ] && [[ $output == *'reachable: is not a port from 1 to 65535'* ]]
}

reaches() { ss -Hntp state syn-sent "dport = :$1" | grep -q "\"satellite\""; }

@test "figures of the cluster" {
	master
	expect 200 GET /metrics/snapshot
	body '. == {"num-available-hosts":5,"num-hosts-up":5,"prop-available-hosts":1}'
	expect 201 POST /whitelist/host/host1/event/e '{"state":"critical"}'
	expect 200 GET /metrics/snapshot
	body '.["num-hosts-up"] == 4 and .["prop-available-hosts"] == 0.8'
	until_true 5 index_has 'service = "mesos/num-hosts-up" and metric = 4'
	until_true 5 index_has 'service = "mesos/num-available-hosts" and metric = 5'
	until_true 5 index_has 'service = "mesos/prop-available-hosts" and metric = 0.8'
}

index_has() { [ "$(curl -sG --data-urlencode "query=$1" "$URL/index" | jq length)" -gt 0 ]; }

@test "a manual event ends with its ttl" {
	config 'resolve = false;'
	master
	# a minute is the shortest that a person can give, so this one is written as if an hour ago
	expect 201 POST /whitelist/host/host1/event/e '{"state":"critical","ttl":"1minute"}'
	until_true 2 file_is host2 host3 host4 host5
	stops "$MASTER"
	sqlite3 "$T/state/store.db" "UPDATE map SET value = replace(CAST(value AS TEXT), '\"ttl\":60', '\"ttl\":1')
		WHERE key = 'whitelist/host1'"
	start master --config "$T/master.cfg"
	until_true 5 file_is host1 host2 host3 host4 host5
	expect 200 GET /whitelist/host/host1
	body '.["manual-events"] == {} and .["manual-flag"] == null'
}

@test "a store that is lost: 503, and nothing is lost; then it goes on" {
	master
	expect 201 POST /whitelist/host/host1/event/e '{"state":"critical"}'
	until_true 2 file_is host2 host3 host4 host5
	stops "$MASTER"
	mv "$T/state/store.db" "$T/good.db"
	echo 'this is no database, and long enough to be read as one ......................................' >"$T/state/store.db"
	start master --config "$T/master.cfg"
	heard master 'store.db:'
	expect 503 GET /whitelist/all
	error
	expect 503 POST /whitelist/host/host2/event/e '{"state":"critical"}'
	error
	file_is host2 host3 host4 host5
	cp "$T/good.db" "$T/state/store.db.new" && mv "$T/state/store.db.new" "$T/state/store.db"
	heard master '5 hosts in the store, 4 on'
	expect 201 POST /whitelist/host/host2/event/e '{"state":"critical"}'
	until_true 2 file_is host3 host4 host5
}

@test "the log says once who wanted what, and what came of it" {
	master
	expect 201 POST /whitelist/host/host3/event/disk '{"state":"critical","ttl":"7day"}'
	said_times master 'POST host3: disk: critical for 604800 s: 201' 1
	expect 200 DELETE /whitelist/host/host3/event/disk
	said_times master 'DELETE host3: disk: 200' 1
	expect 400 POST /whitelist/host/host3/event/disk '{"state":"bad"}'
	said_times master 'POST host3: disk: 400, state: is neither "ok" nor "critical"' 1
	expect 404 DELETE /whitelist/host/nobody
	said_times master 'DELETE nobody: 404, not in the inventory' 1
	run "$SATELLITE" off no-such-host.invalid --config "$T/master.cfg"
	[ "$status" = 1 ] && [[ $output == 'no-such-host.invalid: no address: '* ]]
	said_times master 'POST no-such-host.invalid: operator: critical: 400, no address: ' 1
	said_times master 'host3' 5	# three of them here, two of its flips
	local i
	for i in $(seq 60); do
		expect 400 POST /whitelist/host/host1/event/e 'x'
	done
	[ "$(times master 'POST host1: e: 400, the body is not a JSON object')" -le 40 ]
}

@test "the same by command" {
	master
	run "$SATELLITE" off host4 --reason 'bad fan' --ttl 2day --config "$T/master.cfg"
	[ "$status" = 0 ] && [ "$output" = 'host4: off' ]
	expect 200 GET /whitelist/host/host4
	body '.["manual-events"].operator | .description == "bad fan" and .ttl == 172800'
	run "$SATELLITE" hosts off --config "$T/master.cfg"
	[ "$status" = 0 ] && [[ $output == *host4*'a person said so, '*', until 20'*'Z: bad fan'* ]]
	run "$SATELLITE" on host4 --config "$T/master.cfg"
	[ "$status" = 0 ] && [ "$output" = 'host4: on' ]
	run "$SATELLITE" on host4 --ttl soon --config "$T/master.cfg"
	[ "$status" != 0 ]
	run "$SATELLITE" forget host4 --config "$T/master.cfg"
	[ "$status" = 0 ] && [ "$output" = 'host4: forgotten' ]
	run "$SATELLITE" forget host4 --config "$T/master.cfg"
	[ "$status" != 0 ]
	expect 404 GET /whitelist/host/host4
}
