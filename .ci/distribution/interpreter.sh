#!/usr/bin/env bash
# Build what the one file starts with: CPython and the libraries it needs, linked statically into
# the launcher, for glibc 2.17 and x86-64.
#
#   .ci/distribution/interpreter.sh FOLDER     makes FOLDER/launcher, python, Lib and components
#
# Sources: Debian's package of CPython, with Debian's security patches; static libraries of Debian's
# -dev packages; the compiler and the symbols of the older glibc from ziglang, all from the package
# indexes that this machine has set up. What was made from the same scripts is not made again.
#
# Why not PyInstaller: its file unpacks itself into a temporary folder at each start, which took five
# to six times as long as the installed command, fails where nothing can be written or executed
# there, and needs the glibc of the machine that built its Python, 2.35. Here nothing is unpacked.
set -euo pipefail

readonly SUITE=trixie     # Debian's stable release; the archive keeps its CPython mended until 2030
readonly SOURCE=python3.13
readonly GLIBC=2.17       # CentOS 7 and all that came later, the NAS of ten years too
readonly LIBRARIES=(ssl crypto sqlite3 z bz2 lzma)
readonly LIBRARY_PACKAGES=(libssl-dev libsqlite3-dev zlib1g-dev libbz2-dev liblzma-dev)
readonly NOT_TO_BE_HAD=3 # exit status where the indexes do not serve the compiler or the sources
readonly MULTIARCH=x86_64-linux-gnu

die() {
    echo ".ci/distribution/interpreter.sh: $*" >&2
    exit 1
}

