"""Events a second of MusicTransformer in PyTorch with its keys and values kept, beside `hemiola generate`.

    python scripts/reference/bench_generate.py weights/performer target/release/hemiola

Needs torch and safetensors. PyTorch draws from all events, without grammar; both generate in the same weights, one
window and no more, so that neither slides.
"""

import argparse
import functools
import json
import re
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import torch
from bench_models import cached_event
from models import MODELS
from safetensors.torch import load_file

BOS = 389
ROUNDS = 5


def pytorch(folder):
    config = json.loads((folder / "config.json").read_text())["model"]
    config = {name: value for name, value in config.items() if name not in ("causal", "dropout")}
    model = MODELS["MusicTransformer"](**config)
    weights = load_file(folder / "model.safetensors")
    model.load_state_dict({name: tensor.float() for name, tensor in weights.items()})
    model.eval().positions = functools.cache(model.positions)
    heads, width, layers = config["n_heads"], config["d_model"], config["n_layers"]

    def generate():
        nothing = torch.zeros(1, heads, 0, width // heads)
        memory = [(nothing, nothing) for _ in range(layers)]
        token = torch.tensor(BOS)
        for _ in range(config["max_seq_len"] - 1):
            logits = cached_event(model, token, memory)[:388]
            token = torch.multinomial(logits.softmax(-1), 1)[0]
        return config["max_seq_len"] - 1

    rates = {}
    for threads in (1, 2):
        torch.set_num_threads(threads)
        with torch.inference_mode():
            generate()
            rates[threads] = statistics.median(rate(generate) for _ in range(ROUNDS))
    return rates


def rate(generate):
    start = time.perf_counter()
    return generate() / (time.perf_counter() - start)


def hemiola(program, folder):
    """Of the pieces that fit one window, but the first."""
    longest = json.loads((folder / "config.json").read_text())["model"]["max_seq_len"] - 1
    found = []
    with tempfile.TemporaryDirectory() as at:
        for seed in range(ROUNDS + 1):
            command = [program, "generate", "--model", folder, "--seconds", "10", "--top-p", "1", "--seed", str(seed)]
            told = subprocess.run([*command, "-o", f"{at}/out.mid"], check=True, capture_output=True, text=True).stderr
            events, each_second = re.search(r"(\d+) events, (\d+) a second", told).groups()
            if int(events) < longest:
                found.append(float(each_second))
    if len(found) <= ROUNDS // 2:
        raise SystemExit(f"only {len(found)} of {ROUNDS + 1} pieces fit the window of {longest} events")
    return statistics.median(found[1:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("hemiola")
    arguments = parser.parse_args()
    ours = hemiola(arguments.hemiola, arguments.weights)
    print(f"hemiola: {ours:.0f} events a second")
    for threads, theirs in pytorch(arguments.weights).items():
        print(f"PyTorch, threads {threads}: {theirs:.0f} events a second; hemiola is {ours / theirs:.1f} times as fast")


if __name__ == "__main__":
    main()
