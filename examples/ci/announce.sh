#!/bin/sh
# Announces a release from any shell: announce.sh TAG [NOTES-FILE]
#
# It may be run again at any time, and on several machines at once: each account gets the release once. The tag is the name
# of what was announced; secrets are read from the environment (SMM_BSKY_PASSWORD, …), the keyring or the vault.
set -eu

tag=${1:?usage: announce.sh TAG [NOTES-FILE]}
notes=${2:-}

set -- announce "--tag=$tag"
if [ -n "$notes" ]; then
  set -- "$@" "--notes=$notes"
elif [ -f CHANGELOG.md ]; then
  set -- "$@" --from-changelog=CHANGELOG.md
fi

status=0
"${SMM:-smm}" "$@" || status=$?
case $status in
  0) ;;
  3) echo "announce: an outcome is not known; \`smm status\` shows it, and running this again looks it up" >&2 ;;
  *) echo "announce: something was not announced; mend it and run this again, nothing goes out twice" >&2 ;;
esac
exit "$status"
