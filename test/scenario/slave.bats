# SPDX-License-Identifier: Apache-2.0
# slave - a slave's checks and commands reach every master, each at its own pace.
# takes: 40 s

load common

setup() {
	common_setup
	PORT1=$(free_port)
	PORT2=$(free_port)
	HTTP1=$(free_port)
	HTTP2=$(free_port)
	PLUGINS=/usr/lib/nagios/plugins
}
teardown() { common_teardown; }

# master N: it prints all that it hears, one JSON line each, in $T/mN.out.
master() {
	local port=PORT$1 http=HTTP$1
	cat >"$T/m$1.cfg" <<-END
		role = "master"; state-dir = "$T/m$1"; http = { port = ${!http}; };
		modules = ( "riemann" ); riemann = { port = ${!port}; };
		streams = ( "index", "print" );
	END
	[ -f "$T/m$1.out" ] && cat "$T/m$1.out" >>"$T/m$1.before"
	start "m$1" --config "$T/m$1.cfg"
	until_true 10 listens "${!port}"
}

# slave CHECKS [SETTINGS]: one that sends to both.
slave() {
	cat >"$T/slave.cfg" <<-END
		role = "slave"; state-dir = "$T/slave"; host = "h1"; $2
		forward = { masters = ( "127.0.0.1:$PORT1", "127.0.0.1:$PORT2" ); flush = 0.02; };
		checks = ( $1 );
	END
	start slave --config "$T/slave.cfg"
	SLAVE=$PID
}

# event N SERVICE: the last one of that service that master N heard.
event() { grep -F "\"service\":\"mesos/slave/$2\"" "$T/m$1.out" | tail -n 1; }
# shows N SERVICE FILTER: jq's filter is true of it.
shows() {
	local e
	e=$(event "$1" "$2")
	[ -n "$e" ] && jq -e "$3" >/dev/null <<<"$e"
}
# comes N SERVICE FILTER: it does, soon.
comes() { until_true 15 shows "$@" || { event "$1" "$2"; return 1; }; }

