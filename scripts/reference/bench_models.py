"""Times every architecture in its reference preset in PyTorch, as crates/hemiola/benches/models.rs does in hemiola.

Usage: python bench_models.py [--threads 2] [--only NAME]
Prints for each the median of the times of inference and of a step of training (forward, backward, Adam), in ms.
"""

import argparse
import functools
import math
import statistics
import time

import torch
import torch.nn.functional as F

from models import MODELS

SECONDS = 4


def measure(run, seconds=SECONDS):
    for _ in range(2):
        run()
    times, start = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - start < seconds:
        before = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - before))
    return statistics.median(times)


def squares(*outputs):
    return sum(output.square().mean() for output in outputs)


def nt_xent(model, x):
    projection = model.projector(model.encoder.embed(x))
    return model.loss({"projection_a": projection[:2], "projection_b": projection[2:]}, None, "0.5")


def events(*shape):
    return (torch.arange(math.prod(shape)) ** 2 * 31 + torch.arange(math.prod(shape)) * 7).remainder(388).view(shape)


def rolls(*shape):
    return (torch.rand(*shape, 88) < 0.05).float(), torch.randn(shape[0], 256)


def progressions(graphs=32, chords=50, reach=8):
    """The graphs of benches/models.rs: triads whose roots go up in fourths."""
    nodes, edges, graph_of_node = [], [], []
    for graph in range(graphs):
        first = len(nodes)
        tones = []
        for i in range(chords):
            root = (graph + 5 * i + 2 * (i // 7)) % 12
            tones.append((root, frozenset({root, (root + (3 if i % 5 == 4 else 4)) % 12, (root + 7) % 12})))
        nodes += [[float(c in pitches) for c in range(12)] for _, pitches in tones]
        graph_of_node += [graph] * chords
        for i, (root, pitches) in enumerate(tones):
            if i + 1 < chords:
                edges.append([first + i, first + i + 1, 0])
            for j in range(i + 1, min(i + reach + 1, chords)):
                other, others = tones[j]
                pair = [(first + i, first + j, (other - root) % 12), (first + j, first + i, (root - other) % 12)]
                edges += [[a, b, 1 if interval == 7 else 2] for a, b, interval in pair if interval in (7, 5)]
                if pitches == others:
                    edges += [[first + i, first + j, 4], [first + j, first + i, 4]]
                elif motion(pitches, others) <= 2:
                    edges += [[first + i, first + j, 3], [first + j, first + i, 3]]
    return torch.tensor(nodes), torch.tensor(edges), torch.tensor(graph_of_node)


@functools.cache
def motion(a, b):
    """Least semitones by which three voices go from one triad to another."""
    a, (x, y, z) = sorted(a), sorted(b)
    steps = lambda p, q: min((p - q) % 12, (q - p) % 12)
    orders = [(x, y, z), (x, z, y), (y, x, z), (y, z, x), (z, x, y), (z, y, x)]
    return min(sum(map(steps, a, order)) for order in orders)


def cases():
    clips = torch.rand(4, 128, 130)
    yield "MusicCNN", {}, clips, lambda m, x: squares(m(x)["logits"])
    yield "HarmonicCNN", {}, clips, lambda m, x: squares(m(x)["logits"])
    yield "ContrastiveEncoder", {}, clips, nt_xent
    out = lambda o: squares(o["pitches"], o["onsets"], o["velocities"] / 127)
    yield "MusicTranscriptionRNN", {}, torch.rand(4, 200, 88), lambda m, x: out(m(x))
    yield "RealTimeMusicRNN", {}, torch.rand(8, 200, 128), lambda m, x: squares(m(x)["chroma"])
    heads = lambda o: squares(o["tokens"], o["pitches"])
    yield "MusicTransformer", {}, events(2, 512), lambda m, x: heads(m(x))
    heads_of_bert = lambda o: squares(o["mlm_logits"], o["nsp_logits"])
    yield "MusicBERT", {}, events(1, 256), lambda m, x: heads_of_bert(m(x))
    vae = lambda m, x: squares(m(*x)["recon"])
    yield "MusicVAE", {}, rolls(256), vae
    yield "MusicVAE, hierarchical", {"hierarchical": True}, rolls(16, 4, 16), vae
    yield "ChordProgressionGNN", {"n_node_classes": 0}, progressions(), lambda m, x: squares(m(*x)["graph_logits"])


def cached_event(model, token, memory):
    """The logits after one event more; `memory` has keys and values of those before, layer by layer."""
    at = memory[0][0].shape[2]
    middle = model.max_seq_len - 1
    x = model.token_embedding(token) * math.sqrt(model.d_model) + model.positions(model.max_seq_len)[at]
    x = x.float()
    for index, layer in enumerate(model.transformer["layers"]):
        attention, heads = layer.self_attn, layer.n_heads
        packed = F.linear(x, attention.in_proj_weight, attention.in_proj_bias)
        q, k, v = packed.view(3, 1, heads, 1, -1)
        keys, values = (torch.cat([old, new], 2) for old, new in zip(memory[index], (k, v)))
        memory[index] = keys, values
        table = model.relative_pos.rel_pos_emb[middle : middle + at + 1].flip(0).view(at + 1, heads, -1)
        scores = q @ keys.transpose(2, 3) + torch.einsum("bhqd,khd->bhqk", q, table)
        weights = (scores / math.sqrt(q.shape[-1])).softmax(-1)
        x = layer.norm1(x + attention.out_proj((weights @ values).view(-1)))
        x = layer.norm2(x + layer.linear2(F.gelu(layer.linear1(x))))
    return model.token_head(x)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    for name, config, inputs, run in cases():
        if arguments.only not in name:
            continue
        model = MODELS[name.split(",")[0]](**config)
        for part in model.modules():
            if hasattr(part, "positions"):
                # hemiola computes them once too.
                part.positions = functools.cache(part.positions)
        model.eval()
        with torch.inference_mode():
            inference = measure(lambda: run(model, inputs))
        model.train()
        for part in model.modules():
            if hasattr(part, "positions"):
                part.positions.cache_clear()
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

        def step():
            optimizer.zero_grad()
            run(model, inputs).backward()
            optimizer.step()

        print(f"{name}: inference {inference:.2f} ms, training {measure(step):.2f} ms", flush=True)
    if arguments.only in "RealTimeMusicRNN, one frame":
        model = MODELS["RealTimeMusicRNN"]().eval()
        hidden, frame, past = torch.zeros(2, 1, 128), torch.rand(1, 1, 128), torch.zeros(1, 128, 3)

        def frame_step():
            recurrent, _ = model.gru(frame, hidden)
            past[:, :, 2] = recurrent[:, 0]
            return model.output(recurrent[:, 0] + model.causal_conv(past)[:, :, 0]).sigmoid()

        with torch.inference_mode():
            print(f"RealTimeMusicRNN, one frame: {measure(frame_step, 1):.4f} ms", flush=True)
    if arguments.only in "MusicTransformer, one event":
        model = MODELS["MusicTransformer"]().eval()
        model.positions = functools.cache(model.positions)
        for before in (64, 1024):
            start = [(torch.rand(1, 8, before, 64), torch.rand(1, 8, before, 64)) for _ in range(6)]
            with torch.inference_mode():
                one = measure(lambda: cached_event(model, torch.tensor(60), list(start)), 2)
            print(f"MusicTransformer, one event after {before}: {one:.2f} ms", flush=True)


if __name__ == "__main__":
    main()
