#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# whitelist.sh - three masters that share 10,000 hosts in ZooKeeper: from POST to file, and changes kept a second.
#
# HOSTS=N: so many hosts; POSTS=N: so many are timed; ROUNDS=N: so often every host is turned off or on.
# All of it, the server too, runs on this machine.  So beside it stands what a bare client of the same server
# gets that writes the same nodes, pipelined, while nobody watches.
set -eu
cd "$(dirname "$0")/../.."
# shellcheck source=test/scenario/common.bash
. test/scenario/common.bash
# shellcheck source=test/scenario/zookeeper.bash
. test/scenario/zookeeper.bash
if ! command -v java >/dev/null || ! [ -f /usr/share/java/zookeeper.jar ] || ! [ -x "${O:-build}/test/bench/zkset" ]; then
	echo "whitelist: not measured: there is no ZooKeeper here (Debian: zookeeper, libzookeeper-mt-dev)"
	exit 0
fi
hosts=${HOSTS:-10000}
BATS_TEST_DIRNAME=$PWD/test/scenario BATS_TEST_COMPLETED=1
common_setup
trap 'common_teardown' EXIT

master() {	# NAME: sets port, riemann
	port=$(free_port) riemann=$(free_port)
	mkdir -p "$T/$1"
	cat >"$T/$1.cfg" <<-END
		role = "master";
		host = "$1";
		state-dir = "$T/$1";
		log = { level = "warning"; };
		http = { host = "127.0.0.1"; port = $port; };
		modules = ( "riemann", "whitelist" );
		riemann = { host = "127.0.0.1"; port = $riemann; };
		whitelist = { path = "$T/$1/whitelist"; resolve = false; store = "zookeeper"; import = false;
			guard = { mode = "off"; }; };
		store-zookeeper = { hosts = "$ZK"; };
		streams = ( { where = "service = 'disk'"; do = ( { where = "state = 'critical'";
			do = ( "off-host" ); else = ( "on-host" ); } ); } );
	END
	start "$1" --config "$T/$1.cfg"
}

zk_make 1; zk_start; zk_up
zk "zk.ensure_path('/satellite/whitelist')
record = b'{\"managed-events\":{},\"manual-events\":{},\"managed-flag\":\"on\",\"manual-flag\":null}'
for first in range(0, $hosts, 500):
  t = zk.transaction()
  for i in range(first, min(first + 500, $hosts)): t.create('/satellite/whitelist/agent%05d.rack42.example.com' % i, record)
  t.commit()"
"${O:-build}/test/bench/zkset" "$ZK" "$hosts" 3 > "$T/bare"
args=()
for m in a b c; do
	master $m
	args+=("$port:$riemann:$T/$m/whitelist:$PID")
done
/usr/bin/python3 test/bench/whitelist.py "$hosts" "${POSTS:-100}" "${ROUNDS:-6}" "${ZK_PIDS[1]}" "${args[@]}" | tee "$T/rows"
echo
awk -v bare="$(cat "$T/bare")" -v hosts="$hosts" '
	function line(what, unit, wanted, got, reached) {
		printf "%-58s %-13s %7s %8s  %s\n", what, unit, wanted, got, reached ? "yes" : reached == "" ? "" : "NO"
	}
	$1 == "post" {
		line("POST to file on three masters, " hosts " hosts, p50", "ms", "-", $2, "")
		line("the same, p99", "ms", 100, $3, $3 <= 100)
	}
	$1 == "cpu" {
		line("CPU of a change, of all three masters", "us", "-", $2, "")
		line("the same, of the server", "us", "-", $3, "")
	}
	$1 == "kept" {
		line("changes of hosts kept, seen by all three", "a second", 7000, $2, $2 >= 7000)
		line("a bare client, pipelined, seen by nobody", "a second", 12000, bare, "")
		line("the ratio of the two", "", 0.58, sprintf("%.2f", $2 / bare), $2 / bare >= 0.58)
	}' "$T/rows"
