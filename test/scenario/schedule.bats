# SPDX-License-Identifier: Apache-2.0
# schedule - checks keep their pace, and what they said stays good, whatever the clocks do.
# alone: it tells by the clock when each check ran, and nothing else may be late

load common

CHECKS=8

setup() {
	common_setup
	! sanitized || skip "LD_PRELOAD"
	PORT=$(free_port)
	cc -shared -fPIC -D_GNU_SOURCE -o "$T/clock.so" "$ROOT/test/clients/clock.c" -ldl
	mkdir "$T/runs"
	shift_clocks 0 0
	cat >"$T/m.cfg" <<-END
		role = "master"; state-dir = "$T/m"; modules = ( "riemann" ); riemann = { port = $PORT; };
		http = { port = $(free_port); }; index = { reap = 1; }; streams = ( "index", "print" );
	END
	{
		echo "role = \"slave\"; state-dir = \"$T/s\"; host = \"h1\"; forward = { masters = \"127.0.0.1:$PORT\"; };"
		echo 'checks = ( '
		for n in $(seq $CHECKS); do
			[ "$n" = 1 ] || echo ,
			# Its own clock is the machine's.
			echo "{ command = \"date +%s.%N >>$T/runs/$n; cat $T/shift\"; shell = true; parse = \"number\"; service = \"c$n\"; interval = 1; }"
		done
		echo ' );'
	} >"$T/s.cfg"
	export LD_PRELOAD=$T/clock.so CLOCK=$T/clock
	start m --config "$T/m.cfg"
	MASTER=$PID
	start s --config "$T/s.cfg"
	SLAVE=$PID
	unset LD_PRELOAD
	until_true 10 eval "[ \$(ls $T/runs | wc -l) = $CHECKS ]"
}
teardown() { common_teardown; }

# shift_clocks WALL BOOT: seconds that both programs' clocks are ahead of the machine's.
shift_clocks() {
	echo "$1" >"$T/shift"
	/usr/bin/python3 -c 'import struct, sys; open(sys.argv[1], "r+b" if len(sys.argv) > 4 else "wb").write(struct.pack("=qq", int(sys.argv[2]) * 10**6, int(sys.argv[3]) * 10**6))' \
		"$T/clock" "$1" "$2" $([ -s "$T/clock" ] && echo again)
}

# all_is_well SECONDS: for so long from now each check runs once a second, and never twice at once (half a
# second lies between by rights, and programs start late on a busy machine); nothing expires.
all_is_well() {
	local from
	from=$(date +%s.%N)
	sleep "$1"
	for n in $(seq $CHECKS); do
		awk -v from="$from" -v n="$n" -v seconds="$1" '$1 >= from { k++; if (last != "" && $1 - last < 0.25) twice++; last = $1 }
			END { if (k > seconds + 1 || k < seconds - 2 || twice > 0) { print "check", n, "ran", k, "times,", twice + 0, "too soon"; exit 1 } }' \
			"$T/runs/$n"
	done
	! grep -F '"state":"expired"' "$T/m.out"
	runs "$MASTER" && runs "$SLAVE"
}

# Each event's time is that of the shifted wall when the check ran, to two seconds; the check says by how much.
times_are_right() {
	tail -n 30 "$T/m.out" | jq -r '[.metric, (.time | sub("\\.[0-9]+Z"; "Z") | fromdate), .ttl] | @tsv' >"$T/times"
	[ -s "$T/times" ]
	awk -v now="$(date +%s)" '{ real = $2 - $1; if (real > now + 2 || real < now - 12 || $3 != 5) { print "not right:", $0, now; exit 1 } }' "$T/times"
}

@test "a wall that steps an hour on, back and further back changes no pace, and expires nothing" {
	all_is_well 4
	times_are_right
	for wall in 3600 0 -3600 0; do
		shift_clocks $wall 0
		all_is_well 6
		times_are_right
	done
	# No drift: each still runs at its own moment of the second, and not all at the same.
	for n in $(seq $CHECKS); do
		awk 'NR > 1 { f = $1 - int($1); if (first == "") first = f; d = f - first; d = d < 0 ? -d : d; d = d > 0.5 ? 1 - d : d }
			END { if (d > 0.25) { print "it drifts:", first, f; exit 1 } print int(first * 5) }' "$T/runs/$n"
	done >"$T/moments" || { cat "$T/moments"; false; }
	[ "$(sort -u "$T/moments" | wc -l)" -ge 2 ]
}

@test "five minutes of suspend are no reason to catch up, and expire nothing" {
	all_is_well 3
	shift_clocks 300 300
	all_is_well 7
	times_are_right
	# And again while both are stopped, as in a suspend: the clocks go on, and nobody looks.
	kill -STOP $SLAVE $MASTER
	shift_clocks 600 600
	sleep 2
	kill -CONT $MASTER $SLAVE
	all_is_well 7
	times_are_right
}

@test "a slave that is stopped for seconds goes on as before, and so does a master" {
	all_is_well 2
	kill -STOP $SLAVE
	sleep 3
	kill -CONT $SLAVE
	all_is_well 6
	kill -STOP $MASTER
	sleep 8
	kill -CONT $MASTER
	all_is_well 6
	times_are_right
}
