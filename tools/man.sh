#!/bin/sh
# man: writes docs/man/ringmain.conf.5 from the tables of settings. With --check it only says whether
# the page that is there is up to date, and ringmain.1 knows every option.
#
#     tools/man.sh [--check] BUILD
set -u
check=no
[ "${1-}" != --check ] || {
	check=yes
	shift
}
cd "$(dirname "$0")/.." || exit 2
program=${1:-build}/ringmain
page=docs/man/ringmain.conf.5
new=$(mktemp) || exit 2
trap 'rm -f "$new"' EXIT

"$program" --manual >"$new.settings" || exit 2
sed -e "/^@SETTINGS@\$/r $new.settings" -e '/^@SETTINGS@$/d' $page.in >"$new"
rm -f "$new.settings"
if [ $check = no ]; then
	cat "$new" >$page
	exit
fi
code=0
cmp -s "$new" $page || {
	diff -u $page "$new" | head -n 40
	echo "$page is not what the settings are: make man"
	code=1
}
for option in $("$program" --help | sed -n '/^Settings/q; s/^  --\([a-z-]*\).*/\1/p'); do
	grep -qE "^\.It Fl -$option( |\$)" docs/man/ringmain.1 || {
		echo "docs/man/ringmain.1 does not tell of --$option"
		code=1
	}
done
exit $code
