#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# layers - who may include whom: read from the `#include` lines, so that the house stays one without circles.

# From the top down: a file includes headers of its own layer and of those below it.
LAYERS="
satellite options show
cli cli_http cli_status
tour
vitals figures
life isolate isolate_node isolate_read isolated process
instance setup top replay
engine save topic recorder
check probe
stream node state push fork adopt keep alert
index index_entry index_names index_due index_find search walk
http origin routes routes_index request reply client fetch store tls control control_parse listen lead claim delivery
query query_parse query_lex query_regex
wire wire_write json json_event json_read
conf conf_node conf_mistake conf_judge conf_fallback conf_value conf_text conf_write loader timer work post
event hash file clock account self slow log arena buf attr uri protobuf
"

setup() {
	cd "$BATS_TEST_DIRNAME/../.."
}

layer_of() {
	awk -v name="$1" '{ for (i = 1; i <= NF; i++) if ($i == name) { print NR; exit } }' <<<"$LAYERS"
}

includes() {
	sed -nE 's/^#[ \t]*include[ \t]+"([^"]+)".*/\1/p' "$1"
}

@test "a file of the host includes its own layer and those below" {
	local bad="" f own h below
	for f in satellite.c lib/*.c lib/*.h; do
		own=$(basename "${f%.*}")
		own=$(layer_of "$own")
		[ -n "$own" ] || { bad="$bad"$'\n'"$f is in no layer of this test"; continue; }
		for h in $(includes "$f"); do
			below=$(layer_of "${h%.h}")
			[ -n "$below" ] || { bad="$bad"$'\n'"$f includes $h, which is in no layer of this test"; continue; }
			[ "$below" -ge "$own" ] || bad="$bad"$'\n'"$f includes $h, which is above it"
		done
	done
	echo "$bad"
	[ -z "$bad" ]
}

@test "headers of the host include one another without circles" {
	for f in lib/*.h; do
		echo "$(basename "$f") $(basename "$f")"
		for h in $(includes "$f"); do echo "$h $(basename "$f")"; done
	done | tsort >/dev/null
}

@test "a module includes satellite/module.h, its own folder and libraries" {
	local bad="" f h folder
	for f in modules/*.c modules/*/*.[ch]; do
		[ -f "$f" ] || continue
		folder=$(dirname "$f")
		for h in $(includes "$f"); do
			[ "$folder" != modules ] && [ -f "$folder/$h" ] || bad="$bad"$'\n'"$f includes \"$h\""
		done
		grep -qE '^#include <satellite/module.h>' "$f" "$folder"/*.h || bad="$bad"$'\n'"$f: no module.h"
		! grep -E '^#[ \t]*include[ \t]+<satellite/' "$f" | grep -v '<satellite/module.h>' || bad="$bad"$'\n'"$f"
	done
	echo "$bad"
	[ -z "$bad" ]
}

@test "the header of a library is included in one file of the host" {
	local h
	# libuv is the loop itself, and no library to hide.
	for h in libconfig.h pcre2.h yajl dlfcn.h; do
		run grep -lE "^#include <$h" satellite.c lib/*.c lib/*.h
		echo "$h: $output"
		[ "${#lines[@]}" = 1 ]
	done
	for h in curl civetweb sqlite3 openssl zookeeper cjson; do
		run grep -lE "^#include <$h" satellite.c lib/*.c lib/*.h
		echo "$h: $output"
		[ -z "$output" ]
		run grep -lE "^#include <$h" modules/*.c modules/*/*.[ch]
		echo "$h: $output"
		# One file of a module; sqlite3 and zookeeper have two modules.
		[ "${#lines[@]}" = "$(sed -E 's|^modules/([^/]*).*|\1|' <<<"$output" | grep . | sort -u | wc -l)" ]
		[ "${#lines[@]}" -le "$([[ $h == sqlite3 || $h == zookeeper ]] && echo 2 || echo 1)" ]
	done
}

@test "nothing but the ABI header is installed by name" {
	run sed -nE 's/^#[ \t]*include[ \t]+[<"]([^>"]+).*/\1/p' lib/satellite/module.h
	for h in "${lines[@]}"; do
		case $h in stdarg.h | stdbool.h | stddef.h | stdint.h | syslog.h) ;; *) echo "module.h includes $h"; false ;; esac
	done
}
