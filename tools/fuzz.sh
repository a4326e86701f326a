#!/bin/sh
# fuzz: gives each fuzz target some seconds, two at a time, beginning with its corpus. What it finds
# new stays in BUILD/found/, what breaks a property in BUILD/broken/. Prints "ok NAME …" or
# "FAILED NAME …" for each; ends with 1 if one failed. RINGMAIN_SEED, if it is
# set, draws the same inputs again.
#
#     tools/fuzz.sh BUILD SECONDS [TARGET]...
set -u
build=${1:?which build directory} seconds=${2:?how many seconds for each target}
shift 2
root=$(cd "$(dirname "$0")/.." && pwd)
build=$(cd "$build" && pwd) || exit 2
export root build seconds
[ $# -gt 0 ] || set -- $(ls "$build/fuzz" | sed -n 's/^fuzz_\([a-z0-9_]*\)$/\1/p')
[ $# -gt 0 ] || {
	echo "no fuzz target is built in $build"
	exit 2
}

printf '%s\n' "$@" | xargs -P 2 -I NAME sh -c '
	name=$1
	mkdir -p "$build/found/$name" "$build/broken" "$build/fuzz-log"
	log=$build/fuzz-log/$name
	timeout $((seconds + 120)) "$build/fuzz/fuzz_$name" -seed="${RINGMAIN_SEED:-0}" \
		-max_total_time="$seconds" -timeout=20 \
		-print_final_stats=1 -artifact_prefix="$build/broken/$name-" "$build/found/$name" \
		"$root/fuzz/corpus/$name" >"$log" 2>&1 </dev/null
	code=$?
	runs=$(sed -n "s/^stat::number_of_executed_units: *//p" "$log")
	if [ $code = 0 ] && [ "${runs:-0}" -gt 0 ]; then
		echo "ok $name $runs inputs"
	else
		echo "FAILED $name ended with $code; see $log"
		tail -n 40 "$log" | sed "s/^/    /"
		exit 1
	fi' sh NAME
[ $? = 0 ]
