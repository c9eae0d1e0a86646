#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# http.bats - the doors for people: the HTTP port, the control socket, and the commands that use them.
# takes: 50 s

load common

setup() {
	common_setup
	PORT=$(free_port)
	HTTP=$(free_port)
	URL=http://127.0.0.1:$HTTP
	cat >"$T/m.cfg" <<-EOF
		role = "master";
		host = "m1";
		state-dir = "$T/m";
		leader = "always";
		http = { port = $HTTP; };
		modules = ( "riemann" );
		riemann = { port = $PORT; };
		streams = ( "index" );
	EOF
}

teardown() { common_teardown; }

up() { start m --config "$T/m.cfg" && heard m "runs on m1" && M=$PID; }
control() { curl -sS --max-time 10 --unix-socket "$T/m/control" "$@"; }
command() { "$SATELLITE" "$@" --state-dir "$T/m"; }
send() { riemann-client send -h "$1" -S "$2" -s "${3:-ok}" -i 1 -L 300 127.0.0.1 "$PORT" >/dev/null; }
# raw TEXT: send it as it is, print what comes back.
raw() { printf "$1" | timeout 20 socat -t 10 - "TCP:127.0.0.1:$HTTP"; }
# fails PID: it ends by itself, with status 1.
fails() {
	local status=0
	ends "$1" || status=$?
	[ "$status" = 1 ]
}
answers() { [ "$(status_of "$1")" = 200 ]; }
# half TEXT: a connection that stays, with this much of a request sent.
half() {
	local fd
	exec {fd}<>"/dev/tcp/127.0.0.1/$HTTP"
	printf "$1" >&"$fd"
}

@test "the host's own pages answer, each with its type" {
	up
	[ "$(get "$URL/healthz")" = '{"ok": true}' ]
	[ "$(get "$URL/readyz")" = '{"ok": true}' ]
	[ "$(get "$URL/index")" = '[]' ]
	get "$URL/status" | jq -e '.version and .host == "m1" and .acting and .ready and (.instances | length) > 1'
	get "$URL/command" | jq -e 'type == "array"'
	get -D "$T/head" "$URL/" | grep -q '<h1>Satellite'
	grep -qi '^content-type: text/html' "$T/head"
	get -D "$T/head" -o /dev/null "$URL/index"
	grep -qi '^content-type: application/json' "$T/head"
	stops "$M"
}

@test "methods: HEAD, OPTIONS, and 405 with Allow" {
	up
	get -I "$URL/healthz" | tr -d '\r' >"$T/head"
	grep -q '^HTTP/1.1 200' "$T/head"
	grep -q '^Content-Length: 13' "$T/head"
	[ "$(get -X OPTIONS -o /dev/null -w '%{http_code}' "$URL/healthz")" = 204 ]
	get -X DELETE -i "$URL/healthz" | tr -d '\r' >"$T/head"
	grep -q '^HTTP/1.1 405' "$T/head"
	grep -q '^Allow: GET, HEAD, OPTIONS$' "$T/head"
	tail -n 1 "$T/head" | jq -e .error
	[ "$(status_of -X BREW "$URL/healthz")" = 400 ]
	for at in "$URL" "--unix-socket $T/m/control http://x"; do
		get -i -X OPTIONS --request-target '*' $at | tr -d '\r' >"$T/head"
		grep -q '^HTTP/1.1 204' "$T/head"
		grep -q '^Allow: .*GET, HEAD.*, OPTIONS$' "$T/head"
	done
}

@test "a path is taken as it came: encoded, doubled, dotted, cut off" {
	up
	for bad in '/a%00' '/a%2fb' '/a%2Fb' '/healthz%0a' '/%' '/%zz' '/%1' '/a%7fb'; do
		[ "$(status_of --path-as-is "$URL$bad")" = 400 ] || { echo "$bad"; false; }
	done
	for none in '//healthz' '/healthz/' '/../healthz' '/./healthz' '/healthz%20' '/nope' '/index%3fquery=true'; do
		[ "$(status_of --path-as-is "$URL$none")" = 404 ] || { echo "$none"; false; }
	done
	[ "$(get --path-as-is "$URL/%68ealthz?x=%2f")" = '{"ok": true}' ]
	[ "$(status_of "$URL/index?query=%00")" = 400 ]
	get "$URL/nope" | jq -e '.error == "there is no such path"'
}

