#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# riemann.bats - the doors over TCP and UDP, knocked on by riemann-client and by those who know no manners.

load common

setup() {
	common_setup
	PORT=$(free_port)
}
teardown() { common_teardown; }

# door [SETTINGS]: a master with nothing but the door and an index.
door() {
	cat >"$T/master.cfg" <<-END
		role = "master";
		state-dir = "$T/state";
		http = { port = $(free_port); };
		modules = ( "riemann" );
		riemann = { port = $PORT; ${1:-} };
		streams = ( "index" );
	END
	mkdir -p "$T/state"
	start master --config "$T/master.cfg"
	until_true 10 listens "$PORT"
}

# frames TEXT…: each as printf(1) has it, with its length in front.
frames() {
	local f n
	for f; do
		n=$(printf "$f" | wc -c)
		printf "\\$(printf %03o $((n >> 24)))\\$(printf %03o $((n >> 16 & 255)))"
		printf "\\$(printf %03o $((n >> 8 & 255)))\\$(printf %03o $((n & 255)))"
		printf "$f"
	done
}

# talk: sends its input, closes its half, prints all that comes back, in hexadecimal.
talk() { timeout 20 socat -t 10 - "TCP:127.0.0.1:$PORT" | od -An -v -tx1 | tr -d ' \n'; }
words() { timeout 20 socat -t 10 - "TCP:127.0.0.1:$PORT" | tr -c '[:print:]' '.'; }

OK=000000021001
EVENT='\x32\x08\x22\x01h\x1a\x01s\x08\x05'		# host h, service s, time 5
ask() { frames "\\x2a\\x$(printf %02x $((${#1} + 2)))\\x0a\\x$(printf %02x ${#1})$1"; }

rss() { awk '/^VmRSS/ { print $2 }' "/proc/$PID/status"; }
peak() { awk '/^VmHWM/ { print $2 }' "/proc/$PID/status"; }

@test "riemann-client sends and queries" {
	door
	riemann-client send -h web1 -S 'mesos/slave/load' -s critical -d 2.5 -t prod -a rack=7 -L 300 127.0.0.1 "$PORT"
	riemann-client send -h web2 -S 'mesos/slave/load' -s ok -i 7 127.0.0.1 "$PORT"
	run riemann-client query -j 'service =~ "mesos/slave/%" and state = "critical"' 127.0.0.1 "$PORT"
	echo "$output"
	[ "$status" = 0 ]
	[ "$(jq -r '.[0] | .host + " " + .service + " " + .state + " " + .tags[0]' <<<"$output")" = 'web1 mesos/slave/load critical prod' ]
	[ "$(jq length <<<"$output")" = 1 ]
	[ "$(jq -r '.[0].rack // .[0].attributes.rack' <<<"$output")" = 7 ]
	run riemann-client query -j 'rack = "7" and metric > 2' 127.0.0.1 "$PORT"
	[ "$(jq -r '.[0].host' <<<"$output")" = web1 ]
	run riemann-client query 'state =' 127.0.0.1 "$PORT"
	[ "$status" != 0 ]
	[[ $output == *"at character 8"* ]]
	stops "$PID"
}

@test "frames of every size and shape" {
	door 'frame-limit = 1000;'
	[ "$(frames '' | talk)" = $OK ]
	[ "$(frames '' '' '' | talk)" = $OK$OK$OK ]
	# One of exactly the limit, and one of a byte more: descriptions of 994 and 995 bytes.
	[ "$(frames "\\x32\\xe5\\x07\\x2a\\xe2\\x07$(printf '%0994d' 0)" | talk)" = $OK ]
	run words < <(frames "\\x32\\xe6\\x07\\x2a\\xe3\\x07$(printf '%0995d' 0)")
	[[ $output == *"frame of 1001 bytes is over the limit of 1000"* ]]
	heard master 'over frame-limit = 1000'
	# Lengths that are none; a browser.
	run words < <(printf '\xff\xff\xff\xff')
	[[ $output == *"over the limit"* ]]
	run words < <(printf 'GET / HTTP/1.0\r\n\r\n')
	[[ $output == *"over the limit"* ]]
	# Garbage: what came before it is answered, what comes after it is not.
	run words < <(frames '' '\xff\xff\xff' '')
	[ "$output" = "......$(printf '....\x10.\x1a\x11malformed message' | tr -c '[:print:]' '.')" ]
	heard master 'malformed message of 3 bytes'
	# Truncated inside, an attribute without its key, a group.
	for wrong in '\x32\x05\x1a' '\x32\x02\x1a\x05' '\x32\x05\x4a\x03\x12\x01x' '\x33'; do
		run words < <(frames "$wrong")
		[[ $output == *"malformed message"* ]]
	done
	# What breaks off in the middle is nobody's message.
	[ "$(printf '\0\0\0\x09\x32\x09' | talk)" = '' ]
	[ "$(printf '\0\0' | talk)" = '' ]
	[ "$(frames "$EVENT" | talk)" = $OK ]
	stops "$PID"
}