(($# == 1)) || die "give the folder to fill"
[[ "$(uname -m)" == x86_64 ]] || die "only x86-64 was tried"
mkdir -p "$1"
folder=$(realpath "$1")
readonly folder
cd "$(dirname "$0")"
readonly work=$folder/work
digest=$(cat interpreter.sh launcher.c glibc.c build.lock | sha256sum)
if [[ -f "$folder/made-from" && "$(<"$folder/made-from")" == "$digest" ]]; then
    exit 0
fi

rm -rf "$work" "$folder/made-from"
mkdir -p "$work"/{apt/lists/partial,bin,include,lib}
export SOURCE_DATE_EPOCH=1767225600 ZIG_GLOBAL_CACHE_DIR=$work/zig-cache LC_ALL=C

echo "compiler"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q --disable-pip-version-check --only-binary :all: \
    --require-hashes -r build.lock || exit "$NOT_TO_BE_HAD"
zig=$("$work/venv/bin/python" -c 'import ziglang; print(ziglang.__path__[0])')/zig
printf '#!/bin/sh\nexec "%s" cc -target x86_64-linux-gnu.%s "$@"\n' "$zig" "$GLIBC" >"$work/bin/cc"
printf '#!/bin/sh\nexec "%s" ar "$@"\n' "$zig" >"$work/bin/ar"
printf '#!/bin/sh\nexec "%s" ranlib "$@"\n' "$zig" >"$work/bin/ranlib"
chmod +x "$work/bin/"*

echo "source of CPython"
# The machine's own list of archives, asked for sources of that release.
for list in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
    [[ -f "$list" ]] || continue
    # shellcheck disable=SC1091 # of the machine
    sed -E "s/^Types:.*/Types: deb-src/; s/^deb /deb-src /; s/\b$(. /etc/os-release
        echo "$VERSION_CODENAME")\b/$SUITE/g" "$list" >"$work/apt/$(basename "$list")"
done
apt_source() {
    apt-get -qq -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts="$work/apt" \
        -o Dir::State::Lists="$work/apt/lists" -o Dir::Cache="$work/apt" \
        -o APT::Sandbox::User="$(id -un)" "$@"
}
apt_source update || exit "$NOT_TO_BE_HAD"
(cd "$work" && apt_source source --download-only "$SOURCE") || exit "$NOT_TO_BE_HAD"
dpkg-source --no-check -x "$work/$SOURCE"_*.dsc "$work/source" >"$work/source.log"

echo "libraries"
cp -rL /usr/include/{bzlib.h,lzma.h,lzma,openssl,sqlite3.h,zlib.h,zconf.h} "$work/include" 2>/dev/null ||
    cp -rL /usr/include/{bzlib.h,lzma.h,lzma,openssl,sqlite3.h,zlib.h} \
        "/usr/include/$MULTIARCH/zconf.h" "$work/include"
cp -rL "/usr/include/$MULTIARCH/openssl/." "$work/include/openssl"
for library in "${LIBRARIES[@]}"; do
    cp -L "/usr/lib/$MULTIARCH/lib$library.a" "$work/lib"
done
"$work/bin/cc" -O2 -g0 -c glibc.c -o "$work/glibc.o"
"$work/bin/ar" rcsD "$work/lib/libsqlite3.a" "$work/glibc.o"

echo "CPython"
cd "$work/source"
flags="-fno-sanitize=undefined -Wno-date-time"
absent=()
for module in _ctypes _curses _curses_panel _dbm _gdbm _tkinter _uuid readline; do
    absent+=("py_cv_module_$module=n/a") # a library more for each, and nothing here needs it
done
if ! CC="$work/bin/cc" AR="$work/bin/ar" RANLIB="$work/bin/ranlib" MODULE_BUILDTYPE=static \
    OPT="-DNDEBUG -O2 -g0" CFLAGS="$flags" CPPFLAGS="-I$work/include" LDFLAGS="-L$work/lib -s" \
    LIBSQLITE3_LIBS="-lsqlite3 -lm" ./configure --prefix=/nonexistent --disable-shared \
    --disable-test-modules --without-ensurepip --without-readline --with-openssl="$work" \
    "${absent[@]}" >"$work/configure.log" 2>&1; then
    tail -20 "$work/configure.log"
    die "configure failed"
fi
for module in _bz2 _hashlib _lzma _sqlite3 _ssl zlib; do
    grep -q "stdlib extension module $module\.\.\. yes" "$work/configure.log" ||
        die "configure found no way to build $module, see $work/configure.log"
done
ln -sf Setup.stdlib Modules/Setup.local
cat >launcher.mk <<'MAKE'
launcher: launcher.o $(LINK_PYTHON_DEPS)
	$(LINKCC) $(PY_CORE_LDFLAGS) $(LINKFORSHARED) -o $@ launcher.o $(LINK_PYTHON_OBJS) $(LIBS) $(MODLIBS) $(SYSLIBS)
MAKE
# shellcheck disable=SC2086 # they are several
"$work/bin/cc" -O2 -g0 $flags -Wall -I. -IInclude -c "$OLDPWD/launcher.c" -o launcher.o
if ! make -j"$(nproc)" -f Makefile -f launcher.mk launcher pybuilddir.txt >"$work/make.log" 2>&1; then
    tail -20 "$work/make.log"
    die "make failed"
fi

rm -rf "$folder/Lib"
strip -s launcher # what is left has no folder of this machine in it
cp launcher python "$folder"
cp -r Lib "$folder/Lib"
# What sysconfig knows of the build, without the folders of this machine.
PYTHONPATH=Lib:$(<pybuilddir.txt) ./python -S - "$folder/Lib" <<'PYTHON'
import importlib
import pathlib
import sys
import sysconfig

name = sysconfig._get_sysconfigdata_name()
known = importlib.import_module(name).build_time_vars
kept = {
    key: value
    for key, value in sorted(known.items())
    if isinstance(value, int) or key == "TZPATH" or "/" not in value
}
pathlib.Path(sys.argv[1], f"{name}.py").write_text(f"build_time_vars = {kept!r}\n")
PYTHON
{
    sed -n 's/^Version: /CPython /p' "$work/$SOURCE"_*.dsc | head -1
    dpkg-query -W -f '${source:Package} ${Version}\n' "${LIBRARY_PACKAGES[@]}"
} >"$folder/components"
rm -rf "$work"
echo "$digest" >"$folder/made-from"
