#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# tls.bats - events over TLS: who is let in, who is told why not, and what those without manners can do.
# takes: 40 s

load common

setup_file() { "$BATS_TEST_DIRNAME/../certs.sh" "$BATS_FILE_TMPDIR/certs"; }
setup() {
	common_setup
	CERTS=$BATS_FILE_TMPDIR/certs
	SERVER="cert = \"$CERTS/server.crt\"; key = \"$CERTS/server.key\";"
	MUTUAL="ca = \"$CERTS/ca.crt\"; $SERVER"
	PORT=$(free_port)
	TLS=$(free_port)
}
teardown() { common_teardown; }

# config [SETTINGS OF TLS] [OTHERS OF THE DOOR]
config() {
	cat >"$T/master.cfg" <<-END
		role = "master";
		state-dir = "$T/state";
		http = { port = ${HTTP:=$(free_port)}; };
		modules = ( "riemann" );
		riemann = { port = $PORT; ${2:-}
			tls = { port = $TLS; ${1:-$MUTUAL} }; };
		streams = ( "index" );
	END
	mkdir -p "$T/state"
}

door() {
	config "$@"
	start master --config "$T/master.cfg"
	until_true 10 listens "$TLS"
}

# client COMMAND CERT CA ARGS…: riemann-client over TLS; CERT "" is none.
client() {
	local command=$1 cert=$2 ca=$3
	shift 3
	timeout 20 riemann-client "$command" -G ${cert:+-o certfile="$CERTS/$cert.crt" -o keyfile="$CERTS/$cert.key"} \
		-o cafile="$CERTS/$ca.crt" "$@" 127.0.0.1 "$TLS"
}
found() { riemann-client query -j "$1" 127.0.0.1 "$PORT" | jq -e 'length == 1' >/dev/null; }
lacks() { riemann-client query -j "$1" 127.0.0.1 "$PORT" | jq -e 'length == 0' >/dev/null; }
counter() { get --unix-socket "$T/state/control" http://localhost/status | jq -r ".instances[] | select(.name == \"riemann\").counters[\"$1\"]"; }
counted() { [ "$(counter "$1")" = "$2" ]; }
rss() { awk '/^VmRSS/ { print $2 }' "/proc/$PID/status"; }

# secure [CERT]: sends its input, says that this was all, prints what comes back.
secure() {
	timeout 20 socat -t 10 - "OPENSSL:127.0.0.1:$TLS,cafile=$CERTS/ca.crt,commonname=localhost,no-sni${1:+,cert=$CERTS/$1.crt,key=$CERTS/$1.key}"
}
OK=000000021001
words() { tr -c '[:print:]' '.'; }
hex() { od -An -v -tx1 | tr -d ' \n'; }

# s_client ARGS…: one that stays.
s_client() { timeout 20 openssl s_client -connect "127.0.0.1:$TLS" -CAfile "$CERTS/ca.crt" -quiet "$@" 2>"$T/s_client"; }
AGENT() { s_client -cert "$CERTS/client.crt" -key "$CERTS/client.key" "$@"; }

# talk ARGS…: s_client with a certificate says what file 6 is written to, an empty message first.
talk() {
	mkfifo "$T/in"
	AGENT "$@" <"$T/in" >"$T/answers" &
	TALKER=$!
	exec 6>"$T/in"
	printf '\0\0\0\0' >&6
	until_true 5 test -s "$T/answers"
}
hang_up() { exec 6>&-; kill "$TALKER" 2>/dev/null || true; wait "$TALKER" || true; rm "$T/in" "$T/answers"; }

@test "mutual: riemann-client sends and queries with a certificate of ours" {
	door
	client send client ca -h web1 -S load -s critical -d 2.5 -t prod -a rack=7
	run client query client ca -j 'service = "load" and rack = "7"'
	echo "$output"
	[ "$(jq -r '.[0].host + " " + .[0].state' <<<"$output")" = 'web1 critical' ]
	found 'host = "web1"'			# plain TCP beside it
	counted tls-accepted 2
	heard master "listening on 127.0.0.1 port $TLS (TLS, clients need a certificate)"
	stops "$PID"
}

@test "mutual: without a certificate, with a stranger's or an old one, nobody gets in" {
	door
	[ "$(printf '\0\0\0\0' | secure | hex)" = '' ]
	heard master 'TLS handshake: it has no certificate'
	[ "$(printf "\0\0\0\0" | secure stranger | hex)" = "" ]
	heard master 'TLS handshake: its certificate is refused: CN=stranger: unable to get local issuer certificate'
	run client send expired ca -h expired -S load -s ok
	heard master 'TLS handshake: its certificate is refused: CN=expired: certificate has expired'
	[[ $(grep 'CN=expired' "$T/master.log") == *" 127.0.0.1 port "* ]]
	# Who knows another CA refuses us, and that is said here, too.
	run client send client other -h other -S load -s ok
	[ "$status" != 0 ]
	until_true 5 counted tls-failed 4
	counted tls-accepted 0
	lacks 'host = "none" or host = "stranger" or host = "expired" or host = "other"'
	stops "$PID"
}

@test "server only: a client needs no certificate, and checks ours" {
	door "$SERVER verify = false;"
	[ "$(printf '\0\0\0\0' | secure | hex)" = $OK ]
	client send stranger ca -h web1 -S load -s ok		# nobody looks at it
	found 'host = "web1"'
	run client send client other -h web2 -S load -s ok
	[ "$status" != 0 ]
	lacks 'host = "web2"'
	stops "$PID"
}

@test "TLS 1.2 and 1.3, nothing older, and no renegotiation" {
	door
	for v in tls1_2 tls1_3; do
		talk -$v
		hang_up
	done
	run AGENT -tls1_1 -cipher 'DEFAULT@SECLEVEL=0' </dev/null
	[ "$status" != 0 ]
	heard master 'its TLS is older than 1.2'
	echo R | timeout 10 openssl s_client -connect "127.0.0.1:$TLS" -CAfile "$CERTS/ca.crt" -tls1_2 \
		-cert "$CERTS/client.crt" -key "$CERTS/client.key" >"$T/r" 2>&1 || true
	grep -q 'no renegotiation' "$T/r"
	stops "$PID"
}

@test "large messages, many at once, and frames that end anywhere" {
	door
	{
		printf '\0\0\0\0'
		printf '\0\x20\0\x0a\x32\x85\x80\x80\x01\x2a\x80\x80\x80\x01'
		head -c 2097152 /dev/zero | tr '\0' 'x'
		for _ in $(seq 2000); do printf '\0\0\0\x0a\x32\x08\x22\x01h\x1a\x01s\x08\x05\0\0\0\0'; done
	} >"$T/many"
	[ "$(secure client <"$T/many" | hex | sed "s/$OK/x/g" | tr -d '\n' | wc -c)" = 4002 ]
	# Piecemeal.
	run hex < <(for _ in $(seq 10); do printf '\0'; sleep 0.01; printf '\0\0'; sleep 0.01; printf '\0'; done | secure client)
	[ "${output//$OK/x}" = xxxxxxxxxx ]
	counted messages 4012
	stops "$PID"
}

@test "who does not read is not read from" {
	door '' 'stall-timeout = 2;'
	for i in $(seq 100 299); do
		printf "\0\0\0\x76\x32\x74\x22\x04h$i\x1a\x01s\x2a\x69$(printf '%0105d' "$i")"
	done | secure client >/dev/null
	for _ in $(seq 8192); do printf '\0\0\0\x08\x2a\x06\x0a\x04true'; done >"$T/asks"
	before=$(rss)
	mkfifo "$T/never"
	exec 7<>"$T/never"
	secure client <"$T/asks" >"$T/never" &
	talker=$!
	until_true 10 counted timed-out 1
	wait "$talker" || true
	exec 7>&-
	[ $(($(rss) - before)) -lt 65536 ]		# of 220 MiB of answers
	[ "$(printf '\0\0\0\0' | secure client | hex)" = $OK ]
	stops "$PID"
}

@test "garbage is one line and a close" {
	door
	for bytes in 'GET / HTTP/1.0\r\n\r\n' '\0\0\0\x0a\x32\x08\x22\x01h\x1a\x01s\x08\x05' '\x16\x03\x01\xff\xff\x01\xff\xff\xff'; do
		printf "$bytes" | timeout 10 socat -t 5 - "TCP:127.0.0.1:$TLS" >/dev/null
	done
	head -c 1000000 /dev/urandom | timeout 10 socat -t 5 - "TCP:127.0.0.1:$TLS" >/dev/null 2>&1 || true
	until_true 5 counted tls-failed 4
	heard master 'TLS handshake: what it says is not TLS'
	client send client ca -h web1 -S load -s ok
	# In the secure part it is as with TCP.
	[[ $(printf '\0\0\0\x03\xff\xff\xff' | secure client | words) == *'malformed message'* ]]
	[[ $(printf '\xff\xff\xff\xff' | secure client | words) == *'over the limit'* ]]
	found 'host = "web1"'
	stops "$PID"
}

@test "half a handshake and then silence ends at the deadline; who is silent later, at its own" {
	door "$MUTUAL handshake-timeout = 0.5;" 'idle-timeout = 1;'
	exec 5<>"/dev/tcp/127.0.0.1/$TLS"
	printf '\x16\x03\x01\x02' >&5
	[ "$(timeout 5 cat <&5 | wc -c)" = 0 ]
	exec 5>&-
	heard master 'TLS handshake: not done within handshake-timeout'
	timeout 10 socat -u "TCP:127.0.0.1:$TLS" - </dev/null		# not a word
	until_true 5 counted tls-failed 2
	talk
	until_true 9 counted timed-out 1
	hang_up
	stops "$PID"
}

@test "a thousand handshakes that are given up leave nothing behind" {
	door
	hello() {	# as s_client says it, without the rest
		timeout 5 socat -u "TCP-LISTEN:$HELLO,bind=127.0.0.1,reuseaddr" "OPEN:$T/hello,creat,trunc" &
		until_true 5 listens "$HELLO"
		timeout 1 openssl s_client -connect "127.0.0.1:$HELLO" </dev/null >/dev/null 2>&1 || true
		wait $!
	}
	HELLO=$(free_port)
	hello
	[ -s "$T/hello" ]
	abandon() {	# N
		local fd
		for _ in $(seq "$1"); do
			exec {fd}<>"/dev/tcp/127.0.0.1/$TLS"
			cat "$T/hello" >&"$fd"
			exec {fd}>&-
		done
	}
	abandon 200
	until_true 20 counted tls-failed 200
	before=$(rss)
	abandon 1000
	until_true 20 counted tls-failed 1200
	echo "$before KiB, then $(rss)"
	[ -n "${SAN:-}" ] || [ $(($(rss) - before)) -lt 512 ]
	counted connections 0
	client send client ca -h web1 -S load -s ok
	found 'host = "web1"'
	stops "$PID"
}

@test "a certificate is renewed by a reload, and nobody is cut off" {
	cp "$CERTS"/elsewhere.crt "$T/now.crt"
	cp "$CERTS"/elsewhere.key "$T/now.key"
	door "ca = \"$CERTS/ca.crt\"; cert = \"$T/now.crt\"; key = \"$T/now.key\";"
	subject() { timeout 5 openssl s_client -connect "127.0.0.1:$TLS" </dev/null 2>/dev/null | grep '^subject='; }
	[[ $(subject) == *CN*elsewhere ]]
	talk
	listener=$(ss -Hlnte "sport = :$TLS")
	# Half of it first: that is refused, and the old one goes on.
	cp "$CERTS/server.crt" "$T/now.crt"
	kill -HUP "$PID"
	heard master "$T/now.key: is not the key of $T/now.crt"
	[[ $(subject) == *CN*elsewhere ]]
	cp "$CERTS/server.key" "$T/now.key"
	kill -HUP "$PID"
	heard master 'new certificates are in use'
	[[ $(subject) == *CN*server ]]
	[ "$(ss -Hlnte "sport = :$TLS")" = "$listener" ]
	printf '\0\0\0\0' >&6
	answered_twice() { [ "$(wc -c <"$T/answers")" = 12 ]; }
	until_true 5 answered_twice
	hang_up
	stops "$PID"
}

@test "at the end, what was taken is answered, and the close is said" {
	door
	talk -state
	stops "$PID"
	hang_up
	grep -q 'read:warning:close notify' "$T/s_client"
}

# slave MASTER SETTINGS OF TLS: its checks go to that master.
slave() {
	cat >"$T/slave.cfg" <<-END
		role = "slave"; state-dir = "$T/slave"; host = "agent17";
		forward = { masters = ( "$1" ); flush = 0.02; connect-timeout = 2; tls = { $2 }; };
		checks = ( { check = "load-average"; interval = 0.2; ttl = 30; threshold = 1000; } );
	END
	start slave --config "$T/slave.cfg"
	SLAVE=$PID
}
forwarded() { get --unix-socket "$T/slave/control" http://localhost/status | jq -r ".instances[] | select(.name == \"forward\").counters[\"$1\"]"; }
at_least() { [ "$(forwarded "$1")" -ge "$2" ]; }
OURS() { echo "ca = \"$CERTS/ca.crt\"; cert = \"$CERTS/client.crt\"; key = \"$CERTS/client.key\";"; }

@test "a slave sends to its master over TLS, and goes on after the master was away" {
	door
	MASTER=$PID
	slave "localhost:$TLS" "$(OURS)"
	until_true 10 at_least acknowledged 3
	found 'host = "agent17" and service =~ "mesos/slave/load%"'
	said slave "localhost:$TLS: takes events"
	kill -KILL "$MASTER"
	wait "$MASTER" || true
	heard slave "localhost:$TLS: "
	n=$(forwarded acknowledged)
	start master --config "$T/master.cfg"
	MASTER=$PID
	until_true 15 at_least acknowledged $((n + 2))
	[ "$(forwarded dropped)" = 0 ]
	stops "$SLAVE"
	lacks 'host = "agent17" and state = "ok"'		# taken back at the end
	stops "$MASTER"
}

@test "a slave sends nothing to a master that it cannot believe, nor where it is not believed" {
	door
	MASTER=$PID
	refused() {	# MASTER SETTINGS SAYS
		slave "$1" "$2"
		heard slave "$3"
		[ "$(forwarded acknowledged)" = 0 ]
		stops "$SLAVE"
		rm "$T/slave.log"
	}
	refused "127.0.0.1:$TLS" "ca = \"$CERTS/other.crt\";" "127.0.0.1:$TLS: TLS: its certificate is refused: CN=server: unable to get local issuer"
	refused "127.0.0.1:$TLS" "ca = \"$CERTS/ca.crt\";" 'TLS: it refuses to go on: certificate required'
	refused "127.0.0.1:$PORT" "$(OURS)" 'TLS: what it says is not TLS'
	stops "$MASTER"
	door "cert = \"$CERTS/elsewhere.crt\"; key = \"$CERTS/elsewhere.key\"; verify = false;"
	MASTER=$PID
	refused "localhost:$TLS" "$(OURS)" 'CN=elsewhere: hostname mismatch'
	refused "127.0.0.1:$TLS" "$(OURS)" 'CN=elsewhere: IP address mismatch'
	slave "localhost:$TLS" 'verify = false;'
	until_true 10 at_least acknowledged 1
	stops "$SLAVE"
	# One that takes connections, and says nothing.
	mute=$(free_port)
	socat "TCP-LISTEN:$mute,bind=127.0.0.1,fork" EXEC:'sleep 60' 3>&- &
	PIDS+=($!)
	until_true 5 listens $mute
	refused "127.0.0.1:$mute" "$(OURS)" 'TLS: the handshake takes too long'
	stops "$MASTER"
}

@test "--check names the file and what is wrong with it" {
	check() {	# CA CERT KEY SAYS
		config "ca = \"$1\"; cert = \"$2\"; key = \"$3\";"
		run "$SATELLITE" --check --config "$T/master.cfg"
		echo "$output"
		[[ $output == *"$4"* ]]
	}
	check "$CERTS/ca.crt" "$CERTS/server.crt" "$CERTS/server.key" ': ok'
	[ "$status" = 0 ]
	check "$CERTS/ca.crt" "$CERTS/soon.crt" "$CERTS/soon.key" 'soon.crt: expires on '
	[ "$status" = 0 ]
	check "$CERTS/ca.crt" "$CERTS/none.crt" "$CERTS/server.key" "master.cfg:6: riemann.tls: $CERTS/none.crt: No such file or directory"
	[ "$status" = 1 ]
	check "$CERTS/ca.crt" "$CERTS/server.crt" "$CERTS/client.key" "client.key: is not the key of $CERTS/server.crt"
	[ "$status" = 1 ]
	check "$CERTS/ca.crt" "$CERTS/server.crt" "$CERTS/open.key" "everyone may read or write it; chmod o= $CERTS/open.key"
	check "$CERTS/server.key" "$CERTS/server.crt" "$CERTS/server.key" 'no certificate in PEM'
	config "cert = \"$CERTS/server.crt\"; key = \"$CERTS/server.key\";"
	run "$SATELLITE" --check --config "$T/master.cfg"
	[[ $output == *"ca: is needed"*"verify = false"* ]]
}
