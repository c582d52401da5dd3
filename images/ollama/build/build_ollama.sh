#!/bin/sh
# Builds the Ollama server from its Go module, with processor backends chosen at run time.
#
# Usage: build_ollama.sh DESTINATION
# Reads OLLAMA_VERSION. Leaves DESTINATION/bin/ollama and DESTINATION/lib/ollama/*.so, as the
# official image has them.
set -eu
destination=$1
here=$(dirname "$0")
module=github.com/ollama/ollama
export GOFLAGS=-modcacherw GOTOOLCHAIN=local

fail() {
    echo "error: Ollama $OLLAMA_VERSION could not be built: $1" >&2
    exit 1
}

found=$(go mod download -json "$module@v$OLLAMA_VERSION") || fail "no such module version, or the Go proxy is unreachable:
$found"
field() { printf '%s\n' "$found" | sed -n "s/^\t\"$1\": \"\(.*\)\",\{0,1\}\$/\1/p"; }
# For the versions known here the sum does not depend on what a proxy or a sum database answers.
expected=$(sed -n "s/^$OLLAMA_VERSION //p" "$here/module_sums.txt")
[ -z "$expected" ] || [ "$expected" = "$(field Sum)" ] ||
    fail "the module's sum is $(field Sum), module_sums.txt says $expected"
source=/tmp/ollama
cp -r "$(field Dir)" "$source"
cd "$source"

# A Go module leaves out every folder called vendor; these are the headers that were in it.
vendor=llama/llama.cpp/vendor
mkdir -p $vendor/miniaudio
ln -s /usr/include/nlohmann /usr/include/stb $vendor/
ln -s "$(dpkg -L libminiaudio-dev | grep '/miniaudio\.h$')" $vendor/miniaudio/miniaudio.h

# Processor backends. The server loads the best one that the processor can run: any, AVX2, AVX-512.
# The official image has more steps in between, for processors that are rare and older than these.
cmake -S . -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DGGML_CCACHE=OFF >/dev/null
targets=all
if [ "$(uname -m)" = x86_64 ]; then
    targets="ggml-base ggml-cpu-x64 ggml-cpu-haswell ggml-cpu-icelake"
fi
# shellcheck disable=SC2086
nice ninja -C build $targets >build.log 2>&1 &
backends=$!

# The linker's and the compiler's debug information would double the time and the size.
export CGO_ENABLED=1 CGO_CFLAGS="-O2" CGO_CXXFLAGS="-O2"
# -v: its package names are the only sign of life for minutes.
go build -v -trimpath -o "$destination/bin/ollama" \
    -ldflags "-w -s -X=$module/version.Version=$OLLAMA_VERSION -X=$module/server.mode=release" . ||
    fail "the compiler failed, see above"
wait $backends || fail "the processor backends failed:
$(tail -n 30 build.log)"
mkdir -p "$destination/lib/ollama"
cp -a build/lib/ollama/libggml-*.so* "$destination/lib/ollama/"
"$destination/bin/ollama" --version 2>&1 | grep -F "$OLLAMA_VERSION"
ls "$destination/lib/ollama"
