#!/bin/sh
# Install the Debian packages that the given files list, and name the one that cannot be had.
set -eu
export DEBIAN_FRONTEND=noninteractive
packages=$(sed 's/#.*//' "$@" | xargs)
[ -n "$packages" ] || exit 0
echo "daskops: install the Debian packages $packages"
apt-get update -qq -o APT::Update::Error-Mode=any
# shellcheck disable=SC2086  # a list of words
if ! apt-get install -y -qq --no-install-recommends $packages >/tmp/apt.log 2>&1; then
    tail -n 20 /tmp/apt.log
    for package in $packages; do
        reason=$(apt-get install -s -qq --no-install-recommends "$package" 2>&1 >/dev/null | sed -n 's/^E: //p' | head -n 1)
        [ -z "$reason" ] || echo "daskops-error: Debian package '$package' cannot be installed: $reason"
    done
    echo "daskops-error: Debian packages $packages cannot be installed: $(sed -n 's/^E: //p' /tmp/apt.log | head -n 1)"
    exit 1
fi
rm -rf /tmp/apt.log /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log /var/log/alternatives.log \
    /var/cache/debconf/*-old