@test "services, metrics and states arrive at both masters" {
	master 1
	master 2
	printf 'MemFree: 51200 kB\nSwapTotal: 2048 kB\nSwapFree: 1024 kB\n' >"$T/meminfo"
	slave "{ check = \"free-memory\"; file = \"$T/meminfo\"; threshold = 50; interval = 1; tags = \"t\"; },
		{ check = \"free-swap\"; file = \"$T/meminfo\"; threshold = 0; interval = 1; },
		{ check = \"percentage-used\"; path = \"/\"; threshold = 101; interval = 1; },
		{ check = \"load-average\"; threshold = 1000; interval = 1; attributes = { rack = \"r1\"; }; },
		{ check = \"file-exists\"; path = \"$T/meminfo\"; interval = 1; ttl = 9; }"
	for n in 1 2; do
		comes $n "free memory in MB" '.host == "h1" and .metric == 50 and .state == "critical" and .tags == ["t"]'
		comes $n "free swap in MB" '.metric == 1 and .state == "ok" and .ttl == 5'
		comes $n "percentage used of /" ".metric == $(df --output=pcent / | tail -n 1 | tr -d ' %') and .state == \"ok\""
		comes $n "load average over past 15 minutes" '.state == "ok" and .rack == "r1" and .metric >= 0'
		comes $n "$T/meminfo exists" '.metric == 0 and .state == "ok" and .ttl == 9'
	done
	rm "$T/meminfo"
	comes 1 "$T/meminfo exists" '.metric == 1 and .state == "critical"'
	comes 2 "free memory in MB" '.state == "critical" and .metric == null and (.description | contains("No such file"))'
	stops $SLAVE
}

# numbers N: of the counter, those that master N heard in all its lives.
numbers() {
	cat "$T/m$1.before" "$T/m$1.out" 2>/dev/null | grep -F '"mesos/slave/count"' |
		jq -r 'select(.metric != null) | .metric' | sort -n -u
}
last_number() { numbers "$1" | tail -n 1; }
past() { [ "$(last_number "$1")" -gt "$2" ]; }
# A number that the slave counted after this call arrives within 2 seconds.
moves() { local n; n=$(cat "$T/count"); until_true 2 past "$1" "$n"; }

@test "a master that is stopped, killed and restarted delays no other, and misses nothing" {
	echo 0 >"$T/count"
	master 1
	M1=$PID
	master 2
	slave "{ command = \"n=\$((\$(cat $T/count) + 1)); echo \$n > $T/count.new; mv $T/count.new $T/count; echo \$n\"; shell = true;
		parse = \"number\"; service = \"count\"; interval = 0.1; ttl = 100; }"
	until_true 10 test -s "$T/m1.out"
	moves 1
	kill -STOP $M1
	for _ in 1 2 3 4 5; do moves 2; done
	kill -CONT $M1
	moves 1
	kill -KILL $M1
	wait $M1 || true
	for _ in 1 2 3 4 5; do moves 2; done
	heard slave "127.0.0.1:$PORT1: "
	! said slave "127.0.0.1:$PORT2: closed"
	master 1
	until_true 20 said_times slave "127.0.0.1:$PORT1: takes events" 2
	moves 1
	stops $SLAVE
	last=$(cat "$T/count")
	until_true 5 past 1 $((last - 2))
	[ "$(numbers 2 | wc -l)" -ge $((last - 1)) ]
	# At least once: what a killed master had taken and not printed may be missing; no more than that.
	[ "$(numbers 1 | wc -l)" -ge $((last - 3)) ]
}

# figure NAME: a counter of forward's, in the slave that has an HTTP port.
figure() { get "http://127.0.0.1:$HTTP2/status" | jq ".instances[] | select(.name == \"forward\").counters[\"$1\"]"; }
figure_is() { [ "$(figure "$1")" = "$2" ]; }

# names_slave NAMES: it has a check a fifth of a second, and one master, which bears a name; and at first these addresses.
names_slave() {
	gcc -shared -fPIC -D_GNU_SOURCE -o "$T/names.so" "$ROOT/test/clients/names.c" -ldl
	printf "$1" >"$T/names"
	cat >"$T/slave.cfg" <<-END
		role = "slave"; state-dir = "$T/slave"; host = "h1"; forward = { masters = "master.test:$PORT1"; };
		checks = ( { command = "date +%s"; service = "now"; interval = 0.2; timeout = 10; } );
	END
	LD_PRELOAD=$T/names.so NAMES=$T/names start slave --config "$T/slave.cfg"
	SLAVE=$PID
}

@test "a master's name is looked up each time it is connected to; it may be IPv6" {
	! sanitized || skip "LD_PRELOAD"
	master 1
	M1=$PID
	names_slave ''
	heard slave "master.test:$PORT1: unknown node or service; 0 events wait"
	# It has a name from now on.
	echo 127.0.0.1 >"$T/names"
	comes 1 now '.state == "ok"'
	stops $M1
	heard slave "master.test:$PORT1: closed the connection"
	# It moves: another address, beside one where nobody is.
	printf '127.0.0.1\n::1\n' >"$T/names"
	sed -i "s/port = $PORT1;/host = \"::1\"; &/" "$T/m1.cfg"
	: >"$T/m1.out"
	start m1 --config "$T/m1.cfg"
	comes 1 now '.state == "ok"'
	ss -Hltn "sport = :$PORT1" | grep -F "[::1]:$PORT1"
	stops $SLAVE
	# The address itself, in a list.
	sed -i "s/masters = .*; };/masters = ( \"127.0.0.1:$PORT2\", \"[::1]:$PORT1\" ); };/" "$T/slave.cfg"
	start slave --config "$T/slave.cfg"
	SLAVE=$PID
	until_true 10 eval "\"$SATELLITE\" --config $T/slave.cfg status | grep -E 'master \\[::1\\]:$PORT1 +up=1 .*acknowledged=[1-9]'"
	stops $SLAVE
}

@test "of a name's addresses, those where nobody is, and one that hangs up, are passed over" {
	! sanitized || skip "LD_PRELOAD"
	master 1
	socat "TCP-LISTEN:$PORT1,bind=127.0.0.7,fork,reuseaddr" EXEC:true 3>&- &
	PIDS+=($!)
	until_true 5 eval "ss -Hltn 'sport = :$PORT1' | grep -F 127.0.0.7"
	names_slave '127.0.0.2\n127.0.0.3\n::1\n127.0.0.4\n127.0.0.5\n127.0.0.7\n127.0.0.1\n'
	heard slave "master.test:$PORT1: takes events"
	comes 1 now '.state == "ok"'
	! said slave "events wait"
	stops $SLAVE
}

@test "a master that closes after each message fills no log" {
	master 2
	printf '#!/bin/sh\necho >>%s\nhead -c 5 >/dev/null\nprintf "\\000\\000\\000\\002\\020\\001"\n' "$T/conns" >"$T/acks"
	chmod +x "$T/acks"
	: >"$T/conns"
	socat "TCP-LISTEN:$PORT1,bind=127.0.0.1,fork,reuseaddr" "EXEC:$T/acks" 3>&- &
	PIDS+=("$!")
	until_true 5 listens "$PORT1"
	slave '{ check = "load-average"; interval = 0.1; }'
	until_true 40 eval '[ "$(wc -l <'"$T"'/conns)" -ge 9 ]'
	[ "$(grep -c "127.0.0.1:$PORT1: .* events wait" "$T/slave.log")" -le 5 ]
	comes 2 "load average over past 15 minutes" '.state == "ok"'
	said slave "127.0.0.1:$PORT1: takes events"
	stops $SLAVE
}

@test "a slave sends datagrams where it is told to, and counts them" {
	master 1
	cat >"$T/slave.cfg" <<-END
		role = "slave"; state-dir = "$T/slave"; host = "h1"; http = { port = $HTTP2; };
		forward = { masters = "127.0.0.1:$PORT1"; udp = true; };
		checks = ( { command = "date +%s"; service = "now"; interval = 0.1; } );
	END
	start slave --config "$T/slave.cfg"
	SLAVE=$PID
	comes 1 now '.state == "ok" and .ttl == 0.5 and .host == "h1"'
	heard slave "127.0.0.1:$PORT1: gets datagrams, and says nothing"
	[ "$(figure unanswered)" -gt 10 ]
	figure_is acknowledged 0
	figure_is dropped 0
	stops $SLAVE
	sed -i 's/udp = true;/& tls = { };/' "$T/slave.cfg"
	run "$SATELLITE" --check --config "$T/slave.cfg"
	echo "$output"
	[ "$status" = 1 ] && [[ "$output" == *"datagrams have no TLS"* ]]
}

@test "a command that takes too long is killed with all it started, and says so under its own name" {
	master 1
	slave "{ command = \"trap '' TERM; sleep 98765 & sleep 98765\"; shell = true; service = \"slow\";
		interval = 2; timeout = 0.5; ttl = 33; }, { check = \"load-average\"; interval = 1; }"
	comes 1 slow '.state == "critical" and .ttl == 33 and (.description | startswith("killed"))'
	comes 1 "load average over past 15 minutes" '.metric >= 0'
	stops $SLAVE
	until_true 5 eval '! pgrep -f "sleep 98765"'
}

@test "a slave that stops ends its commands and takes its services back" {
	master 1
	slave "{ command = \"sleep 87654\"; service = \"slow\"; interval = 60; timeout = 60; },
		{ command = \"echo fine\"; service = \"fine\"; interval = 60; }"
	comes 1 fine '.state == "ok"'
	until_true 10 pgrep -f "^sleep 87654"
	stops $SLAVE 5
	! pgrep -f "^sleep 87654"
	comes 1 fine '.state == "expired" and .tags == ["retired"]'
	[ -z "$(event 1 slow)" ]
}

@test "a reload takes back the services that are gone, and only these" {
	master 1
	slave "{ command = \"echo a\"; service = \"a\"; interval = 0.5; }, { command = \"echo b\"; service = \"b\"; interval = 0.5; }"
	comes 1 a '.state == "ok"'
	comes 1 b '.state == "ok"'
	sed -i 's/, { command = "echo b".*/);/; s/echo a/echo changed/' "$T/slave.cfg"
	kill -HUP $SLAVE
	comes 1 b '.state == "expired" and .tags == ["retired"]'
	comes 1 a '.state == "ok" and .description == "changed"'
	! grep -F '"mesos/slave/a"' "$T/m1.out" | grep -q retired
	runs $SLAVE
	echo 'checks = ( 7 );' >>"$T/slave.cfg"
	kill -HUP $SLAVE
	heard slave "reload refused"
	n=$(grep -cF '"mesos/slave/a"' "$T/m1.out")
	until_true 5 eval "[ \$(grep -cF '\"mesos/slave/a\"' $T/m1.out) -gt $((n + 2)) ]"
	stops $SLAVE
}

@test "a child gets the configured environment and no file of ours" {
	export SECRET=xyzzy
	master 1
	slave "{ command = \"echo \$(ls /proc/self/fd)\"; shell = true; service = \"fds\"; interval = 1; },
		{ command = \"ulimit -n\"; shell = true; parse = \"number\"; service = \"limit\"; interval = 1; },
		{ command = \"echo \$(env | sort)\"; shell = true; service = \"env\"; interval = 1; }" \
		'command = { env = { COLOUR = "green"; }; };'
	comes 1 fds '.description == "0 1 2 3"'
	comes 1 limit '.metric <= 1024'
	comes 1 env '.description | contains("COLOUR=green") and contains("LANG=C") and (contains("xyzzy") | not)'
	stops $SLAVE
}

@test "Nagios plugins work as they are" {
	[ -x $PLUGINS/check_dummy ] || skip "monitoring-plugins-basic is not installed"
	master 1
	slave "{ command = \"$PLUGINS/check_dummy 0 fine\"; parse = \"nagios\"; service = \"d0\"; interval = 1; },
		{ command = \"$PLUGINS/check_dummy 1 'so so'\"; parse = \"nagios\"; service = \"d1\"; interval = 1; },
		{ command = \"$PLUGINS/check_dummy 2\"; parse = \"nagios\"; service = \"d2\"; interval = 1; },
		{ command = \"$PLUGINS/check_dummy 3\"; parse = \"nagios\"; service = \"d3\"; interval = 1; },
		{ command = \"$PLUGINS/check_procs -w 1:100000\"; parse = \"nagios\"; service = \"procs\"; interval = 1; }"
	comes 1 d0 '.state == "ok" and .description == "OK: fine" and .metric == 0'
	comes 1 d1 '.state == "warning" and .description == "WARNING: so so"'
	comes 1 d2 '.state == "critical" and .metric == 2'
	comes 1 d3 '.state == "unknown"'
	comes 1 procs '.state == "ok" and (.description | test("^PROCS OK: [0-9]+ process") and (contains("|") | not))'
	stops $SLAVE
}

@test "status shows each check's last word, and the queue of each master" {
	master 1
	slave '{ command = "echo so so; exit 1"; shell = true; service = "a"; parse = "nagios"; interval = 0.5; },
		{ command = "echo 17"; service = "n"; parse = "number"; interval = 0.5; },
		{ command = "sleep 50"; service = "slow"; interval = 60; timeout = 60; }'
	status_has() { "$SATELLITE" --config "$T/slave.cfg" status | tee "$T/status" | grep -qE "$1"; }
	until_true 10 status_has '^  warning  mesos/slave/a = [01]: so so \([01] s ago, took [0-9.]+ ms\)'
	until_true 10 status_has '^  ok       mesos/slave/n = 17: 17 '
	until_true 10 status_has '^  runs     mesos/slave/slow \(not reported yet, '
	until_true 10 status_has "^  master 127.0.0.1:$PORT1 +up=1 queued=[0-9]+ spooled=0 acknowledged=[1-9][0-9]* dropped=0"
	until_true 10 status_has "^  master 127.0.0.1:$PORT2 +up=0 queued=[1-9][0-9]* "
	stops $SLAVE
}

@test "a dry run prints events and sends none" {
	master 1
	slave "{ check = \"load-average\"; interval = 1; }"
	heard slave "runs on h1"
	stops $SLAVE
	heard=$(wc -l <"$T/m1.out")
	start dry --dry-run --config "$T/slave.cfg"
	until_true 10 grep -qF '"does": "forward"' "$T/dry.out"
	stops $PID
	[ "$(wc -l <"$T/m1.out")" = "$heard" ]
}

@test "mistakes in checks are found with file and line" {
	cat >"$T/bad.cfg" <<-END
		role = "slave"; state-dir = "$T/bad";
		forward = { masters = ( "m1:99999" ); };
		checks = (
		  { check = "free-memory"; threshold = 50; },
		  { check = "free-memory"; threshold = 60; },
		  { command = "echo 'x"; service = "x"; },
		  { command = "echo x"; },
		  { check = "percentage-used"; }
		);
	END
	run "$SATELLITE" --check --config "$T/bad.cfg"
	[ "$status" = 1 ]
	for line in 2 5 6 7 8; do [[ "$output" == *"bad.cfg:$line:"* ]] || { echo "$output"; false; }; done
}

@test "the footprint of the sample configuration is small" {
	master 1
	sed "s/127.0.0.1:5555/127.0.0.1:$PORT1/; s/interval = 60/interval = 1/" "$ROOT/etc/slave.cfg" >"$T/sample.cfg"
	echo "state-dir = \"$T/sample\";" >>"$T/sample.cfg"
	start sample --config "$T/sample.cfg"
	comes 1 "free memory in MB" '.metric > 0'
	before=$(awk '{print $14 + $15}' /proc/$PID/stat)
	until_true 20 eval "[ \$(grep -c 'free memory' $T/m1.out) -ge 10 ]"
	after=$(awk '{print $14 + $15}' /proc/$PID/stat)
	rss=$(awk '/^VmRSS/{print $2}' /proc/$PID/status)
	echo "# slave: $rss KiB resident, $(((after - before) * 10)) ms of CPU for 10 rounds of its checks" >&3
	! sanitized || skip "sanitized"
	[ "$rss" -le 6144 ]
	stops $PID
}
