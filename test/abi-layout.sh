#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# abi-layout.sh - print sizes, offsets and constants of satellite/module.h as the compiler sees them, from its debug information.
set -eu
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
echo '#include <satellite/module.h>' >"$dir/x.c"
gcc -std=gnu11 -gdwarf-4 -gstrict-dwarf -fno-eliminate-unused-debug-types -Ilib -c -o "$dir/x.o" "$dir/x.c"
readelf --debug-dump=info "$dir/x.o" | awk '
/DW_TAG_/ {
	tag = $NF; gsub(/[()]/, "", tag); name = ""; member = "(union)"
	split($1, d, /[<>]/); depth = d[2]
}
/DW_AT_name/ {
	name = $NF
	if (tag == "DW_TAG_structure_type") { kept[depth] = name; if (name !~ /^sat_/) kept[depth] = "" }
	if (tag == "DW_TAG_enumeration_type") kept[depth] = name
}
/DW_AT_name/ && tag == "DW_TAG_member" { member = name }
/DW_AT_byte_size/ && tag == "DW_TAG_structure_type" && kept[depth] != "" { print kept[depth], "size", $NF }
/DW_AT_data_member_location/ && kept[depth - 1] != "" { print kept[depth - 1] "." member, $NF }
/DW_AT_const_value/ && tag == "DW_TAG_enumerator" { print name, $NF }
/DW_TAG_union_type/ { kept[depth] = "" }
' | LC_ALL=C sort
