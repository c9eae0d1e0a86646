#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# reload.bats - SIGHUP is a transaction: all of the new configuration, or all of the old.

load common

setup() {
	common_setup
	PORT=$(free_port)
	HTTP=$(free_port)
	STREAMS='"index"'
	RIEMANN=
	write
}

teardown() { common_teardown; }

# write: the configuration, of what the variables say now.
write() {
	cat >"$T/new.cfg" <<-EOF
		role = "master";
		host = "m1";
		state-dir = "$T/m";
		http = { port = $HTTP; };
		modules = ( "riemann" );
		riemann = { port = $PORT; $RIEMANN };
		streams = ( $STREAMS );
		$EXTRA
	EOF
	mv "$T/new.cfg" "$T/m.cfg"
}

up() { start m --config "$T/m.cfg" && heard m "runs on m1"; }
send() { riemann-client send -h "$1" -S "$2" -s "${3:-ok}" -i "${4:-1}" -L 300 127.0.0.1 "$PORT" >/dev/null; }
cli() { "$SATELLITE" --state-dir "$T/m" "$@"; }

# reload, and wait for what comes of it.
reloads() {
	local n
	n=$(times m reloaded)
	kill -HUP "$PID"
	until_true 10 said_times m reloaded $((n + 1))
}
refuses() {
	local n
	n=$(times m "reload refused")
	kill -HUP "$PID"
	until_true 10 said_times m "reload refused" $((n + 1))
}

# An open connection that sends one event each time it is told to: the length, then the message.
connect() { exec 8<>"/dev/tcp/127.0.0.1/$PORT"; }
# {events: [{service: NAME, host: "h"}]} by hand: two letters a NAME.
frame() { printf '\0\0\0\011\062\007\032\002%s\042\001h' "$1" >&8; }
# What it answers: length 2, then ok.
acked() { [ "$(head -c 6 <&8 | od -An -tx1 | tr -d ' \n')" = 000000021001 ]; }

@test "what is wrong changes nothing: the old one goes on, the mistake is one line" {
	up
	send h1 before
	STREAMS='"index", "no-such-op"' write
	lines=$(wc -l <"$T/m.log")
	refuses
	[ "$(($(wc -l <"$T/m.log") - lines))" = 2 ]
	said m "$T/m.cfg:7: streams[1]: no module has the operator \"no-such-op\""
	send h1 after
	[[ $(cli query "service = 'after'") == *after* ]]
	[[ $(cli query "service = 'before'") == *before* ]]
	echo 'syntax error' >>"$T/m.cfg"
	refuses
	rm "$T/m.cfg"
	refuses
	send h1 again
	STREAMS='"index"' write
	reloads
	cli status >/dev/null
	stops "$PID"
}

