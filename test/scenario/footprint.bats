#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# footprint.bats - an hour of a slave's checks, at 120 times the pace, under valgrind: nothing grows, nothing leaks.
# ROUNDS=N: so many minutes of that hour are run (60).

load common
setup() { common_setup; }
teardown() { common_teardown; }

rounds() { grep -c '"service":"mesos/slave/free memory in MB"' "$T/master.out"; }
reached() { [ "$(rounds)" -ge "$1" ]; }
# held: bytes of the slave's heap right now, whatever points to them.
held() {
	vgdb --vgdb-prefix="$T/vgdb" --pid="$SLAVE" leak_check summary any 2>/dev/null |
		sed -nE 's/.*(definitely lost|indirectly lost|possibly lost|still reachable): ([0-9,]+).*/\2/p' |
		tr -d , | awk '{ n += $1 } END { print n + 0 }'
}

# small N: it holds no more than that; what runs under way hold comes and goes.
small() { late=$(held); [ "$late" -gt 10000 ] && [ "$late" -lt "$1" ]; }

@test "an hour of checks under valgrind: no growth, no leak, no error" {
	! sanitized || skip "sanitized: valgrind cannot run it"
	local port early late=0 all=${ROUNDS:-60}
	port=$(free_port)
	cat >"$T/master.cfg" <<-END
		role = "master"; state-dir = "$T/m"; http = { port = $(free_port); };
		modules = ( "riemann" ); riemann = { port = $port; }; streams = ( "print" );
	END
	cat >"$T/slave.cfg" <<-END
		role = "slave"; state-dir = "$T/s"; host = "h";
		forward = { masters = ( "127.0.0.1:$port" ); };
		checks = ( { check = "free-memory"; interval = 0.5; }, { check = "free-swap-iff-swap"; interval = 0.5; },
		  { check = "percentage-used"; path = "/"; interval = 0.5; }, { check = "load-average"; interval = 0.5; },
		  { check = "num-uninterruptable-processes"; interval = 0.5; threshold = 1000; },
		  { check = "file-exists"; path = "/etc/passwd"; interval = 0.5; },
		  { command = "echo 'OK: fine | a=1;2;3'"; parse = "nagios"; service = "nagios"; interval = 0.5; },
		  { command = "echo 17"; parse = "number"; service = "number"; interval = 0.5; },
		  { command = ( "echo", "{\"service\":\"j\",\"metric\":1}" ); parse = "json"; service = "json"; interval = 0.5; },
		  { command = "sleep 60"; service = "slow"; interval = 2; timeout = 0.5; } );
	END
	start master --config "$T/master.cfg"
	until_true 10 listens "$port"
	valgrind --leak-check=full --errors-for-leak-kinds=definite,indirect,possible --error-exitcode=99 \
		--log-file="$T/valgrind.log" --vgdb-prefix="$T/vgdb" \
		"$SATELLITE" --config "$T/slave.cfg" >"$T/slave.out" 2>"$T/slave.log" 3>&- &
	SLAVE=$!
	PIDS+=("$SLAVE")
	until_true 60 reached $((all / 6))
	early=$(held)
	until_true $((all * 2 + 60)) reached "$all"
	until_true 5 small $((early + 16384))
	echo "# heap after $((all / 6)) rounds $early bytes, after $all rounds $late" >&3
	[ "$early" -gt 10000 ]
	kill -TERM "$SLAVE"
	ends "$SLAVE" 20 || { cat "$T/valgrind.log"; false; }
	grep -q "ERROR SUMMARY: 0 errors" "$T/valgrind.log" || { cat "$T/valgrind.log"; false; }
}
