#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# demo.sh - the main job, told as it happens: a simulated Mesos of 100 hosts, a master, real slaves,
# one host that goes bad, leaves the whitelist, recovers and comes back.  ONCE=1: end by itself, exit
# status 0 only if all of it happened.
set -u
cd "$(dirname "$0")/.."
O=${O:-build}
work=$(mktemp -d "${TMPDIR:-/tmp}/satellite-demo.XXXXXX")
pids=
began=$(date +%s)
bad=agent003.example.com

say() { printf '%3ds  %s\n' $(($(date +%s) - began)) "$*"; }
note() { printf '      %s\n' "$*"; }

finish() {
	trap - EXIT INT TERM
	for pid in $pids; do kill -TERM "$pid" 2>/dev/null; done
	for pid in $pids; do wait "$pid" 2>/dev/null; done
	rm -rf "$work"
	exit "$1"
}
trap 'finish 130' INT TERM
trap 'finish $?' EXIT

# missed WHAT LOG: the step did not happen in time.
missed() {
	say "MISSED: $1"
	tail -n 20 "$work/$2.log" | sed 's/^/      | /'
	finish 1
}

# within SECONDS WHAT LOG COMMAND…: wait until the command succeeds.
within() {
	local end=$(($(date +%s) + $1)) what=$2 log=$3
	shift 3
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt "$end" ] || missed "$what" "$log"
		sleep 0.1
	done
}

free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 12000))
		grep -qsx "$port" "$work/.ports" || [ -n "$(ss -Htln "sport = :$port")" ] || break
	done
	echo "$port" | tee -a "$work/.ports"
}

run() { # run NAME COMMAND…: in the background, its output in NAME.log
	local name=$1
	shift
	"$@" >"$work/$name.log" 2>&1 &
	pids="$pids $!"
}

# ---- What is asked along the way -------------------------------------------

rest() { curl -sf --max-time 5 "http://127.0.0.1:$http$1" "${@:2}"; }
listed() { grep -qxF "$1" "$work/whitelist"; }
unlisted() { [ -s "$work/whitelist" ] && ! listed "$1"; }
listed_count() { [ "$(wc -l <"$work/whitelist")" = "$1" ]; }
mesos_offers() { curl -sf "http://127.0.0.1:$control/sim/whitelist" | jq -e --arg h "$1" 'tostring | contains($h)'; }
mesos_spares() { ! mesos_offers "$1"; }
heard() { [ "$(rest '/index?query=service%20%3D~%20%22mesos/slave/%25%22' | jq length)" -ge "$1" ]; }

# ---- The cast ---------------------------------------------------------------

start_mesos() {
	run mesos "$O/satellite-sim" --masters 1 --port 0 --control 0 --agents 100 --hostname 'agent%03d.example.com' \
		--tasks 400 --churn 10 --whitelist "$work/whitelist" --whitelist-interval 1 --ports-file "$work/ports"
	within 10 "the simulated Mesos starts" mesos test -s "$work/ports"
	mesos=$(awk '$1 == "master" { sub(".*:", "", $3); print $3 }' "$work/ports")
	control=$(awk '$1 == "control" { sub(".*:", "", $2); print $2 }' "$work/ports")
	say "Mesos (simulated) runs 400 tasks on 100 agents: http://127.0.0.1:$mesos/state"
}

# The streams are those of etc/master.cfg, with seconds where it has minutes.  The guard is off because
# what it keeps from happening is what a demo shows; a cluster keeps its default.
start_master() {
	http=$(free_port) riemann=$(free_port)
	{
		echo "role = \"master\"; state-dir = \"$work/master\"; host = \"master1.example.com\";"
		echo "http = { host = \"127.0.0.1\"; port = $http; };"
		echo 'modules = ( "riemann", "mesos-master", "whitelist" );'
		echo "riemann = { host = \"127.0.0.1\"; port = $riemann; };"
		echo "mesos-master = { url = \"http://127.0.0.1:$mesos\"; interval = 2; };"
		echo "whitelist = { path = \"$work/whitelist\"; resolve = false; guard = { mode = \"off\"; }; };"
		sed -n '/^streams = (/,/^);/p' etc/master.cfg | sed 's/coalesce = 60/coalesce = 1/'
	} >"$work/master.cfg"
	mkdir -p "$work/master"
	"$O/satellite" --check --config "$work/master.cfg" >"$work/master.log" 2>&1 || missed "the configuration is right" master
	run master "$O/satellite" --config "$work/master.cfg"
	within 10 "the master is ready" master rest /readyz
	within 20 "the whitelist holds all 100 agents that Mesos knows" master listed_count 100
	say "a satellite master runs beside it; nobody told it a host: its whitelist holds all 100"
}

