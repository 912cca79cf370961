#!/bin/sh
# Another Rust compiler, from Debian's packages, beside the toolchain's: with the standard library of a machine that the toolchain has
# none for, or with the standard library's source, so that it can be built with a sanitizer.
#
#     RUSTC=$(ci/second_compiler.sh arm64)
#     RUSTC=$(ci/second_compiler.sh source)
#
# Prints the path of a `rustc`. Nothing is installed: the packages are unpacked under target/tools, also for those who are not root, and
# kept. Ends with 3 and the reason on standard error if there is no such compiler to be had here.
set -eu
cd "$(dirname "$0")/.."
wanted=$1

cannot() {
    echo "$1" >&2
    exit 3
}

mkdir -p "${CARGO_TARGET_DIR:-target}/tools/debian"
tools=$(cd "${CARGO_TARGET_DIR:-target}/tools/debian" && pwd)
root=$tools/root
compiler=$tools/rustc
if [ -e "$tools/has-$wanted" ]; then
    echo "$compiler"
    exit 0
fi
if [ "$(uname -m)" != x86_64 ] || ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    cannot "Debian's compiler is only fetched on x86-64, with apt-get"
fi

# Lists and cache of our own, so that another architecture is asked for here only.
mkdir -p "$tools/lists/partial" "$tools/cache/archives/partial" "$tools/packages" "$root"
options="-o Dir::State::Lists=$tools/lists -o Dir::Cache=$tools/cache -o Debug::NoLocking=1
    -o APT::Architectures::=amd64 -o APT::Architectures::=arm64"
# One that cannot be reached among many sources is no reason to give up: what is missing shows below.
# shellcheck disable=SC2086
apt-get $options update >/dev/null 2>&1 || true
depends() {
    # shellcheck disable=SC2086
    apt-cache $options depends "$1" 2>/dev/null | awk -v name="$2" '$1 == "Depends:" && $2 ~ name { print $2; exit }'
}
library=$(depends libstd-rust-web-dev '^libstd-rust-web-[0-9]')
[ -n "$library" ] || cannot "there is no package rustc-web; Debian 12 has it"
# All parts are of one version: when there is a newer one, begin anew.
# shellcheck disable=SC2086
version=$(apt-cache $options policy rustc-web | awk '$1 == "Candidate:" { print $2 }')
if [ "$(cat "$tools/version" 2>/dev/null)" != "$version" ]; then
    rm -rf "$root" "$compiler" "$tools"/has-*
    mkdir "$root"
    echo "$version" >"$tools/version"
fi

# unpack FOLDER PACKAGE...: below $root, from all of the package or from what is in FOLDER.
unpack() {
    folder=$1
    shift
    rm -f "$tools"/packages/*.deb
    # shellcheck disable=SC2086
    (cd "$tools/packages" && apt-get $options download "$@") >/dev/null 2>&1 || cannot "cannot download $*"
    for package in "$tools"/packages/*.deb; do
        # What matches no file is no error: the folder's name has a version in it.
        dpkg-deb --fsys-tarfile "$package" | tar --extract --directory "$root" --wildcards "$folder"
    done
    rm -f "$tools"/packages/*.deb
}

if [ ! -e "$compiler" ]; then
    unpack './usr/*' rustc-web "$library" libstd-rust-web-dev:amd64 "$(depends "$library" '^libllvm')"
    cat >"$compiler.new" <<END
#!/bin/sh
LD_LIBRARY_PATH=$root/usr/lib/x86_64-linux-gnu exec $root/usr/bin/rustc --sysroot $root/usr "\$@"
END
    chmod +x "$compiler.new"
    # The lowest one that the library builds with.
    lowest=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
    version=$("$compiler.new" --version | awk '{ print $2 }') || cannot "Debian's compiler does not run here"
    if [ "$(printf '%s\n' "$lowest" "$version" | sort --version-sort | head -n 1)" != "$lowest" ]; then
        cannot "Debian's compiler is $version, $lowest is needed"
    fi
    mv "$compiler.new" "$compiler"
fi
case $wanted in
arm64)
    unpack './usr/*' libstd-rust-web-dev:arm64
    ;;
source)
    unpack './usr/src/rustc-*/library/*' rust-web-src
    mkdir -p "$root/usr/lib/rustlib/src"
    ln -sfn "$(echo "$root"/usr/src/rustc-*)" "$root/usr/lib/rustlib/src/rust"
    ;;
*)
    cannot "what is $wanted?"
    ;;
esac
touch "$tools/has-$wanted"
rm -rf "$tools/lists" "$tools/cache"
echo "$compiler"