@test "Riemann's own answers to unusual messages" {
	door
	[ "$(frames '\x32\x00' | talk)" = $OK ]						# an event without any field
	[ "$(frames '\x10\x01' '\x22\x02\x12\x00' '\xa0\x1f\x05\xaa\x1f\x02hi' | talk)" = $OK$OK$OK ]
	[ "$(frames '\x32\x07\x22\x01h\x1a\x02\xff\xfe' | talk)" = $OK ]		# invalid UTF-8
	# sint64 before d before f, and metric_f beside it.
	[ "$(frames '\x32\x17\x22\x01h\x1a\x02m3\x7d\x00\x00\x80\x3f\x71\x00\x00\x00\x00\x00\x00\x00\x40\x68\x0e' | talk)" = $OK ]
	run riemann-client query -j 'service = "m3"' 127.0.0.1 "$PORT"
	[ "$(jq -c '.[0].metric // .[0].metric_sint64' <<<"$output")" = 7 ]
	# Attributes override texts, and nothing else.
	riemann-client send -h h -S at -s ok -a state=evil -a tags=2 -a time=5 -a x=1 127.0.0.1 "$PORT"
	run riemann-client query -j 'service = "at" and x = "1" and not tags = "2"' 127.0.0.1 "$PORT"
	[ "$(jq -r '.[0].state' <<<"$output")" = evil ]
	# State expired takes it out of the index.
	riemann-client send -h h -S at -s expired 127.0.0.1 "$PORT"
	run words < <(ask 'service = "at"')
	[ "$output" = '......' ]
	# Events first, then the query of the same message.
	run words < <(frames '\x2a\x0e\x0a\x0cservice="q1"\x32\x07\x22\x01h\x1a\x02q1')
	[[ $output == *'..q1".h'* ]]
	run words < <(ask '')
	[[ $output == *'expected a field or a value, not the end'* ]]
	run words < <(ask "host ~= '('")
	[[ $output == *'regular expression'* ]]
	run words < <(ask 'x = 99999999999999999999')
	[[ $output == *'more than 64 bits'* ]]
	stops "$PID"
}

@test "one byte at a time, and many messages at once" {
	door
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	for b in '\0' '\0' '\0' '\x0a' '\x32' '\x08' '\x22' '\x01' 'h' '\x1a' '\x01' 's' '\x08' '\x05' ; do printf "$b" >&5; done
	[ "$(timeout 5 head -c 6 <&5 | od -An -v -tx1 | tr -d ' \n')" = $OK ]
	exec 5>&-
	for _ in $(seq 500); do frames "$EVENT" ''; done >"$T/many"
	[ "$(talk <"$T/many" | sed "s/$OK/x/g" | tr -d '\n' | wc -c)" = 1000 ]
	# A large one, in pieces, between small ones: in order.
	{
		frames ''
		printf '\0\x20\0\x0a\x32\x85\x80\x80\x01\x2a\x80\x80\x80\x01'
		head -c 2097152 /dev/zero | tr '\0' 'x'
		frames '' '\x10\x01'
	} >"$T/large"
	[ "$(talk <"$T/large")" = $OK$OK$OK$OK ]
	stops "$PID"
}

