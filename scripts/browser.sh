#!/bin/sh
# Sees to the browser and the Chinese fonts that the browser tests need: installs them as root, else says what to install.
set -u
packages=""
command -v chromium >/dev/null 2>&1 || packages=" chromium"
ls /usr/share/fonts/opentype/noto/NotoSansCJK-* >/dev/null 2>&1 || packages="$packages fonts-noto-cjk"
[ -z "$packages" ] && exit 0
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "installing for the browser tests: $packages"
    # shellcheck disable=SC2086
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages >/dev/null && exit 0
    echo "could not install $packages; the browser tests will be skipped" >&2
else
    echo "the browser tests need: apt-get install$packages (they are skipped without)" >&2
fi
exit 0
