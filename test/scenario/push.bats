#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# push - who follows the index over WebSocket, SSE or `satellite watch` sees each update once; events come in, too.
# takes: 55 s

load common

setup() {
	common_setup
	HTTP=$(free_port)
	PORT=$(free_port)
	URL=http://127.0.0.1:$HTTP
}
teardown() { common_teardown; }

# master [SETTINGS] [STREAMS]
master() {
	cat >"$T/master.cfg" <<-END
		role = "master";
		state-dir = "$T/state";
		http = { port = $HTTP; };
		modules = ( "riemann" );
		riemann = { port = $PORT; };
		${1:-}
		streams = ( ${2:-\"index\"} );
	END
	mkdir -p "$T/state"
	start master --config "$T/master.cfg"
	MASTER=$PID
	until_true 10 listens "$HTTP"
	until_true 10 listens "$PORT"
}

sat() { "$SATELLITE" --state-dir "$T/state" "$@"; }

# background NAME COMMAND...: its output in $T/NAME; PID.
background() {
	local name=$1
	shift
	"$@" >"$T/$name" 2>"$T/$name.err" 3>&- &
	PID=$!
	PIDS+=("$PID")
}

# frame TEXT: a client's WebSocket frame; its mask of zeroes changes nothing.
frame() {
	if [ ${#1} -lt 126 ]; then
		printf "\\x81\\x$(printf %02x $((128 + ${#1})))\\0\\0\\0\\0"
	else
		printf "\\x81\\xfe\\x$(printf %02x $((${#1} >> 8)))\\x$(printf %02x $((${#1} & 255)))\\0\\0\\0\\0"
	fi
	printf %s "$1"
}

# socket PATH [TEXT…]: say these in a WebSocket, then listen until it is closed, or for 20 s.
socket() {
	local path=$1 t
	shift
	{
		printf 'GET %s HTTP/1.1\r\nHost: 127.0.0.1:'"$HTTP"'\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n' "$path"
		printf 'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n'
		printf '%s\r\n' ${ORIGIN:+"Origin: $ORIGIN"} ''
		for t; do frame "$t"; done
		sleep "${STAY:-20}"
	} 2>/dev/null | timeout 20 socat -t 1 - "TCP:127.0.0.1:$HTTP"
}
SSE=(curl -sN --max-time 20 -H 'Accept: text/event-stream')
events_of() { perl -0777 -ne 'print "$_\n" for /\{"host":[^}]*\}/g' "$T/$1"; }
metrics_of() { events_of "$1" | jq -r .metric; }
has() { grep -aqF -- "$2" "$T/$1"; }
counter() { get "$URL/status" | jq -r ".instances[] | select(.name == \"push\").counters[\"$1\"]"; }
counted() { [ "$(counter "$1")" = "$2" ]; }
send() { sat send --host "$1" --service "$2" --metric "$3" "${@:4}"; }

# storm FROM TO: events h storm with these metrics, ten each millisecond; the answers are read, too.
storm() {
	perl -e '$| = 1; for $i ($ARGV[0] .. $ARGV[1]) {
		$z = 2 * $i; $v = ""; while ($z > 127) { $v .= chr($z & 127 | 128); $z >>= 7 } $v .= chr $z;
		$e = "\x08\x05\x1a\x05storm\x22\x01h\x45\0\0\x7a\x44\x68$v"; $m = "\x32" . chr(length $e) . $e;
		print pack("N", length $m), $m; select undef, undef, undef, .001 unless $i % 10 }' "$1" "$2" |
		timeout 30 socat -t 10 - "TCP:127.0.0.1:$PORT" >/dev/null
}

@test "a WebSocket gets what is there, then what comes; without subscribe it is closed" {
	master
	send a cpu 1 --ttl 100 --tag prod --attribute rack=7
	send b cpu 2
	STAY=5 socket '/index?query=service%20%3D%20%22cpu%22' >"$T/once"
	[ "$(events_of once | jq -r .host | tr '\n' ' ')" = 'a b ' ]
	[ "$(events_of once | head -1 | jq -c '[.metric, .ttl, .tags, .rack, .state, .description]')" = '[1,100,["prod"],"7",null,null]' ]
	events_of once | head -1 | jq -re .time | grep -qE '^20..-..-..T..:..:..\.[0-9]{3}Z$'
	tail -c 4 "$T/once" | od -An -tx1 | grep -q '88 02 03 e8'
	background live socket '/index?subscribe=true&query=metric%20%3E%201'
	until_true 5 has live '"host":"b"'
	send a cpu 0
	send a cpu 3
	send b cpu 4 --state expired
	until_true 5 has live '"state":"expired"'
	[ "$(metrics_of live | tr '\n' ' ')" = '2 3 4 ' ]
	counted watchers 1
	[ "$(socket '/index?query=host%20%3D' | head -1)" = $'HTTP/1.1 400 Bad Request\r' ]
	stops "$MASTER"
}

@test "SSE, for who accepts it; others get the index as before" {
	master
	send a cpu 1
	background sse "${SSE[@]}" -D "$T/head" -G "$URL/index" --data-urlencode 'query=service = "cpu"'
	until_true 5 has sse 'data: {"host":"a"'
	send b cpu 2
	send b memory 3
	send c cpu 4
	until_true 5 has sse '"host":"c"'
	[ "$(grep -c '^data: ' "$T/sse")" = 3 ]
	[ "$(metrics_of sse | tr '\n' ' ')" = '1 2 4 ' ]
	grep -qi '^content-type: text/event-stream' "$T/head"
	[ "$(get -H 'Accept: */*' "$URL/index" | jq length)" = 4 ]
	kill "$PID"
	send d cpu 5
	nobody() { send d cpu 6; counted watchers 0; }
	until_true 5 nobody
	stops "$MASTER"
}

@test "each update of a storm is seen once, by whoever comes in the middle of it" {
	master
	for i in $(seq 300); do printf '{"host":"h%d","service":"still","metric":0}\n' "$i"; done |
		get -T - "$URL/events" >"$T/replies"
	[ "$(sort "$T/replies" | uniq -c | tr -s ' ')" = ' 300 {}' ]
	storm 1 15000 3>&- &
	local storming=$!
	for i in 1 2 3; do
		background "ws$i" socket '/index?subscribe=true&query=true'
		background "sse$i" "${SSE[@]}" "$URL/index"
		background "cli$i" "$SATELLITE" --state-dir "$T/state" watch 'true'
		for _ in 1 2 3; do get "$URL/index" >/dev/null; done
	done
	wait "$storming"
	storm 15001 15001
	for name in ws1 ws2 ws3 sse1 sse2 sse3 cli1 cli2 cli3; do
		until_true 15 has "$name" '"metric":15001'
		events_of "$name" >"$T/events"
		[ "$(grep -c '"still"' "$T/events")" = 300 ]
		grep '"storm"' "$T/events" | jq .metric >"$T/metrics"
		first=$(head -1 "$T/metrics")
		echo "$name: from $first"
		diff "$T/metrics" <(seq "$first" 15001)
		[ "$first" -lt 15001 ]
	done
	stops "$MASTER"
}

@test "a large index is given in slices, each entry once, while updates go on" {
	master
	"$BUILD/test/bench/load" "$PORT" 1 64 100 100000 2 >/dev/null
	all_there() { [ "$(get "$URL/status" | jq .index)" -ge 100000 ]; }
	until_true 20 all_there
	storm 1 5000 3>&- &
	local storming=$!
	background sse "${SSE[@]}" "$URL/index"
	background cli "$SATELLITE" --state-dir "$T/state" watch 'true'
	for _ in 1 2; do
		get "$URL/index" | jq -r '.[] | .host + "/" + .service' >"$T/got"
		[ "$(grep -vc 'h/storm' "$T/got")" = 100000 ]
		[ "$(sort "$T/got" | uniq -d)" = "" ]
	done
	wait "$storming"
	storm 5001 5001
	for name in sse cli; do
		until_true 15 has "$name" '"metric":5001'
		whole() { [ "$(grep -vc '"storm"' <(events_of "$name"))" -ge 100000 ]; }
		until_true 15 whole
		events_of "$name" | grep '"storm"' | jq 'select(.state != "expired").metric' >"$T/metrics"
		diff "$T/metrics" <(seq "$(head -1 "$T/metrics")" 5001)
		events_of "$name" | grep -v '"storm"' | jq -r '.host + "/" + .service' | sort >"$T/got"
		[ "$(wc -l <"$T/got")" = 100000 ]
		[ "$(uniq -d "$T/got")" = "" ]
	done
	stops "$MASTER"
}

@test "who does not read is let go, and holds up nobody" {
	master 'push = { queue = 100000; max-watchers = 2; };'
	exec 5<>"/dev/tcp/127.0.0.1/$HTTP"
	printf 'GET /index HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n' >&5
	background good "${SSE[@]}" "$URL/index"
	until_true 5 counted watchers 2
	[ "$(status_of -H 'Accept: text/event-stream' "$URL/index")" = 503 ]
	long=$(printf '%03000d' 0)
	for n in $(seq 30); do
		for i in $(seq 100); do printf '{"host":"h","service":"s","metric":%d,"description":"%s"}\n' $((100 * n + i)) "$long"; done |
			get -T - "$URL/events" >/dev/null
	done
	until_true 10 counted slow 1
	heard master 'is too slow a reader of /index, and is let go'
	until_true 10 counted watchers 1
	until_true 10 has good '"metric":3100'
	[ "$(metrics_of good)" = "$(seq 101 3100)" ]
	exec 5>&-
	stops "$MASTER"
}

@test "events come in: a line or a message each, one answer each" {
	master
	printf '%s\n' '{"host":"l1","service":"s","metric":1.5,"time":"2099-01-22T02:18:21.003Z","ttl":0.1,"zone":"x"}' \
		'{"host":' '' '[1]' '{"host":"l2","service":"s","time":4070908800}' >"$T/lines"
	get -X PUT --data-binary "@$T/lines" "$URL/events" >"$T/replies"
	[ "$(wc -l <"$T/replies")" = 4 ]
	[ "$(sed -n '1p;4p' "$T/replies" | tr '\n' ' ')" = '{} {} ' ]
	[ "$(sed -n '2,3p' "$T/replies" | jq -r '.error | length > 0' | tr '\n' ' ')" = 'true true ' ]
	get "$URL/index" >"$T/index"
	[ "$(jq -c '.[0] | [.host, .metric, .time, .ttl, .zone]' "$T/index")" = '["l1",1.5,"2099-01-22T02:18:21.003Z",0.1,"x"]' ]
	[ "$(status_of -X POST --data-binary '{"host":"l3","service":"s"}' "$URL/events")" = 200 ]
	[ "$(status_of "$URL/events")" = 400 ]
	STAY=1 socket /events '{"host":"w1","service":"s","metric":1}' 'nonsense' '{"host":"w2","service":"s"}' >"$T/ws"
	[ "$(grep -ao '{}' "$T/ws" | wc -l)" = 2 ]
	grep -aqE '\{"error": "' "$T/ws"
	[ "$(get "$URL/index" | jq -c 'map(.host)')" = '["l1","l2","l3","w1","w2"]' ]
	# More at once than wait for the loop: none is lost.
	for i in $(seq 1000); do echo "{\"host\":\"many\",\"service\":\"$i\"}"; done >"$T/many"
	mapfile -t many <"$T/many"
	STAY=3 socket /events "${many[@]}" >"$T/ws"
	[ "$(grep -ao '{}' "$T/ws" | wc -l)" = 1000 ]
	[ "$(get -G "$URL/index" --data-urlencode 'query=host = "many"' | jq length)" = 1000 ]
	stops "$MASTER"
}

@test "pages of another origin change nothing, unless they are named" {
	master
	event='{"host":"o","service":"s"}'
	foreign() { status_of -H 'Origin: http://evil.example' "$@"; }
	[ "$(foreign -X POST --data "$event" "$URL/events")" = 403 ]
	[ "$(foreign -X PUT --data "$event" "$URL/events")" = 403 ]
	[ "$(status_of -H 'Origin: null' --data "$event" "$URL/events")" = 403 ]
	ORIGIN=http://evil.example STAY=1 socket /events "$event" >"$T/ws"
	head -1 "$T/ws" | grep -q ' 403 '
	[ "$(get "$URL/index")" = '[]' ]
	[ "$(status_of -H "Origin: $URL" --data "$event" "$URL/events")" = 200 ]
	ORIGIN=$URL STAY=1 socket /events "$event" >"$T/ws"
	head -1 "$T/ws" | grep -q ' 101 '
	# Reading is free, and what is named is as good as ours, as soon as it is named.
	ORIGIN=http://dash.example:4567 STAY=5 socket '/index?query=true' >"$T/dash"
	has dash '"host":"o"'
	sed -i 's|http = {|& origins = ( "http://evil.example", "http://dash.example:4567" );|' "$T/master.cfg"
	kill -HUP "$MASTER"
	heard master reloaded
	[ "$(foreign --data "$event" "$URL/events")" = 200 ]
	[ "$(status_of -H 'Origin: http://other.example' --data "$event" "$URL/events")" = 403 ]
	sed -i 's|http://evil.example|evil.example|' "$T/master.cfg"
	run "$SATELLITE" --check --config "$T/master.cfg"
	[ "$status" != 0 ]
	[[ $output == *'http.origins[0]: "evil.example" is not like'* ]]
	stops "$MASTER"
}

@test "satellite send and watch" {
	master
	background watch "$SATELLITE" --state-dir "$T/state" watch 'service =~ "disk%"'
	until_true 5 counted watchers 1
	sat send --service 'disk /' --metric 0.5 --state warning --description 'half "full"' --time 4070908800 --tag a --tag b
	sat send '{"host": "j", "service": "disk /var", "metric": 7}'
	until_true 5 has watch '"j"'
	[ "$(head -1 "$T/watch" | jq -c '[.service, .metric, .state, .description, .tags, .time]')" = \
		'["disk /",0.5,"warning","half \"full\"",["a","b"],"2099-01-01T00:00:00.000Z"]' ]
	[ "$(head -1 "$T/watch" | jq -r .host)" != null ]
	[ "$(sed -n 2p "$T/watch" | jq -r .metric)" = 7 ]
	for wrong in '' '--metric 5' '--service' '--service a --service b' '--servic x' '--service a --attribute x'; do
		# shellcheck disable=SC2086
		run sat send $wrong
		[ "$status" = 2 ]
		[[ $output == usage:* ]]
	done
	run sat send --service s --metric much
	[ "$status" = 1 ]
	run sat watch 'service ='
	[ "$status" = 1 ]
	[[ $output == *'at character 10'* ]]
	run sat watch
	[ "$status" = 2 ]
	kill "$PID"
	until_true 5 counted watchers 0
	stops "$MASTER"
}

@test "a reload that does not name it leaves watchers alone; at the end they are told" {
	master
	background sse "${SSE[@]}" "$URL/index"
	background watch "$SATELLITE" --state-dir "$T/state" watch true
	until_true 5 counted watchers 2
	sed -i 's/^streams.*/streams = ( "index", { where = "false"; do = ( "index" ); } );/' "$T/master.cfg"
	kill -HUP "$MASTER"
	heard master 'reloaded' || heard master 'configuration'
	send a cpu 1
	until_true 5 has sse '"a"'
	until_true 5 has watch '"a"'
	stops "$MASTER"
	until_true 5 gone "$PID"
}