@test "what is no request gets an error, and the next one is served" {
	up
	raw 'GET /\r\n\r\n' | grep -q '^HTTP/1.1 400'
	raw '\026\003\001\002\r\n\r\n' | grep -q '^HTTP/1.1 400'
	raw 'GET /healthz HTTP/9.9\r\n\r\n' | grep -qE '^HTTP/1.1 (400|505)'
	raw "GET /healthz HTTP/1.1\r\nX: $(printf 'a%.0s' {1..20000})\r\n\r\n" | grep -qE '^HTTP/1.1 4'
	raw '\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n' | grep -q '^HTTP/1.1 200'
	printf '\r\nGET /healthz HTTP/1.1\r\n\r\n' | timeout 20 socat -t 10 - "UNIX:$T/m/control" |
		grep -q '^HTTP/1.1 200'
	raw "GET $URL/healthz HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n" | grep -q '^HTTP/1.1 200'
	[ "$(status_of "$URL/healthz")" = 200 ]
}

@test "a body over 1 MiB is 413, however it comes" {
	up
	head -c 1048577 /dev/zero >"$T/large"
	[ "$(status_of --data-binary "@$T/large" "$URL/command/x")" = 413 ]
	[ "$(status_of -H 'Expect:' --data-binary "@$T/large" "$URL/command/x")" = 413 ]
	[ "$(status_of -H 'Transfer-Encoding: chunked' --data-binary "@$T/large" "$URL/command/x")" = 413 ]
	[ "$(control -o /dev/null -w '%{http_code}' -H 'Expect:' --data-binary "@$T/large" http://x/command/x)" = 413 ]
	head -c 1048576 /dev/zero >"$T/large"
	[ "$(status_of --data-binary "@$T/large" "$URL/command/x")" = 400 ]
}

@test "64 half-sent requests do not keep /healthz from answering" {
	up
	for _ in {1..64}; do half 'GET /healthz HT'; done
	[ "$(get --max-time 2 "$URL/healthz")" = '{"ok": true}' ]
	for _ in {1..60}; do half 'POST /command/x HTTP/1.1\r\nContent-Length: 100\r\n\r\nabc'; done
	until_true 20 answers "$URL/healthz"
	stops "$M"
}

@test "/index: queries, their mistakes, and an answer of many slices" {
	up
	for i in {1..700}; do send "h$((i % 7))" "s$i"; done
	get "$URL/index" >"$T/all"
	jq -e 'length == 700' "$T/all"
	control http://x/index | jq -e 'length == 700'
	command query true | jq -e 'length == 700'
	[ "$(get -G --data-urlencode 'query=host = "h3" and service = "s3"' "$URL/index" | jq -r '.[].service')" = s3 ]
	get -G --data-urlencode 'query=service = ' "$URL/index" | jq -e '.error | test("at character")'
	[ "$(status_of -G --data-urlencode 'query=service = ' "$URL/index")" = 400 ]
}

@test "the commands: status, query, healthz, and what nobody knows" {
	up
	run command status
	echo "$output"
	[ "$status" = 0 ]
	[[ ${lines[0]} == "satellite "*" on m1, acting, ready, up 0 d 00:00:"* ]]
	[[ $output == *"riemann"* ]]
	command status --json | jq -e '.host == "m1"'
	[ "$(command healthz)" = '{"ok": true}' ]
	send h1 cpu critical
	command query 'state = "critical"' | jq -e '.[0].host == "h1"'
	run command query 'state ='
	[ "$status" = 1 ]
	[[ $output == "satellite: query: at character"* ]]
	run command frobnicate
	[ "$status" = 2 ]
	[[ $output == *'there is no command "frobnicate"'*"commands:"*"query QUERY"* ]]
	run command status --frob
	[ "$status" = 2 ]
	stops "$M"
}

@test "--url reaches it over TCP, and says what it cannot do" {
	up
	[ "$("$SATELLITE" healthz --url "$URL")" = '{"ok": true}' ]
	"$SATELLITE" status --json --url "$URL" | jq -e '.host == "m1"'
	run "$SATELLITE" status --url https://127.0.0.1
	[ "$status" = 2 ]
	[[ $output == *"TLS is not spoken here"* ]]
	run "$SATELLITE" status --url ftp://x
	[ "$status" = 2 ]
	stops "$M"
	run "$SATELLITE" status --url "$URL"
	[ "$status" = 3 ]
	[[ $output == *"Connection refused"* ]]
	run command status
	[ "$status" = 3 ]
	[[ $output == *"no satellite runs there"* ]]
}

