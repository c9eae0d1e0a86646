# SPDX-License-Identifier: Apache-2.0
# figures.awk - what run.sh measured, beside what is wanted of it, and whether that is reached.
#
# Reads "row NAME EVENTS DEPTH CONNECTIONS KEYS CPU", "memory NAME KIB", "turn NAME P50 P99".

function line(what, unit, wanted, got, reached) {
	printf "%-58s %-13s %7s %8s  %s\n", what, unit, wanted, sprintf(got < 100 ? "%.3f" : "%.0f", got), reached
}
function at_least(what, unit, wanted, got) { line(what, unit, wanted, got, got >= wanted ? "yes" : "NO") }
function at_most(what, unit, wanted, got) { line(what, unit, wanted, got, got <= wanted ? "yes" : "NO") }

function speed(what, key, rate, cost) {
	if (!(key in cpu) || cpu[key] == 0)
		return
	at_least(what ", on one core", "10^6 a second", rate, 1 / cpu[key])
	at_most(what ", CPU", "s per 10^6", cost, cpu[key])
}

function growth(what, name) {
	if (name ":100:64:1:1000000" in cpu && name ":100:64:1:1000" in cpu)
		at_most(what ", CPU at 1,000,000 entries", "times 1,000", 3,
			cpu[name ":100:64:1:1000000"] / cpu[name ":100:64:1:1000"])
}

# The one in the middle, of an odd number.
function median(name,   i, j, less) {
	for (i = 0; i < turns; i++) {
		less = 0
		for (j = 0; j < turns; j++)
			less += ratio[name, j] < ratio[name, i] || (ratio[name, j] == ratio[name, i] && j < i)
		if (less == (turns - 1) / 2)
			return ratio[name, i]
	}
}

$1 == "row" { cpu[$2 ":" $3 ":" $4 ":" $5 ":" $6] = $7 }
$1 == "memory" { memory[$2] = $3 }
$1 == "turn" && $2 == "readack" { turns++; reference = $4 }
$1 == "turn" { ratio[$2, turns - 1] = $4 / reference; said[$2] = said[$2] sprintf("  %s %s", $3, $4) }

END {
	printf "%-58s %-13s %7s %8s  %s\n", "figure", "", "wanted", "here", "reached"
	speed("index, 100 events a message", "index:100:64:1:1000", 12, 0.08)
	speed("sample streams, 100 events a message", "sample:100:64:1:1000", 6, 0.17)
	speed("index, 1 event, 64 deep, 4 connections", "index:1:64:4:1000", 4, 0.25)
	at_most("index, p99 of an answer to 1 event, middle of " turns, "times readack", 1.1, median("index"))
	line("sample streams, the same", "times readack", "-", median("sample"), "")
	at_most("index, 100,000 entries above an empty index", "MiB", 24, memory["index"] / 1024)
	line("index, an entry", "bytes", "-", memory["index"] * 1024 / 100000, "")
	line("sample streams, an entry, a fork and what windows hold", "bytes", "-", memory["sample"] * 1024 / 100000, "")
	growth("index", "index")
	growth("sample streams", "sample")
	print "\nus to an answer, p50 and p99 of each time: readack" said["readack"]
	print "                                           index  " said["index"]
	print "                                           sample " said["sample"]
}
