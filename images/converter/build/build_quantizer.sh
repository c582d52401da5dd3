#!/bin/sh
# Builds llama.cpp's quantizer, and the program that measures which weights matter, for processors.
#
# Usage: build_quantizer.sh SOURCE DESTINATION
# SOURCE is llama.cpp. Leaves DESTINATION/llama-quantize and DESTINATION/llama-imatrix.
set -eu
source=$1
destination=$2
build=$(mktemp -d)

fail() {
    echo "error: llama.cpp's quantizer could not be built: $1" >&2
    exit 1
}

# The host that builds is the one that quantizes. llama.cpp's own choice is for x86 processors with
# AVX2; GGML_NATIVE would bind the image to the very model of the processor.
older=
if [ "$(uname -m)" = x86_64 ] && ! grep -qw avx2 /proc/cpuinfo; then
    older="-DGGML_AVX=OFF -DGGML_AVX2=OFF -DGGML_BMI2=OFF -DGGML_F16C=OFF -DGGML_FMA=OFF"
fi
# -O2: with -O3 it would take longer to build than most stacks ever spend in it.
# shellcheck disable=SC2086 # one word per option
cmake -S "$source" -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release \
    -DCMAKE_C_FLAGS_RELEASE="-O2 -DNDEBUG" -DCMAKE_CXX_FLAGS_RELEASE="-O2 -DNDEBUG" \
    -DBUILD_SHARED_LIBS=OFF -DGGML_NATIVE=OFF -DGGML_CCACHE=OFF -DGGML_OPENMP=OFF $older \
    -DLLAMA_OPENSSL=OFF -DLLAMA_ALL_WARNINGS=OFF -DLLAMA_BUILD_TESTS=OFF \
    -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF -DLLAMA_BUILD_APP=OFF \
    >"$build/configure.log" 2>&1 || fail "$(tail -n 20 "$build/configure.log")"
ninja -C "$build" llama-quantize llama-imatrix || fail "the compiler failed, see above"
mkdir -p "$destination"
install -s "$build/bin/llama-quantize" "$build/bin/llama-imatrix" "$destination"
rm -rf "$build"
"$destination/llama-imatrix" --version 2>&1 | grep version: || fail "it does not start"
