#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# hostile.bats - bytes and connections that mean no good: all of it is counted, memory stays bounded, others are served.
# takes: 60 s

load common

setup_file() { "$BATS_TEST_DIRNAME/../certs.sh" "$BATS_FILE_TMPDIR/certs"; }
setup() {
	common_setup
	CERTS=$BATS_FILE_TMPDIR/certs
	PORT=$(free_port)
	TLS=$(free_port)
	HTTP=$(free_port)
	LIMIT=1000
}
teardown() { common_teardown; }

door() {
	cat >"$T/master.cfg" <<-END
		role = "master";
		state-dir = "$T/state";
		memory-max = ${MEMORY:-268435456};
		http = { port = $HTTP; };
		modules = ( "riemann" );
		riemann = { port = $PORT; ${1:-frame-limit = $LIMIT;}
			tls = { port = $TLS; cert = "$CERTS/server.crt"; key = "$CERTS/server.key"; verify = false; }; };
		streams = ( "index" );
	END
	mkdir -p "$T/state"
	start master --config "$T/master.cfg"
	until_true 10 listens "$TLS"
	until_true 10 listens "$HTTP"
	before=$(rss)
}

rss() { awk '/^VmRSS/ { print $2 }' "/proc/$PID/status"; }
peak() { awk '/^VmHWM/ { print $2 }' "/proc/$PID/status"; }
files() { ls "/proc/$PID/fd" | wc -l; }
counter() { get --unix-socket "$T/state/control" http://localhost/status | jq -r ".instances[] | select(.name == \"riemann\").counters[\"$1\"]"; }
counted() { [ "$(counter "$1")" = "$2" ]; }
number() { printf "\\$(printf %03o $(($1 >> 24 & 255)))\\$(printf %03o $(($1 >> 16 & 255)))\\$(printf %03o $(($1 >> 8 & 255)))\\$(printf %03o $(($1 & 255)))"; }

# varint N; field NUMBER FILE: as protobuf has it, a field of bytes.
varint() {
	local n=$1
	while [ "$n" -ge 128 ]; do printf "\\$(printf %03o $((n & 127 | 128)))"; n=$((n >> 7)); done
	printf "\\$(printf %03o "$n")"
}
field() { varint $(($1 << 3 | 2)); varint "$(wc -c <"$2")"; cat "$2"; }
# framed FILE…: each with its length in front.
framed() { local f; for f; do number "$(wc -c <"$f")"; cat "$f"; done; }
# event BYTES: an event whose description is so long that the message has that many; from 140 to 16,000.
event() {
	head -c $(($1 - 6)) /dev/zero | tr '\0' d >"$T/text"
	field 5 "$T/text" >"$T/event"
	field 6 "$T/event"
}
ask() { printf '%s' "$1" >"$T/words"; field 1 "$T/words" >"$T/query"; field 5 "$T/query" >"$T/ask"; framed "$T/ask"; }

tcp() { timeout 20 socat -t 10 - "TCP:127.0.0.1:$PORT"; }
tls() { timeout 20 socat -t 10 - "OPENSSL:127.0.0.1:$TLS,cafile=$CERTS/ca.crt,commonname=localhost,no-sni"; }
hex() { od -An -v -tx1 | tr -d ' \n'; }
words() { tr -c '[:print:]' '.'; }
OK=000000021001
well() { [ "$(printf '\0\0\0\0' | tcp | hex)" = $OK ] && [ "$(status_of "http://127.0.0.1:$HTTP/healthz")" = 200 ]; }
# fine: as before, but for so many KiB.
fine() { well && { [ -n "${SAN:-}" ] || [ $(($(rss) - before)) -lt "$1" ]; } && runs "$PID"; }

@test "frames of 0, 1, limit and limit+1 bytes, over TCP and TLS" {
	door
	event $LIMIT >"$T/most"
	event $((LIMIT + 1)) >"$T/more"
	[ "$(wc -c <"$T/most")" = $LIMIT ]
	[ "$(wc -c <"$T/more")" = $((LIMIT + 1)) ]
	for way in tcp tls; do
		[ "$(printf '\0\0\0\0' | $way | hex)" = $OK ]
		for byte in '\0' '\x08' '\x10' '\x32' '\x80' '\xff'; do
			[[ $({ number 1; printf "$byte"; } | $way | words) == *'malformed message' ]]
		done
		[ "$(framed "$T/most" "$T/most" | $way | hex)" = $OK$OK ]
		[[ $(framed "$T/most" "$T/more" "$T/most" | $way | words) == *"frame of 1001 bytes is over the limit of 1000" ]]
		for n in $((LIMIT + 1)) $((1 << 24)) $((1 << 31)) $(((1 << 32) - 4)) $(((1 << 32) - 1)); do
			[[ $(number "$n" | $way | words) == *"over the limit"* ]]
		done
	done
	counted too-large 12
	counted malformed 12
	fine 4096
	stops "$PID"
}

# errs SECONDS [tls]: a client that goes on writing for so long after a frame over the limit, and then reads all that comes.
errs() {
	timeout 30 python3 - "$PORT" "$TLS" "$@" <<-'END'
		import socket, ssl, sys, time
		s = socket.create_connection(("127.0.0.1", int(sys.argv[2 if "tls" in sys.argv else 1])), 10)
		if "tls" in sys.argv:
		    context = ssl._create_unverified_context()
		    s = context.wrap_socket(s)
		s.sendall(b"\x7f\xff\xff\xff")
		end = time.time() + float(sys.argv[3])
		while time.time() < end:
		    s.sendall(bytes(20000))
		    time.sleep(0.02)
		while True:
		    part = s.recv(4096)
		    if not part:
		        break
		    sys.stdout.write(part.decode("latin1"))
	END
}
alone() { counted connections 0; }

@test "a client that still writes after its mistake reads what it was, and is let go in time" {
	door
	for way in '' tls; do
		[[ $(errs 0.4 $way) == *"frame of 2147483647 bytes is over the limit of 1000" ]]
		until_true 3 alone
	done
	# One that never ends, one that floods, one that does nothing more.
	run errs 20
	[ "$status" != 0 ] && [ "$status" != 124 ]
	until_true 3 alone
	{ number 2147483647; timeout 20 cat /dev/zero; } | timeout 20 socat -u - "TCP:127.0.0.1:$PORT" 2>"$T/flood" || true
	grep -qE 'Broken pipe|Connection reset' "$T/flood"
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	number 2147483647 >&5
	until_true 3 counted too-large 5
	until_true 3 alone
	[[ $(timeout 5 cat <&5 | words) == *"over the limit of 1000" ]]
	exec 5>&-
	# At the end nobody is waited for.
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	number 2147483647 >&5
	until_true 3 counted too-large 6
	fine 4096
	stops "$PID"
	exec 5>&-
}

@test "a whole message is taken however it comes, and one that breaks off anywhere is nobody's" {
	door
	printf '\x22\x05drips\x1a\x01s\x2a\x01d\x3a\x01t\x4a\x06\x0a\x01k\x12\x01v\x68\x0e' >"$T/event"
	field 6 "$T/event" >"$T/msg"
	framed "$T/msg" >"$T/frame"
	size=$(wc -c <"$T/frame")
	for n in $(seq 0 $((size - 1))); do
		[ "$(head -c "$n" "$T/frame" | tcp | hex)" = '' ]		# no answer
	done
	counted messages 0
	# Its length says that it is whole, and it is not.
	for n in $(seq 1 $((size - 5))); do
		head -c "$n" "$T/msg" >"$T/part"
		[[ $(framed "$T/part" | tcp | words) == *'malformed message' ]]
	done
	counted malformed $((size - 5))
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	for n in $(seq "$size"); do
		head -c "$n" "$T/frame" | tail -c 1 >&5
		[ $((n % 16)) != 0 ] || well		# others do not wait for it
	done
	[ "$(timeout 5 head -c 6 <&5 | hex)" = $OK ]
	exec 5>&-
	[[ $(ask 'host = "drips" and k = "v"' | tcp | words) == *drips* ]]
	fine 4096
	stops "$PID"
}

@test "messages that lie about their lengths, in TCP and UDP" {
	door
	lies=(
		'\x32\xff\xff\xff\xff\x0f' '\x32\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01' '\x32\x02\x2a\x7f' '\x32\x03\x2a\xff\xff'
		'\x32\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01' '\x33' '\x34' '\x36' '\x37' '\x00\x00' '\x32\x01\x71' '\x32\x04\x7d\x00\x00\x00'
		'\x2a\x04\x0a\x05tr' '\x32\x04\x4a\x05\x0a\x01' '\x08' '\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff'
	)
	n=0
	for lie in "${lies[@]}"; do
		printf "$lie" >"$T/lie"
		[[ $(framed "$T/lie" | tcp | words) == *'malformed message' ]] || { echo "$lie"; false; }
		timeout 5 socat -u -b 65536 - "UDP:127.0.0.1:$PORT" <"$T/lie"
		n=$((n + 2))
	done
	until_true 5 counted malformed $n
	# Datagrams of one byte, of their limit, of a byte more, and the largest there is.
	event 16384 >"$T/most"
	event 16385 >"$T/more"
	head -c 65507 /dev/zero >"$T/all"
	printf '\x32' >"$T/one"
	for d in one most more all; do timeout 5 socat -u -b 65536 - "UDP:127.0.0.1:$PORT" <"$T/$d"; done
	until_true 5 counted datagrams $((n / 2 + 4))
	counted malformed $((n + 1))
	counted too-large 2
	fine 4096
	stops "$PID"
}

@test "texts with NUL bytes, texts that are none, and huge ones" {
	door 'frame-limit = 16777216;'
	printf '\x22\x04h\0\0i\x1a\x01s' >"$T/event"
	field 6 "$T/event" >"$T/nul"
	printf '\x22\x04\xff\xfe\x80h\x1a\x01s' >"$T/event"
	field 6 "$T/event" >"$T/none"
	head -c 4000000 /dev/zero | tr '\0' h >"$T/text"
	for part in 3 4 5 6 7; do field $part "$T/text" >"$T/event"; field 6 "$T/event" >"$T/huge$part"; done
	for f in nul none huge3 huge4 huge5 huge7; do
		[ "$(framed "$T/$f" | tcp | hex)" = $OK ] || { echo $f; false; }
	done
	[ "$(ask 'host = "nobody"' | tcp | hex)" = $OK ]
	[[ $(ask "host = \"$(head -c 100000 "$T/text")\"" | tcp | words) == *'more than 32768 bytes'* ]]
	for q in '' '(' 'host =~ "((((((((((a*)*)*)*)*)*)*)*)*)*b"' $'host = "\x01"' 'metric = 1e999' 'host ~= "(?R)"'; do
		ask "$q" | tcp >/dev/null
	done
	well
	fine 65536
	stops "$PID"
}

# repeat N TEXT: in one line.
repeat() { head -c "$1" /dev/zero | sed "s/\x0/$2/g"; }

@test "10,000 nots are refused with a reason, whichever way they come" {
	door 'frame-limit = 16777216;'
	refused() {	# QUERY WHY
		for way in tcp tls; do
			out=$(ask "$1" | $way | words)
			[[ $out == *"$2"* ]] || { echo "$out"; false; }
		done
	}
	nots=$(repeat 10000 'not ')true
	refused "$nots" 'more than 32768 bytes'
	refused "$(repeat 8000 'not ')true" 'nested too deep'
	refused "$(repeat 10000 '(')true$(repeat 10000 ')')" 'nested too deep'
	refused "$(repeat 5000 'not (')" 'nested too deep'
	refused "$(repeat 10000 'or ')" 'at character 1'
	[ "$(ask "$(repeat 499 'not ')true" | tcp | hex)" = $OK ]
	# A path has its limit, and so has a request's head.
	[[ $(get -G --data-urlencode "query=$(repeat 1000 'not ')true" "http://127.0.0.1:$HTTP/index") == *'nested too deep'* ]]
	case $(status_of -G --data-urlencode "query=$nots" "http://127.0.0.1:$HTTP/index") in 000 | 4??) ;; *) false ;; esac
	upgrade=(-H 'Connection: Upgrade' -H 'Upgrade: websocket' -H 'Sec-WebSocket-Version: 13' -H 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==')
	[ "$(status_of "${upgrade[@]}" -G --data-urlencode "query=$(repeat 1000 'not ')true" "http://127.0.0.1:$HTTP/index")" = 400 ]
	run "$SATELLITE" --state-dir "$T/state" query "$nots"
	[ "$status" != 0 ]
	# A stream's query is as deep as any.
	sed "s/streams = .*/streams = ( { where = \"$nots\"; do = \"index\"; } );/" "$T/master.cfg" >"$T/deep.cfg"
	run "$SATELLITE" --check --config "$T/deep.cfg"
	[ "$status" != 0 ]
	[[ $output == *'more than 32768 bytes'* ]]
	fine 8192
	stops "$PID"
}

http_counter() { get --unix-socket "$T/state/control" http://localhost/status | jq -r ".instances[] | select(.name == \"http-civetweb\").counters[\"$1\"]"; }
http_counted() { [ "$(http_counter "$1")" = "$2" ]; }
# crowd N TEXT [MORE]: so many connections that say this, and then so many bytes; they neither speak nor listen any more.  CROWD: their pid.
crowd() {
	python3 - "$HTTP" "$@" >"$T/crowd" 3>&- <<-'END' &
		import socket, sys, time
		port, n, text = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3].encode().decode("unicode_escape").encode("latin1")
		text += b"x" * int((sys.argv + ["0"])[4])
		held = []
		for i in range(n):
		    s = socket.create_connection(("127.0.0.1", port), 10)
		    try:
		        s.sendall(text)
		    except OSError:
		        pass
		    held.append(s)
		print("here", flush=True)
		time.sleep(120)
	END
	CROWD=$!
	PIDS+=("$CROWD")
	until_true 10 grep -q here "$T/crowd"
}
leaves() { kill -KILL "$CROWD"; wait "$CROWD" 2>/dev/null || true; }
healthy() { [ "$(status_of --max-time 2 "http://127.0.0.1:$HTTP/healthz")" = 200 ]; }

@test "500 sick clients of HTTP do not keep /healthz waiting" {
	door
	for text in '' 'GET /healthz HT' 'POST /command/x HTTP/1.1\r\nContent-Length: 100\r\n\r\na' \
		'POST /command/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\na' \
		'GET /index?subscribe=true HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n' \
		'GET / HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n'; do
		crowd 500 "$text"
		for i in 1 2 3; do until_true 2 healthy || { echo "$text"; false; }; done
		leaves
	done
	# Those that stay are let go, in time.
	crowd 100 'GET /healthz HT'
	until_true 10 eval '[ "$(http_counter late)" -ge 100 ]'
	leaves
	until_true 15 http_counted connections 0
	fine 65536
	stops "$PID"
}

@test "1,500 connections of HTTP: the oldest that asked nothing makes room, and it is counted" {
	door
	[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -ge 5000 ] || skip "too few files"
	ulimit -n "$(ulimit -Hn)"
	crowd 1500 'POST /command/x HTTP/1.1\r\nContent-Length: 100\r\n\r\na'
	until_true 2 healthy
	[ "$(http_counter dropped)" -gt 0 ]
	said master 'http-civetweb: a connection is dropped'
	leaves
	fine 65536
	stops "$PID"
}

@test "300 bodies of HTTP that never end stay within 64 MiB, and it is counted" {
	door
	crowd 300 'POST /command/x HTTP/1.1\r\nContent-Length: 1048576\r\n\r\n' 400000
	until_true 2 healthy
	[ "$(status_of -H 'Expect:' --data-binary "@$BATS_TEST_FILENAME" "http://127.0.0.1:$HTTP/command/x")" = 400 ]
	leaves
	[ "$(http_counter dropped)" -gt 0 ]
	until_true 15 http_counted connections 0
	fine 131072
	stops "$PID"
}

@test "a WebSocket's frame of 2 GiB is refused when it is announced" {
	door
	upgrade='GET /index?subscribe=true HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
	for size in '\x00\x00\x00\x00\x7f\xff\x00\x00' '\x00\x00\x00\x00\x00\x10\x00\x01' '\xff\xff\xff\xff\xff\xff\xff\xff'; do
		printf "$upgrade\\x82\\xff${size}mask" | timeout 20 socat -t 10 - "TCP:127.0.0.1:$HTTP" >"$T/said"
		[ "$(tail -c 4 "$T/said" | hex)" = 880203f1 ]		# closed with 1009
	done
	http_counted wrong-frames 3
	# Nor does one pass as the body of the request.
	upgrade=${upgrade%'\r\n'}'Content-Length: 14\r\n\r\n'
	printf "$upgrade\\x82\\xff\\x00\\x00\\x00\\x00\\x7f\\xff\\x00\\x00mask" |
		timeout 20 socat -t 10 - "TCP:127.0.0.1:$HTTP" >"$T/said"
	[[ $(head -n 1 "$T/said") == "HTTP/1.1 400 "* ]]
	fine 8192
	stops "$PID"
}

@test "100,000 connections from many addresses, abandoned in turn, leave nothing behind" {
	door
	"$BUILD/test/bench/callers" "$PORT" leave 2000
	until_true 5 counted connections 0
	before=$(rss)
	fds=$(files)
	"$BUILD/test/bench/callers" "$PORT" leave 100000
	until_true 10 counted connections 0
	counted accepted 102000
	counted refused 0
	[ "$(files)" = "$fds" ]
	echo "$before KiB, then $(rss)"
	fine 1024
	stops "$PID"
}

@test "10,000 connections that say nothing more cost half a KiB each" {
	door
	n=10000
	[ "$(ulimit -Hn)" = unlimited ] || [ "$(ulimit -Hn)" -gt 10100 ] || n=$(($(ulimit -Hn) - 100))
	"$BUILD/test/bench/callers" "$PORT" leave 1000
	until_true 5 counted connections 0
	before=$(rss)
	mkfifo "$T/hold"
	"$BUILD/test/bench/callers" "$PORT" stay $n <"$T/hold" >"$T/held" 3>&- &
	holder=$!
	exec 6>"$T/hold"
	until_true 20 test -s "$T/held"
	[ "$(cat "$T/held")" = $n ]
	counted connections $n
	echo "$before KiB, then $(rss)"
	fine $((n / 2))
	exec 6>&-
	wait $holder
	until_true 10 counted connections 0
	well
	stops "$PID"
}

# least COUNTER N
least() { [ "$(counter "$1")" -ge "$2" ]; }
held() { get --unix-socket "$T/state/control" http://localhost/status | jq -r '.counters["memory-buffers"]'; }
holds() { [ "$(held)" = "$1" ]; }
# split: a message that comes in two parts, between which another client is served.
split() {
	event 16000 >"$T/most"
	framed "$T/most" >"$T/frame"
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	head -c 9000 "$T/frame" >&5
	[ "$(printf '\0\0\0\0' | timeout 5 socat -t 5 - "TCP:127.0.0.1:$PORT" | hex)" = $OK ] &&
		tail -c +9001 "$T/frame" 2>/dev/null >&5 && [ "$(timeout 5 head -c 6 <&5 | hex)" = $OK ]
}
# prompt: clients that mean well are served at once, with one message or thousands.
prompt() {
	[ "$(printf '\0\0\0\0' | timeout 5 socat -t 5 - "TCP:127.0.0.1:$PORT" | hex)" = $OK ]
	until_true 5 split		# again, where this machine takes longer than frame-timeout
	exec 5>&-
	"$BUILD/test/bench/load" "$PORT" 8 16 10 1000 1 >"$T/load"
	read -r rate errors _ <"$T/load"
	[ "$errors" = 0 ]
	[ "${rate%.*}" -gt 1000 ]
}

@test "40 clients that each send most of 16 MiB and stop wait for one another, and nobody for them" {
	MEMORY=1073741824 door 'frame-limit = 16777216; frame-timeout = 2;'	# 128 MiB for buffers
	mkfifo "$T/hold"
	"$BUILD/test/bench/callers" "$PORT" begin 40 <"$T/hold" >"$T/held" 3>&- &
	holder=$!
	exec 6>"$T/hold"
	until_true 20 least paused 30
	[ "$(held)" -le $((128 << 20)) ]
	prompt
	fine $((160 << 10))
	# A long message that means well waits for its turn, and has it.
	{
		printf '\0\x20\0\x0a\x32\x85\x80\x80\x01\x2a\x80\x80\x80\x01'
		head -c 2097152 /dev/zero | tr '\0' 'x'
	} >"$T/large"
	[ "$(timeout 100 socat -t 90 - "TCP:127.0.0.1:$PORT" <"$T/large" | hex)" = $OK ]
	until_true 40 least timed-out 40
	until_true 5 counted waiting 0
	until_true 5 holds 0
	[ -n "${SAN:-}" ] || [ "$(peak)" -lt $((before + (160 << 10))) ]
	exec 6>&-
	wait $holder
	well
	stops "$PID"
}

@test "the same over TLS" {
	MEMORY=536870912 door 'frame-limit = 16777216; frame-timeout = 1;'	# 64 MiB
	mkfifo "$T/hold"
	exec 6<>"$T/hold"
	for _ in $(seq 8); do
		{ number 16777216; head -c 15900000 /dev/zero; read -r -t 60 <&6; } 2>/dev/null 3>&- |
			timeout 60 socat -u - "OPENSSL:127.0.0.1:$TLS,cafile=$CERTS/ca.crt,commonname=localhost,no-sni" \
				>/dev/null 2>&1 3>&- 6>&- &
	done
	until_true 20 least paused 3
	[ "$(held)" -le $((64 << 20)) ]
	[ "$(printf '\0\0\0\0' | tls | hex)" = $OK ]
	prompt
	fine $((96 << 10))
	until_true 30 least timed-out 8
	until_true 5 counted waiting 0
	until_true 5 holds 0
	printf '\n\n\n\n\n\n\n\n' >&6
	well
	stops "$PID"
}

@test "small messages that never end leave memory to others in time, and a long one has none at all" {
	MEMORY=16777216 door 'frame-limit = 16777216; frame-timeout = 4;'	# 2 MiB
	{ number 60000; head -c 30000 /dev/zero; } >"$T/part"
	for _ in $(seq 40); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
		cat "$T/part" >&"$fd"
	done
	until_true 5 least paused 1
	[ "$(held)" -le $((2 << 20)) ]
	prompt
	until_true 20 least timed-out 40
	until_true 5 counted waiting 0
	until_true 5 holds 0
	[[ $({ number 4000000; head -c 4000000 /dev/zero; } | tcp | words) == *'frame of 4000000 bytes is more than there is memory for' ]]
	fine 8192
	stops "$PID"
}

@test "answers that nobody reads have their share, too" {
	MEMORY=16777216 door 'stall-timeout = 3;'
	"$BUILD/test/bench/load" "$PORT" 1 16 100 1000 1 >"$T/load"
	before=$(rss)
	ask true >"$T/one"
	for _ in $(seq 64); do cat "$T/one"; done >"$T/asks"
	for _ in $(seq 40); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
		cat "$T/asks" >&"$fd"
	done
	until_true 20 least untaken 1
	[ "$(held)" -le $((2 << 20)) ]
	[ "$(printf '\0\0\0\0' | tcp | hex)" = $OK ]
	until_true 20 counted connections 0
	until_true 5 holds 0
	fine 16384
	stops "$PID"
}
