# SPDX-License-Identifier: Apache-2.0
# common.bash - what scenarios share: satellites on free ports, and waiting with a deadline.
# In a .bats: load common; setup() { common_setup; }; teardown() { common_teardown; }

common_setup() {
	ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
	case ${O:-build} in /*) BUILD=$O ;; *) BUILD=$ROOT/${O:-build} ;; esac
	SATELLITE=$BUILD/satellite
	SIM=$BUILD/satellite-sim
	T=$(mktemp -d)
	PIDS=()
	unset XDG_STATE_HOME
	export HOME=$T
}

common_teardown() {
	for p in "${PIDS[@]}"; do
		kill -KILL "$p" 2>/dev/null || true
		wait "$p" 2>/dev/null || true
	done
	[ -n "${BATS_TEST_COMPLETED:-}" ] || tail -n 40 "$T"/*.log 2>/dev/null || true
	rm -rf "$T"
}

# until_true SECONDS COMMAND...: try it 20 times a second.  SECONDS is what it takes at most on a machine with
# nothing else to do; a busy one, or a sanitizer, is given PATIENCE times that.
until_true() {
	local n=$(($1 * 20 * ${PATIENCE:-3}))
	shift
	while ! "$@"; do
		n=$((n - 1))
		[ $n -gt 0 ] || { echo "never: $*"; return 1; }
		sleep 0.05
	done
}

# stays_true SECONDS COMMAND...: it does so all that time.
stays_true() {
	local n=$(($1 * 10))
	shift
	while [ $n -gt 0 ]; do
		"$@" || { echo "no longer: $*"; return 1; }
		n=$((n - 1))
		sleep 0.1
	done
}

# free_port: one that nobody has now, below those the kernel hands out.  They go round in turn, for all tests of all
# runs, so that what is given to one that has not bound it yet is not given to another.
free_port() {
	local p
	{
		flock 9
		p=$(cat <&9)
		while p=$((10000 + (p + 1) % 10000)); ss -Hlnut "sport = :$p" | grep -q .; do :; done
		echo "$p" | tee "/tmp/satellite-test.port.$UID"
	} 9<>"/tmp/satellite-test.port.$UID"
}

# sanitized: its memory and speed say nothing then.
sanitized() { [[ $BUILD == *-[at]san ]]; }

# start NAME ARGS...: a satellite in the background, logging to $T/NAME.log; PID is its pid.
start() {
	local name=$1
	shift
	"$SATELLITE" "$@" >"$T/$name.out" 2>>"$T/$name.log" 3>&- &
	PID=$!
	PIDS+=("$PID")
}

# sat ARGUMENTS...: a command to the satellite of $T/master.cfg, unless the story has another.
sat() { "$SATELLITE" --config "$T/master.cfg" "$@"; }

# said NAME TEXT: a line of its log holds this.
said() { grep -qF -- "$2" "$T/$1.log"; }
# heard NAME TEXT: it does so within 10 seconds.
heard() { until_true 10 said "$1" "$2"; }
# times NAME TEXT: how many lines do.
times() { grep -cF -- "$2" "$T/$1.log" || true; }
said_times() { [ "$(times "$1" "$2")" = "$3" ]; }
runs() { kill -0 "$1" 2>/dev/null; }
gone() { ! runs "$1"; }
listens() { ss -Hlnut "sport = :$1" | grep -q .; }

# ends PID [SECONDS]: its exit status, once it has ended in time.
ends() {
	local status=0
	until_true "${2:-6}" gone "$1" || return 99
	wait "$1" || status=$?
	return $status
}

# stops PID [SECONDS]: SIGTERM; it ends well, in time.
stops() {
	kill -TERM "$1"
	ends "$@"
}

get() { curl -sS --max-time 30 "$@"; }
status_of() { curl -s --max-time 30 -o /dev/null -w '%{http_code}' "$@" || true; }
