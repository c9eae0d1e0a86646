#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# command - programs of others as checks: Debian's plugins as they are, and programs that behave badly.

load common

setup() {
	common_setup
	HTTP=$(free_port)
	PLUGINS=/usr/lib/nagios/plugins
}
teardown() {
	common_teardown
	[ -z "${FREEZER:-}" ] || thaw
}

# slave CHECKS [SETTINGS]: a satellite that prints its events, with the mark of this test in the environment of its commands.
slave() {
	cat >"$T/slave.cfg" <<-END
		role = "slave"; state-dir = "$T/slave"; host = "h1"; service-prefix = ""; modules = ( "command" );
		http = { port = $HTTP; }; streams = ( "print" );
		command = { env = { MARK = "$T"; }; ${2:-} };
		checks = ( $1 );
	END
	start slave --config "$T/slave.cfg"
	SLAVE=$PID
}

# event SERVICE: the last one of it.
event() { grep -F "\"service\":\"$1\"" "$T/slave.out" | tail -n 1; }
# shows SERVICE FILTER: jq's filter is true of it.
shows() {
	local e
	e=$(event "$1")
	[ -n "$e" ] && jq -e "$2" >/dev/null <<<"$e"
}
# comes SERVICE FILTER: it does, soon.
comes() { until_true 15 shows "$@" || { event "$1"; return 1; }; }
# count SERVICE TEXT: how many events of it hold this.
count() { grep -F "\"service\":\"$1\"" "$T/slave.out" | grep -cF -- "$2" || true; }
at_least() { [ "$(count "$1" "$2")" -ge "$3" ]; }

# ours: the processes that bear the mark, dead ones apart.
ours() {
	local p
	for p in /proc/[0-9]*; do
		grep -qzxF "MARK=$T" "$p/environ" 2>/dev/null && echo "${p#/proc/}"
	done
	true
}
none_left() { [ -z "$(ours)" ]; }

# masked: numbers differ from one run to the next.
masked() { sed -E 's/[0-9]+([.][0-9]+)*/N/g'; }

# by_hand COMMAND: what the plugin says without us, as the state, the text and its figures, a line each.
by_hand() {
	local out status=0 states=(ok warning critical unknown)
	out=$(env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C sh -c "$1" 2>/dev/null) || status=$?
	echo "${states[$status]}"
	head -n 1 <<<"$out" | sed 's/ *|.*//'
	head -n 1 <<<"$out" | sed -n 's/^[^|]*|//p' | tr ' ' '\n' | sed -n 's/^time=/perf-time=/; s/^\([^=;]*=[^;]*\).*/\1/p' | LC_ALL=C sort
}

# by_us SERVICE: the same, from its event.
by_us() {
	event "$1" | jq -r '.state, .description, (to_entries[] |
		select(.key | IN("host", "service", "state", "description", "metric", "tags", "time", "ttl") | not) |
		"\(.key)=\(.value)")'
}

@test "fourteen plugins of Debian say the same by us as by hand" {
	[ -x $PLUGINS/check_disk ] || skip "monitoring-plugins-basic is not installed"
	echo "nothing" >"$T/log"
	touch -d '1 hour ago' "$T/old"
	printf '1 2 3 4 5\n%s 100 200 150 300\n' "$(date +%s)" >"$T/mrtg"
	for who in us hand; do $PLUGINS/check_log -F "$T/log" -O "$T/log.$who" -q bad; done
	declare -A plugins=(
		[disk]="check_disk -w 1% -c 1% -p /"
		[load]="check_load -w 900,900,900 -c 990,990,990"
		[procs]="check_procs -w 1:100000"
		[swap]="check_swap -w 10% -c 5%"
		[users]="check_users -w 500 -c 600"
		[tcp]="check_tcp -H 127.0.0.1 -p $HTTP"
		[refused]="check_tcp -H 127.0.0.1 -p $(free_port)"
		[http]="check_http -H 127.0.0.1 -p $HTTP -u /healthz"
		[missing]="check_http -H 127.0.0.1 -p $HTTP -u /nowhere"
		[dummy]="check_dummy 1 'so so'"
		[age]="check_file_age -w 60 -c 600 -f $T/old"
		[log]="check_log -F $T/log -O $T/log.us -q bad"
		[cluster]="check_cluster -s -l things -d 0,1,2 -w 0 -c 2"
		[icmp]="check_icmp -H 127.0.0.1"
		[mrtg]="check_mrtg -F $T/mrtg -a AVG -v 1 -w 50 -c 500 -l in -u B"
		[negate]="negate -o CRITICAL $PLUGINS/check_dummy 0 fine"
		[usage]="check_disk"
	)
	local checks=""
	for p in "${!plugins[@]}"; do
		checks+="${checks:+, }{ command = \"$PLUGINS/${plugins[$p]}\"; parse = \"nagios\"; service = \"$p\"; interval = 60; }"
	done
	slave "$checks"
	until_true 5 listens "$HTTP"
	for p in "${!plugins[@]}"; do
		comes "$p" '.state != null'
		by_hand "$PLUGINS/${plugins[$p]//log.us/log.hand}" | masked >"$T/hand"
		by_us "$p" | masked >"$T/us"
		diff "$T/hand" "$T/us" || { echo "that was $p: ${plugins[$p]}"; event "$p"; false; }
		[ "$(wc -l <"$T/us")" -gt 1 ]
	done
	# The metric is the first figure, or the exit status.
	shows load '(.metric | tostring) == (.load1 | tonumber | tostring)'
	shows disk '(.metric | tostring) + "B" == .["/"]'
	shows http '.size | test("^[0-9]+B$")'
	shows cluster '.metric == 1'
	shows refused '.state == "critical" and .metric == 2'
	stops $SLAVE
}