start_slaves() {
	local i name
	for i in 1 2 3 4 5; do
		name=agent00$i.example.com
		mkdir -p "$work/$name"
		touch "$work/$name/scratch-disk"
		cat >"$work/$name.cfg" <<-CFG
			role = "slave"; state-dir = "$work/$name"; host = "$name";
			modules = ( "checks", "command", "forward" );
			forward = { masters = ( "127.0.0.1:$riemann" ); };
			checks = (
			  { check = "free-memory"; interval = 1; threshold = 1; },
			  { check = "load-average"; interval = 1; threshold = 10000; },
			  { check = "file-exists"; path = "$work/$name/scratch-disk"; interval = 1; },
			  { command = "test -d /proc"; service = "proc is mounted"; interval = 1; timeout = 5; }
			);
		CFG
		run "$name" "$O/satellite" --config "$work/$name.cfg"
	done
	within 20 "five slaves report four checks each" master heard 20
	say "five satellite slaves report: 20 checks, all well"
}

where_to_look() {
	note "hosts      http://127.0.0.1:$http/whitelist/all"
	note "events     http://127.0.0.1:$http/index?query=state%3D%27critical%27"
	note "figures    http://127.0.0.1:$http/metrics/snapshot"
	note "status     $O/satellite status --state-dir $work/master"
	note "Riemann    riemann-client query 'state = \"critical\"' 127.0.0.1 $riemann"
	note "the file   $work/whitelist"
}

# ---- The story ---------------------------------------------------------------

goes_bad() {
	say "the disk of $bad vanishes"
	rm "$work/$bad/scratch-disk"
	within 15 "$bad leaves the whitelist" master unlisted "$bad"
	say "its check failed: $bad left the whitelist; $(wc -l <"$work/whitelist") hosts stay"
	within 10 "Mesos offers $bad no more" mesos mesos_spares "$bad"
	say "Mesos read the file: $bad gets no new tasks; those it has run on"
	rest "/index?query=host%3D%27$bad%27%20and%20state%3D%27critical%27" |
		jq -r '.[] | "      \(.host): \(.service) is \(.state)"'
}

comes_back() {
	say "the disk of $bad is there again"
	touch "$work/$bad/scratch-disk"
	within 15 "$bad comes back" master listed "$bad"
	say "all its checks pass: $bad is back on the whitelist"
	within 10 "Mesos offers $bad again" mesos mesos_offers "$bad"
	say "Mesos offers it again"
}

a_person_decides() {
	local url="/whitelist/host/agent042.example.com/event/upgrade"
	rest "$url" -X POST -d '{"state":"critical","ttl":"1hour","description":"kernel upgrade"}' >/dev/null ||
		missed "a person turns agent042 off" master
	within 10 "agent042 leaves the whitelist" master unlisted agent042.example.com
	say "a person turned agent042 off for an hour, with a reason: no check brings it back"
	rest "$url" -X DELETE >/dev/null || missed "a person lets agent042 go" master
	within 10 "agent042 comes back" master listed agent042.example.com
	say "and took that back: agent042 works again"
}

start_mesos
start_master
start_slaves
where_to_look
goes_bad
comes_back
a_person_decides
within 10 "all 100 hosts are on" master listed_count 100
say "all 100 hosts work; nothing else was touched"
[ "${ONCE:-0}" = 0 ] || finish 0

say "it goes on, with a bad host once a minute, until Ctrl-C"
where_to_look
while :; do
	sleep 30 &
	wait $!
	goes_bad
	sleep 30 &
	wait $!
	comes_back
done
