# SPDX-License-Identifier: Apache-2.0
# simulate.bash - a simulated Mesos for scenarios, after common.bash.

# simulate OPTIONS...: it is there; C is its control.
simulate() {
	rm -f "$T/ports"
	"$SIM" --port 0 --ports-file "$T/ports" "$@" >/dev/null 2>>"$T/sim.log" 3>&- &
	PIDS+=("$!")
	until_true 10 test -f "$T/ports"
	C=$(awk '$1 == "control" { print "http://" $2 }' "$T/ports")
}

# address WHAT NAME: of a simulated master or agent.
address() { awk -v what="$1" -v name="$2" '$1 == what && $2 == name { print "http://" $3 }' "$T/ports"; }
# order WHAT [BODY]: the control does so.
order() { curl -sSf --max-time 10 -o /dev/null -X POST -d "${2-}" "$C/sim/$1"; }
