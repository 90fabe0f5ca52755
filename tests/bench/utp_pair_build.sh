#!/usr/bin/env bash
# Builds utp_pair against Debian's libtorrent. Its headers go with Boost 1.74, which cannot be
# installed beside the Boost of this tree: both lie unpacked in the build folder, for this program
# alone.
set -euo pipefail

if [[ $# -ne 2 || $1 == --help ]]; then
    echo "usage: utp_pair_build.sh WORK_DIR OUTPUT  (exit status 77: libtorrent is not there)" >&2
    exit 2
fi
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
output=$(realpath -m "$2")
mkdir -p "$1"
cd "$1"
library=$(ldconfig -p | awk '/libtorrent-rasterbar\.so\.2\.0 / { path = $NF } END { print path }')
if [[ -z $library ]]; then
    echo "utp_pair is not built: apt-get install libtorrent-rasterbar2.0" >&2
    exit 77
fi
if [[ ! -e root/usr/include/libtorrent/session.hpp ]]; then
    if ! apt-get download -qq libboost1.74-dev libtorrent-rasterbar-dev >download.log 2>&1; then
        echo "utp_pair is not built: the headers of libtorrent cannot be downloaded ($PWD/download.log)" >&2
        exit 77
    fi
    for package in ./*.deb; do
        dpkg -x "$package" root
    done
    rm -f ./*.deb
fi
# The definitions are those of libtorrent's own .pc file: others are another ABI.
clang++-19 -std=c++20 -O2 -isystem root/usr/include -DTORRENT_LINKING_SHARED \
    -DBOOST_ASIO_ENABLE_CANCELIO -DBOOST_ASIO_NO_DEPRECATED -DTORRENT_USE_OPENSSL \
    -DTORRENT_USE_LIBCRYPTO -DTORRENT_SSL_PEERS -DBOOST_ALL_NO_LIB \
    "$source_dir/utp_pair_main.cpp" -o "$output" -l:libtorrent-rasterbar.so.2.0 -lcrypto