@test "the control socket is its own, and only its group's" {
	up
	[ "$(stat -c %a "$T/m/control")" = 660 ]
	[ "$(control http://x/healthz)" = '{"ok": true}' ]
	kill -KILL "$M"
	until_true 5 gone "$M"
	[ -S "$T/m/control" ]
	start again --config "$T/m.cfg"
	heard again "runs on m1"
	M=$PID
	[ "$(control http://x/healthz)" = '{"ok": true}' ]
	stops "$M"
	[ ! -e "$T/m/control" ]
}

@test "a port in use refuses the start, and a reload" {
	up
	sed "s|$T/m\"|$T/n\"|; s/port = $PORT/port = $(free_port)/" "$T/m.cfg" >"$T/n.cfg"
	start n --config "$T/n.cfg"
	fails "$PID"
	grep -q "Address already in use" "$T/n.log"
	OTHER=$(free_port)
	sed -i "s/port = $HTTP/port = $OTHER/" "$T/m.cfg"
	kill -HUP "$M"
	heard m "reloaded"
	until_true 10 answers "http://127.0.0.1:$OTHER/healthz"
	until_true 10 eval '! listens "$HTTP"'
	sed -i "s/port = $OTHER/port = $PORT/" "$T/m.cfg"
	kill -HUP "$M"
	heard m "reload refused"
	[ "$(get "http://127.0.0.1:$OTHER/healthz")" = '{"ok": true}' ]
	stops "$M"
}

@test "an IPv6 address will do" {
	[ -e /proc/net/if_inet6 ] && grep -q '^0*1 ' /proc/net/if_inet6 || skip "no ::1 here"
	sed -i 's/http = {/http = { host = "::1";/' "$T/m.cfg"
	up
	said m "http://[::1]:$HTTP/"
	[ "$(get "http://[::1]:$HTTP/healthz")" = '{"ok": true}' ]
	stops "$M"
}

@test "neither civetweb nor libcurl is linked into the executable" {
	run ldd "$SATELLITE"
	[ "$status" = 0 ]
	[[ ! $output =~ civetweb|curl|libssl|sqlite ]]
}

# plays: a server on $HTTP that hears a request out and answers with $T/answer, whatever it was.
plays() {
	socat "TCP-LISTEN:$HTTP,reuseaddr,fork" SYSTEM:"timeout 0.2 cat >/dev/null; cat $T/answer" 3>&- &
	PIDS+=("$!")
	until_true 5 listens "$HTTP"
}

# says ANSWER ARGS…: what the command line makes of it.
says() {
	printf "$1" >"$T/answer"
	shift
	run "$SATELLITE" "$@" --url "$URL"
	echo "$status: $output"
}

@test "a command's exit status and text, and answers that are none" {
	plays
	says 'HTTP/1.1 200 OK\r\nX-Exit-Status: 4\r\nContent-Length: 5\r\n\r\nwhy\n\n' on h1
	[ "$status" = 4 ]
	[ "$("$SATELLITE" on h1 --url "$URL" 2>/dev/null)" = "" ]
	says 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n2\r\n\0003\r\n0\r\n\r\n' watch x
	[ "$status" = 3 ]
	[ "$output" = hello ]
	says 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n' watch x
	[ "$status" = 0 ]
	says 'HTTP/1.1 503 No\r\n\r\n{"error": "the store is away"}\n' on h1
	[ "$status" = 1 ]
	[ "$output" = "satellite: the store is away" ]
	says 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel' watch x
	[ "$status" = 3 ]
	[[ $output == *"the answer is cut off"* ]]
	says 'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhel' status
	[ "$status" = 3 ]
	says 'garbage\r\n\r\n' status
	[ "$status" = 3 ]
	says '' status
	[ "$status" = 3 ]
	says 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 7\r\n\r\n{"a": [' status
	[ "$status" = 1 ]
	[ "$output" = "satellite: $URL: the answer makes no sense" ]
	# A label's name that is longer than any.
	long=$(printf '%9000s' '' | tr ' ' a)
	body='{"version": "1", "instances": [{"name": "x", "module": "x", "figures": {"f{'$long'=b}": 7, "{": 8}}]}'
	says "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${#body}\r\n\r\n$body" status
	[ "$status" = 0 ]
	[[ $output == *"aaa f=7"* ]]
}

@test "what answers and is no satellite is told from one, and nothing of it is printed" {
	plays
	for c in 'status' 'status --json' 'query true' 'healthz' 'watch true' 'send --service x' 'on h1'; do
		for s in 200 301 404 502; do
			says "HTTP/1.1 $s So\r\nContent-Type: text/html\r\nContent-Length: 9\r\n\r\n<html>\033[m" $c
			[ "$status" = 3 ]
			[ "$output" = "satellite: $URL: no satellite answers there, but something else, with status $s" ]
		done
	done
	says 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nOK' healthz
	[ "$status" = 3 ]
	says 'HTTP/1.1 404 No\r\nContent-Length: 20\r\n\r\n{"message": "nope"}\n' on h1
	[ "$status" = 3 ]
	says 'SSH-2.0-OpenSSH_9.2\r\n' status
	[ "$status" = 3 ]
	[ "$output" = "satellite: $URL: what it answers is no HTTP" ]
}

@test "a URL that cannot be one, and an output that takes nothing" {
	for url in http:// http://x:0 http://x:65536 http://x:5001x 'http://[::1' 'http://[::1]5001' 'http://x/path' \
		http://x:5001/path x:5001; do
		run "$SATELLITE" status --url "$url"
		[ "$status" = 2 ] || { echo "$url: $status"; false; }
		[ "$output" = "satellite: $url: is not http://HOST:PORT" ]
	done
	up
	[ "$("$SATELLITE" healthz --url "HTTP://127.0.0.1:$HTTP/")" = '{"ok": true}' ]
	for c in status 'status --json' 'query true' healthz; do
		run bash -c "'$SATELLITE' $c --url $URL 2>&1 >/dev/full"
		[ "$status" = 1 ]
		[ "$output" = "satellite: standard output: No space left on device" ]
	done
	stops "$M"
}

@test "nobody waits longer than 30 seconds for an answer, or to be let in" {
	python3 - "$HTTP" "$PORT" "$T/m" <<-'END' 3>&- &
		import os, socket, sys, time
		os.makedirs(sys.argv[3])
		mute, full, unix = socket.socket(), socket.socket(), socket.socket(socket.AF_UNIX)
		full.bind(("127.0.0.1", int(sys.argv[2])))
		unix.bind(sys.argv[3] + "/control")
		full.listen(0)
		unix.listen(0)
		held = []
		for where in [("127.0.0.1", int(sys.argv[2])), sys.argv[3] + "/control"] * 3:
		    s = socket.socket(socket.AF_UNIX if isinstance(where, str) else socket.AF_INET)
		    s.setblocking(False)
		    s.connect_ex(where)
		    held.append(s)
		mute.bind(("127.0.0.1", int(sys.argv[1])))
		mute.listen(9)
		time.sleep(120)
	END
	PIDS+=("$!")
	until_true 5 listens "$HTTP"
	began=$SECONDS
	waits=()
	asked() { local s=0; "$SATELLITE" "${@:2}" >"$T/$1.out" 2>&1 || s=$?; echo "$s" >>"$T/$1.out"; }
	asked query query true --url "$URL" 3>&- & waits+=($!)
	asked watch watch true --url "$URL" 3>&- & waits+=($!)
	asked send send --service x --url "$URL" 3>&- & waits+=($!)
	asked full status --url "http://127.0.0.1:$PORT" 3>&- & waits+=($!)
	asked unix status --state-dir "$T/m" 3>&- & waits+=($!)
	wait "${waits[@]}"
	[ $((SECONDS - began)) -lt 90 ]
	for f in query watch send; do
		[ "$(cat "$T/$f.out")" = "satellite: $URL: no answer within 30 seconds"$'\n3' ] || { cat "$T/$f.out"; false; }
	done
	[ "$(cat "$T/full.out")" = "satellite: http://127.0.0.1:$PORT: no answer within 30 seconds"$'\n3' ]
	[ "$(cat "$T/unix.out")" = "satellite: $T/m/control: no answer within 30 seconds"$'\n3' ]
}
