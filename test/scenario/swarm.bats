# SPDX-License-Identifier: Apache-2.0
# swarm - every event of many slaves arrives, whatever becomes of their master; the large form is `make swarm`.
# takes: 50 s

load common

setup() { common_setup; }
teardown() { common_teardown; }

@test "fifty slaves, and a master that is killed and started again: every figure adds up" {
	run timeout 300 /usr/bin/python3 "$ROOT/test/swarm.py" "$SATELLITE" 50 20
	sed 's/^/# /' <<<"$output" >&3
	[ "$status" = 0 ]
}
