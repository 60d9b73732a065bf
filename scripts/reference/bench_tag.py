"""Times `hemiola tag` beside the same network in PyTorch and in ONNX Runtime, and compares what they say.

Usage: python bench_tag.py CHECKPOINT HEMIOLA RECORDING [--step SECONDS] [--threads 2] [--rounds 3]
  CHECKPOINT   a folder such as weights/instruments
  HEMIOLA      the program, built with --release
  RECORDING    mono WAV at the model's sample rate, so that nobody resamples
Needs torch, numpy, safetensors, soundfile, onnx, onnxscript and onnxruntime.

All three read the file, cut it into the same windows, compute log-mel spectrograms and run the network; the spectrograms of
the two peers are PyTorch's. The rounds alternate; printed are the least times and their ratios to hemiola's.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import numpy as np
import onnxruntime
import soundfile
import torch
from safetensors.torch import load_file

from models import MelSpectrogram, MusicCNN

BATCH = 8


def load(folder):
    config = json.loads((folder / "config.json").read_text())
    model = MusicCNN(**config["model"])
    tensors = {name: tensor.float() for name, tensor in load_file(folder / "model.safetensors").items()}
    missing, unknown = model.load_state_dict(tensors, strict=False)
    assert not unknown and all(name.endswith("num_batches_tracked") for name in missing), (missing, unknown)
    return model.eval(), config["task"]


class Logits(torch.nn.Module):
    def __init__(self, model):
        super().__init__()
        self.model = model

    def forward(self, log_mel):
        return self.model(log_mel)["logits"]


def windows(path, task, step_s):
    samples, rate = soundfile.read(path, dtype="float32")
    assert rate == task["features"]["sample_rate"] and samples.ndim == 1, "mono at the model's sample rate"
    window, step = round(task["clip_s"] * rate), round(step_s * rate)
    starts = list(range(0, len(samples) - window + 1, step))
    if starts[-1] + window < len(samples):
        starts.append(len(samples) - window)
    for first in range(0, len(starts), BATCH):
        yield torch.from_numpy(np.stack([samples[s : s + window] for s in starts[first : first + BATCH]]))


def scores(path, task, step_s, mel, network):
    sums, count = 0.0, 0
    for batch in windows(path, task, step_s):
        logits = network(mel(batch)) / task["temperature"]
        sums, count = sums + torch.sigmoid(logits).sum(0), count + len(batch)
    return dict(zip(task["labels"], (sums / count).tolist()))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint", type=pathlib.Path)
    parser.add_argument("hemiola")
    parser.add_argument("recording")
    parser.add_argument("--step", type=float, default=1.5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    torch.set_grad_enabled(False)
    model, task = load(args.checkpoint)
    assert task["target"] == "tags"
    features = task["features"]
    spectrum = MelSpectrogram(
        features["sample_rate"], features["n_fft"], features["hop_length"], features["n_mels"], 0.0,
        features["sample_rate"] / 2, 2.0,
    )  # fmt: skip
    mel = lambda waveform: spectrum(waveform)["log_mel"]

    with tempfile.TemporaryDirectory() as folder:
        example = mel(next(windows(args.recording, task, args.step)))
        file = f"{folder}/model.onnx"
        torch.onnx.export(
            Logits(model), (example,), file, input_names=["x"], output_names=["y"],
            dynamic_shapes={"log_mel": {0: torch.export.Dim("batch")}}, dynamo=True,
        )  # fmt: skip
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = args.threads
        session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
        out = f"{folder}/tags.json"

        def hemiola():
            subprocess.run(
                [args.hemiola, "tag", args.recording, "-o", out, "--step", str(args.step), "--model", args.checkpoint],
                check=True,
            )
            tags = json.loads(pathlib.Path(out).read_text())["tags"]
            return {tag["label"]: tag["score"] for tag in tags}

        runs = {
            "hemiola": hemiola,
            "PyTorch": lambda: scores(args.recording, task, args.step, mel, Logits(model)),
            "ONNX Runtime": lambda: scores(
                args.recording, task, args.step, mel, lambda x: torch.from_numpy(session.run(None, {"x": x.numpy()})[0])
            ),
        }
        times, said = {name: [] for name in runs}, {}
        for _ in range(args.rounds):
            for name, run in runs.items():
                start = time.perf_counter()
                said[name] = run()
                times[name].append(time.perf_counter() - start)
    length = soundfile.info(args.recording).duration
    least = {name: min(values) for name, values in times.items()}
    for name, seconds in least.items():
        apart = max(abs(said[name][label] - said["hemiola"][label]) for label in task["labels"])
        print(
            f"{name:13} {seconds:7.2f} s  {length / seconds:6.0f} x real time  ratio {seconds / least['hemiola']:.2f}"
            f"  scores differ by {apart:.5f} at most"
        )


if __name__ == "__main__":
    main()
