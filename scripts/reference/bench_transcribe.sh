#!/usr/bin/env bash
# Times whole commands on one recording: hemiola transcribe beside basic-pitch with ONNX Runtime.
# Usage: bench_transcribe.sh RECORDING HEMIOLA BASIC_PITCH
#   HEMIOLA      the program, built with --release
#   BASIC_PITCH  from an environment with `pip install "basic-pitch[onnx]" "setuptools<81"`
set -euo pipefail
recording=$1 hemiola=$2 basic_pitch=$3
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT
hyperfine --warmup 1 --runs 5 \
  --prepare "rm -rf $out/*" \
  -n hemiola "$hemiola transcribe '$recording' -o $out/notes.mid" \
  -n basic-pitch "$basic_pitch --model-serialization onnx $out '$recording'"