@test "figures as events, and a number against a range" {
	slave "{ command = ( \"printf\", \"FINE|a=1.5s;2;3 'b c'=7%%\\n\" ); parse = \"nagios\"; perfdata = \"events\"; service = \"p\"; interval = 1; },
		{ command = \"echo 21\"; parse = \"number\"; warning = \"10:20\"; critical = \"~:30\"; service = \"n\"; interval = 1; }"
	comes p '.state == "ok" and .metric == 1.5'
	comes p/a '.state == "ok" and .metric == 1.5 and .unit == "s" and .warning == "2" and .critical == "3"'
	comes "p/b c" '.metric == 7 and .unit == "%"'
	comes n '.state == "warning" and .metric == 21 and .description == "21, warning outside 10:20"'
	sed -i 's/perfdata = "events"; service = "p"/perfdata = "none"; service = "q"/' "$T/slave.cfg"
	kill -HUP $SLAVE
	for s in p p/a "p/b c"; do comes "$s" '.state == "expired" and .tags == ["retired"]'; done
	comes q '.metric == 0 and .description == "FINE"'
	stops $SLAVE
}

@test "programs that behave badly are held, say so, and leave nothing behind" {
	slave "{ command = \"for i in \$(seq 200); do sleep 4321 & done; wait\"; shell = true; service = \"bomb\"; interval = 2; timeout = 1; },
		{ command = \"for i in \$(seq 50); do sleep 4321 >/dev/null 2>&1 & done; echo done\"; shell = true; service = \"litter\"; interval = 1; timeout = 60; },
		{ command = \"yes\"; service = \"endless\"; interval = 2; timeout = 1; },
		{ command = \"yes 'a=1 b=2 |'\"; parse = \"nagios\"; service = \"figures\"; interval = 2; timeout = 1; },
		{ command = \"trap '' TERM; while :; do sleep 4321; done\"; shell = true; service = \"stubborn\"; interval = 4; timeout = 0.5; },
		{ command = \"head -c 5000 /dev/urandom\"; service = \"binary\"; interval = 1; timeout = 60; },
		{ command = \"head -c 5000 /dev/urandom\"; parse = \"nagios\"; service = \"binary2\"; interval = 1; timeout = 60; },
		{ command = \"exec >&- 2>&-; sleep 0.1; exit 1\"; shell = true; service = \"closed\"; interval = 1; timeout = 60; },
		{ command = \"printf %010000d 1\"; service = \"long\"; interval = 1; timeout = 60; },
		{ command = \"printf 'x|%010000d=1 a=1'\"; shell = true; parse = \"nagios\"; service = \"label\"; interval = 1; timeout = 60; },
		{ command = \"echo fine\"; service = \"fine\"; interval = 1; timeout = 60; }"
	for s in bomb endless figures stubborn; do comes $s '.state == "critical" and (.description | startswith("killed: not done after"))'; done
	comes litter '.state == "ok" and .description == "done"'
	comes binary '.state == "ok" and (.description | length > 0)'
	comes binary2 '.state == "ok"'
	comes closed '.state == "critical" and .description == "exit status 1"'
	comes long '.state == "ok" and (.description | length) == 1023'
	comes label '.state == "ok" and .description == "x" and .metric == 1 and .a == "1"'
	comes fine '.state == "ok"'
	# Again and again: no more of them each time, and no more memory.
	until_true 20 at_least bomb killed: 3
	until_true 20 at_least stubborn killed: 2
	[ "$(ours | wc -l)" -le 300 ]
	n=$(count fine fine)
	until_true 5 at_least fine fine $((n + 2))
	jq -es 'length > 20' "$T/slave.out" >/dev/null
	peak=$(awk '/^VmHWM/{print $2}' /proc/$SLAVE/status)
	echo "# at most $peak KiB resident" >&3
	sanitized || [ "$peak" -le 10240 ]
	stops $SLAVE
	until_true 5 none_left
}

@test "a satellite that is killed leaves no command behind" {
	slave "{ command = \"sleep 4321\"; service = \"s\"; interval = 60; }, { command = \"sleep 4321\"; service = \"t\"; interval = 60; }"
	until_true 10 eval '[ "$(ours | wc -l)" = 2 ]'
	kill -KILL $SLAVE
	ends $SLAVE || true
	until_true 5 none_left
}

@test "daemons, too, end with a cgroup" {
	for root in /sys/fs/cgroup/unified /sys/fs/cgroup; do
		G=$root/satellite-test.$$
		mkdir "$G" 2>/dev/null && [ -w "$G/cgroup.kill" ] && break
		rmdir "$G" 2>/dev/null || true
		G=
	done
	[ -n "$G" ] || skip "there is no cgroup v2 to write to"
	slave "{ command = \"setsid sleep 4321 >/dev/null 2>&1 & echo left\"; shell = true; service = \"left\"; interval = 1; },
		{ command = \"setsid sh -c 'trap \\\"\\\" TERM; while :; do sleep 4321; done' & wait\"; shell = true; service = \"slow\"; interval = 1; timeout = 0.5; },
		{ command = \"grep ^0:: /proc/self/cgroup\"; service = \"where\"; interval = 1; cgroup = \"$G\"; },
		{ command = \"true\"; service = \"missing\"; interval = 1; cgroup = \"$G/none\"; }" "cgroup = \"$G\";"
	comes left '.state == "ok" and .description == "left"'
	comes slow '.state == "critical" and (.description | startswith("killed"))'
	comes where '.description | test("/satellite-test[.][0-9]+/where-[0-9a-f]{8}$")'
	comes missing '.state == "critical" and (.description | endswith("/none: there is no such folder: make it first"))'
	until_true 10 at_least left left 3
	[ "$(ours | wc -l)" -le 12 ]
	# What a satellite that was killed left there is killed by the next.
	until_true 5 eval '[ -n "$(cat '"$G"'/slow-*/cgroup.procs)" ]'
	kill -KILL $SLAVE
	ends $SLAVE || true
	[ -n "$(ours)" ]
	mv "$T/slave.out" "$T/before.out"
	start slave --config "$T/slave.cfg"
	SLAVE=$PID
	comes slow '.state == "critical"'
	stops $SLAVE
	until_true 5 none_left
	rmdir "$G"/*/ 2>/dev/null || true	# the satellite removes those that are empty when it looks
	until_true 5 rmdir "$G"
}

@test "as another user, with its groups, and nicely" {
	[ "$(id -u)" = 0 ] || skip "only root can"
	slave "{ command = \"echo \$(id -un) \$(id -G) \$(nice)\"; shell = true; service = \"who\"; interval = 1; }" 'user = "nobody"; nice = 9;'
	comes who ".description == \"nobody $(id -G nobody) 9\""
	sed -i 's/user = "nobody"/user = "nobody-at-all"/' "$T/slave.cfg"
	run "$SATELLITE" --check --config "$T/slave.cfg"
	[ "$status" = 1 ]
	[[ "$output" == *'slave.cfg:3: '*'"nobody-at-all": no such user'* ]]
	stops $SLAVE
}

# A process in uninterruptible sleep: frozen by the first kind of cgroups, it does not even take SIGKILL.
thaw() {
	echo THAWED >"$FREEZER/freezer.state"
	until_true 5 eval "[ -z \"\$(cat $FREEZER/tasks)\" ]"
	rmdir "$FREEZER"
}

@test "what is in uninterruptible sleep is in nobody's way, does not pile up, and does not hold the end" {
	FREEZER=/sys/fs/cgroup/freezer/satellite-test.$$
	mkdir "$FREEZER" 2>/dev/null || { FREEZER=; skip "there is no freezer to write to"; }
	slave "{ command = \"echo x >>$T/hung; echo \$\$ >$FREEZER/tasks; echo FROZEN >$FREEZER/freezer.state; sleep 4321\"; shell = true;
			service = \"hung\"; interval = 1; timeout = 0.5; },
		{ command = \"echo fine\"; service = \"fine\"; interval = 0.5; timeout = 60; }" "parallel = 1;"
	comes hung '.state == "critical" and (.description | startswith("killed"))'
	[ "$(ps -o stat= -p "$(cat "$FREEZER/tasks")" | cut -c1)" = D ]
	n=$(count fine fine)
	until_true 10 at_least fine fine $((n + 3))
	comes hung '.state == "critical" and (.description | startswith("still running after"))'
	[ "$(wc -l <"$T/hung")" = 1 ]
	[ "$(ours | wc -l)" -le 2 ]
	kill -TERM $SLAVE
	ends $SLAVE 15
	heard slave "check hung: still running"
	thaw
	FREEZER=
	until_true 5 none_left
}