@test "who does not read is not read from, and holds up nobody" {
	door 'stall-timeout = 2;'
	for i in $(seq 100 299); do
		frames "\\x32\\x74\\x22\\x04h$i\\x1a\\x01s\\x2a\\x69$(printf '%0105d' "$i")"
	done | talk >/dev/null
	ask true >"$T/asks"
	for _ in $(seq 13); do cat "$T/asks" "$T/asks" >"$T/more" && mv "$T/more" "$T/asks"; done
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	before=$(peak)
	cat "$T/asks" >&5 2>/dev/null &
	writer=$!
	[ "$(frames "$EVENT" | talk)" = $OK ]
	turned_out() { [ "$(ss -Htn state established "sport = :$PORT" | wc -l)" = 0 ]; }
	until_true 15 turned_out
	[ $(($(peak) - before)) -lt 65536 ]		# of 220 MiB of answers
	wait "$writer" || true
	exec 5>&-
	[ "$(frames "$EVENT" | talk)" = $OK ]
	stops "$PID"
}

# Its answer is ready some turns later, when nothing of it is read any more.
@test "who does not read an answer that took its time is turned out, too" {
	door 'stall-timeout = 1;'
	"$BUILD/test/bench/load" "$PORT" 4 4 100 100000 1 >"$T/load"
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	ask true >&5
	until_true 15 counted timed-out 1
	exec 5>&-
	counted connections 0
	[ "$(frames "$EVENT" | talk)" = $OK ]
	stops "$PID"
}

# turn: the longest turn of the loop that its counters tell of, in microseconds.
turn() { get "http://127.0.0.1:$HTTP/status" | jq -r '.counters["longest-turn"]'; }
calm() { [ "$(turn)" -lt 20000 ]; }