@test "a new port that is taken changes nothing" {
	up
	was=$PORT taken=$(free_port)
	socat "TCP-LISTEN:$taken,bind=127.0.0.1,reuseaddr,fork" /dev/null 3>&- &
	PIDS+=($!)
	until_true 5 listens "$taken"
	# All the rest of the new configuration is right, and must not come into force either.
	PORT=$taken STREAMS='{ where = "service = \"never\""; do = ( "index" ); }' write
	refuses
	said m "riemann: 127.0.0.1 port $taken (TCP): Address already in use"
	PORT=$was
	send h1 still
	[[ $(cli query "service = 'still'") == *still* ]]
	HTTP_WAS=$HTTP
	HTTP=$taken STREAMS='"index"' write
	refuses
	said m "http-civetweb: 127.0.0.1 port $taken (TCP): Address already in use"
	[ "$(status_of "http://127.0.0.1:$HTTP_WAS/healthz")" = 200 ]
	send h1 still2
	stops "$PID"
}

@test "a connection lives through reloads that do not name its door" {
	up
	connect
	frame aa
	acked
	pid_was=$PID
	STREAMS='{ where = "true"; do = ( "index" ); }' write
	reloads
	frame bb
	acked
	[[ $(cli query "service = 'bb'") == *bb* ]]
	# No second one was made: it still has the one connection that it had.
	[[ $(cli status) == *"connections=1 accepted=1"* ]]
	# Its own settings: it is replaced, and the port is never closed.
	RIEMANN='frame-limit = 65536;' write
	reloads
	for i in 1 2 3 4 5; do send h1 "cc$i"; done
	! said m "Address already in use"
	[ "$PID" = "$pid_was" ]
	exec 8>&-
	stops "$PID"
	! said m "left open"
}

@test "ports move: the new one answers, the old one is closed" {
	up
	OLD=$PORT OLD_HTTP=$HTTP
	PORT=$(free_port)
	HTTP=$(free_port)
	write
	reloads
	until_true 10 send h1 moved
	healthy() { [ "$(status_of "http://127.0.0.1:$HTTP/healthz")" = 200 ]; }
	until_true 10 healthy
	shut() { ! listens "$OLD" && ! listens "$OLD_HTTP"; }
	until_true 10 shut
	[[ $(cli query "service = 'moved'") == *moved* ]]
	stops "$PID"
}

@test "HTTP moves to another address of the same port" {
	up
	[ "$(status_of "http://127.0.0.2:$HTTP/healthz")" = 000 ]
	sed -i "s/http = { /&host = \"0.0.0.0\"; /" "$T/m.cfg"
	reloads
	healthy() { [ "$(status_of "http://$1:$HTTP/healthz")" = 200 ]; }
	until_true 10 healthy 127.0.0.2
	healthy 127.0.0.1
	sed -i 's/host = "0.0.0.0"/host = "127.0.0.2"/' "$T/m.cfg"
	reloads
	left() { healthy 127.0.0.2 && ! healthy 127.0.0.1; }
	until_true 10 left
	stops "$PID"
}

@test "a stream put on top keeps what the others know" {
	STREAMS='{ throttle = 2; dt = 3600; do = ( { log = "info"; } ); }' write
	up
	send h1 w1
	STREAMS='{ where = "service = \"x\""; do = ( "index" ); }, { throttle = 2; dt = 3600; do = ( { log = "info"; } ); }, "index"' write
	reloads
	send h1 w2
	heard m "h1 w2 "
	send h1 w3
	send h1 w4
	[[ $(cli query "service = 'w4'") == *w4* ]]
	said m "h1 w1 "
	! said m "h1 w3 "
	! said m "h1 w4 "
	stops "$PID"
}

@test "streams keep what they know over a clean restart, too" {
	STREAMS='{ throttle = 2; dt = 3600; do = ( { log = "info"; } ); }, "index"' write
	up
	send h1 w1
	send h1 w2
	heard m "h1 w2 "
	stops "$PID"
	start m --config "$T/m.cfg"
	until_true 10 said_times m "runs on m1" 2
	send h1 w3
	[[ $(cli query "service = 'w3'") == *w3* ]]
	! said m "h1 w3 "
	stops "$PID"
}

@test "who and where it is cannot change while it runs" {
	up
	sed -i "s|$T/m|$T/n|; s/m1/m2/" "$T/m.cfg"
	refuses
	said m ":2: host: cannot change in a running satellite (now m1)"
	said m ":3: state-dir: cannot change in a running satellite (now $T/m)"
	[ ! -e "$T/n" ]
	stops "$PID"
}

@test "modules and groups come and go" {
	up
	EXTRA='forward = { masters = ( "127.0.0.1:1" ); };' STREAMS='"index", "forward"' write
	reloads
	[[ $(cli status) == *"forward "* ]]
	send h1 s1
	EXTRA='' STREAMS='"index"' write
	reloads
	none() { [[ $(cli status) != *"forward "* ]]; }
	until_true 10 none
	send h1 s2
	stops "$PID"
	! said m "left open"
	! said m "has not stopped"
}

@test "a check that is taken out says so, one that stays goes on" {
	start master --config "$T/m.cfg"
	MASTER=$PID
	heard master "runs on m1"
	checks() {
		cat >"$T/s.cfg" <<-EOF
			role = "slave"; host = "h1"; state-dir = "$T/s";
			forward = { masters = ( "127.0.0.1:$PORT" ); };
			checks = ( $1 );
		EOF
	}
	checks '{ command = "true"; service = "stays"; interval = 1; }, { command = "true"; service = "goes"; interval = 1; }'
	start m --config "$T/s.cfg"
	SLAVE=$PID
	has() { [[ $(cli query "service = 'mesos/slave/$1'") == *"$1"* ]]; }
	has_not() { ! has "$1"; }
	until_true 10 has stays
	until_true 10 has goes
	checks '{ command = "true"; service = "stays"; interval = 1; }'
	PID=$SLAVE
	reloads
	until_true 10 has_not goes
	has stays
	# A clean stop takes the rest back.
	stops "$SLAVE"
	until_true 10 has_not stays
	stops "$MASTER"
}

@test "twenty reloads in a row leave nothing behind" {
	up
	connect
	for i in $(seq 20); do
		STREAMS="{ where = \"metric > $i\"; do = ( \"index\" ); }, { throttle = $i; dt = 1; do = ( { log = \"debug\"; } ); }" \
			RIEMANN="frame-limit = $((65536 + i));" write
		kill -HUP "$PID"
		# Amid a reload a client may be sent away without an answer, and then asks again.
		[ $((i % 5)) != 0 ] || until_true 10 send h1 "r$i" ok 100
	done
	until_true 10 said m reloaded
	until_true 10 send h1 last ok 100
	listeners() { [ "$(ss -Hlnt "sport = :$PORT" | wc -l)" = 1 ]; }
	until_true 10 listeners
	exec 8>&-
	stops "$PID"
	! said m "left open"
	! said m "has not stopped"
}