@test "costly queries hold up nobody, and are answered in order and in full" {
	door "answer-limit = 16777216;"
	HTTP=$(sed -nE 's/.*http = .*port = ([0-9]+);.*/\1/p' "$T/master.cfg")
	"$BUILD/test/bench/load" "$PORT" 4 4 100 50000 1 >"$T/load"
	until_true 40 calm
	for i in 1 2 3 4 5 6; do
		{ for q in 1 2 3 4 5; do ask true; done; ask 'host = 1'; } |
			timeout 100 socat -t 90 - "TCP:127.0.0.1:$PORT" >"$T/answer$i" &
	done
	sleep 0.3
	for i in 1 2 3 4 5; do
		[ "$(status_of "http://127.0.0.1:$HTTP/healthz")" = 200 ]
	done
	wait $(jobs -p | grep -vx "$PID")
	turn
	[ "$(turn)" -lt 1000000 ]
	# Five long answers of the same length, then one that found nothing.
	size=$(od -An -N4 -tu4 --endian=big "$T/answer1")
	[ "$size" -gt 1000000 ]
	for i in 1 2 3 4 5 6; do
		[ "$(wc -c <"$T/answer$i")" = $((5 * (size + 4) + 6)) ]
		[ "$(tail -c 6 "$T/answer$i" | od -An -v -tx1 | tr -d ' \n')" = $OK ]
	done
}

@test "an answer over its limit says so" {
	door "answer-limit = 5000;"
	"$BUILD/test/bench/load" "$PORT" 1 1 100 1000 1 >"$T/load"
	run words < <(ask true; ask 'host = 1')
	echo "$output"
	[[ $output == *'the answer is over the limit of 5000 bytes: ask for less'* ]]
	[[ $output == *'......' ]]
}

@test "idle connections cost next to nothing; too many are turned away" {
	door 'max-connections = 500;'
	local fds=() fd
	exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
	frames "$EVENT" >&"$fd"
	head -c 6 <&"$fd" >/dev/null
	fds+=("$fd")
	before=$(rss)
	for _ in $(seq 499); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
		printf '\0\0\0\0' >&"$fd"
		head -c 6 <&"$fd" >/dev/null
		fds+=("$fd")
	done
	sanitized || [ $(($(rss) - before)) -lt 1250 ]		# KiB: 2.5 each
	exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
	[ "$(timeout 5 head -c 1 <&"$fd" | wc -c)" = 0 ]
	exec {fd}>&-
	heard master 'connection refused: max-connections are open'
	for fd in "${fds[@]}"; do exec {fd}>&-; done
	free_again() { [ "$(frames '' | talk)" = $OK ]; }
	until_true 5 free_again
	stops "$PID"
}

@test "out of files it waits, and says so once" {
	door
	fds=$(ls "/proc/$PID/fd" | wc -l)
	prlimit --pid "$PID" --nofile=$((fds + 3)):$((fds + 3))
	local held=() fd
	for _ in $(seq 6); do
		exec {fd}<>"/dev/tcp/127.0.0.1/$PORT"
		held+=("$fd")
	done
	heard master 'no connection accepted for a second'
	ticks=$(awk '{ print $14 + $15 }' "/proc/$PID/stat")
	for fd in "${held[@]}"; do exec {fd}>&-; done
	free_again() { [ "$(frames '' | talk)" = $OK ]; }
	until_true 5 free_again
	[ $(($(awk '{ print $14 + $15 }' "/proc/$PID/stat") - ticks)) -lt 50 ]
	[ "$(times master 'no connection accepted')" -le 5 ]
	stops "$PID"
}

@test "at the end, what is whole is answered" {
	door
	exec 5<>"/dev/tcp/127.0.0.1/$PORT"
	frames "$EVENT" "$EVENT" >"$T/two"
	cat "$T/two" >&5
	head -c 12 <&5 >/dev/null
	kill -STOP "$PID"
	cat "$T/two" >&5		# in one piece, lest Nagle hold back the rest
	kill -TERM "$PID"
	kill -CONT "$PID"
	run od -An -v -tx1 <&5
	echo "$output"
	[ "${output// /}" = $OK$OK ]
	exec 5>&-
	ends "$PID"
}

counter() { get --unix-socket "$T/state/control" http://localhost/status | jq -r ".instances[] | select(.name == \"riemann\").counters[\"$1\"]"; }
counted() { [ "$(counter "$1")" = "$2" ]; }
datagram() { printf "$1" | timeout 5 socat -u -b 65536 - "UDP:127.0.0.1:${2:-$PORT}"; }
found() { riemann-client query -j "$1" 127.0.0.1 "$PORT" | jq -e 'length == 1' >/dev/null; }

@test "UDP: a message a datagram, on the same port" {
	door
	riemann-client send -U -h udp1 -S load -s ok -i 7 -t prod 127.0.0.1 "$PORT"
	until_true 5 found 'host = "udp1" and metric = 7 and tagged "prod"'
	# What is no message is counted, and the next one is heard.
	datagram '\xff\xff\xff'
	datagram "\x32\x85\x80\x01\x2a\x81\x80\x01$(printf '%016385d' 0)"
	datagram '\x2a\x06\x0a\x04true'				# a query: nobody is answered
	datagram '\x32\x09\x22\x04udp2\x1a\x01s'
	until_true 5 found 'host = "udp2"'
	until_true 5 counted datagrams 5
	counted malformed 1
	counted too-large 1
	heard master 'datagram of 3 bytes: malformed message'
	heard master 'over datagram-limit = 16384'
	stops "$PID"
}

@test "UDP: what the kernel drops is counted; what it holds at the end is heard" {
	local udp
	udp=$(free_port)
	door "udp = $udp; so-rcvbuf = 4096;"
	datagram '\x32\x09\x22\x04udp1\x1a\x01s' $udp
	until_true 5 found 'host = "udp1"'
	kill -STOP "$PID"
	for _ in $(seq 100); do printf '\x32\x09\x22\x04udp3\x1a\x01s' >"/dev/udp/127.0.0.1/$udp"; done
	kill -CONT "$PID"
	all_counted() { [ $(($(counter datagrams) + $(counter datagrams-dropped))) = 101 ] && [ "$(counter datagrams-dropped)" -gt 20 ]; }
	until_true 5 all_counted
	heard master 'the kernel dropped'
	stops "$PID"
}

@test "UDP: false is none" {
	door 'udp = false;'
	! ss -Hlnu "sport = :$PORT" | grep -q .
	stops "$PID"
	run "$SATELLITE" --check --config <(sed 's/udp = false/udp = 70000/' "$T/master.cfg")
	[ "$status" != 0 ]
	[[ $output == *"is a port, or true or false"* ]]
}
