"""Writes parity vectors of every model in PyTorch, in sizes at the edges of what is allowed.

Usage: python make_parity.py OUT [--seed N]
Then:  HEMIOLA_PARITY_DIR=OUT cargo test --release --test parity -- --nocapture
Prints how far gradients in 32-bit floats are from those in 64-bit: no comparison can ask for less. The format is that of
crates/hemiola/tests/parity/README.md. Needs torch and safetensors.
"""

import argparse
import copy
import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from models import MODELS, MelSpectrogram
from parity import adam_step, deviation, gradients


def ints(high, *shape):
    return torch.randint(high, shape)


def bits(*shape):
    return (torch.rand(shape) < 0.3).float()


def clips(batch, time):
    """Inputs of MusicCNN and HarmonicCNN."""

    def inputs(config):
        bands, name = (config["n_bins"], "log_cqt") if "n_bins" in config else (config["n_mels"], "log_mel")
        return {name: torch.randn(batch, bands, time), "target": ints(config["n_classes"], batch)}

    return inputs


def spectra(batch, time):
    return lambda config: {
        "features": torch.rand(batch, time, config["input_dim"]),
        "target_pitches": bits(batch, time, 88),
        "target_onsets": bits(batch, time, config["onset_outputs"]),
    }


def frames(batch, time):
    return lambda config: {
        "log_mel": torch.randn(batch, time, config["input_dim"]),
        "target": torch.rand(batch, time, 12),
    }


def events(batch, time, style=False):
    def inputs(config):
        vocabulary = config["vocab_size"]
        tensors = {
            "tokens": ints(vocabulary, batch, time),
            "next_tokens": ints(config.get("n_events", vocabulary), batch, time),
        }
        if "n_events" in config:
            tensors["is_next"] = ints(2, batch)
        if style:
            tensors["style"] = ints(config["n_styles"], batch)
        return tensors

    return inputs


def rolls(*shape):
    return lambda config: {
        "x": bits(*shape, config["input_dim"]),
        "eps": torch.randn(shape[0], config["latent_dim"]),
    }


def graphs(*sizes, edges=0, repeated=0, shuffled=False):
    """Graphs of those numbers of nodes with `edges` edges each, some of them listed again, with the same or another type;
    shuffled: the nodes of a graph do not stand together."""

    def inputs(config):
        graph_of_node = torch.arange(len(sizes)).repeat_interleave(torch.tensor(sizes))
        if shuffled:
            graph_of_node = graph_of_node[torch.randperm(sum(sizes))]
        rows = []
        for graph, size in enumerate(sizes):
            nodes = (graph_of_node == graph).nonzero().flatten()
            ends = nodes[ints(size, edges, 2)]
            of_graph = torch.cat([ends, ints(config["n_edge_types"], edges, 1)], 1)
            again = of_graph[:repeated].clone()
            again[1::2, 2] = (again[1::2, 2] + 1) % config["n_edge_types"]
            rows += [of_graph, again]
        tensors = {
            "nodes": bits(sum(sizes), config["node_features"]),
            "edges": torch.cat(rows),
            "graph_of_node": graph_of_node,
            "graph_target": ints(config["n_classes"], len(sizes)),
        }
        if config["n_node_classes"]:
            tensors["node_target"] = ints(config["n_node_classes"], sum(sizes))
        return tensors

    return inputs


def views(batch, time):
    def inputs(config):
        clip = torch.randn(2, batch, config["n_mels"], time)
        # Clips that differ in level, too, so that their embeddings are not nearly the same.
        loud = torch.rand(batch, 1, 1) * 3
        return {"view_a": clip[0] * loud, "view_b": (clip[0] + 0.3 * clip[1]) * loud}

    return inputs


def cases():
    """Name, model, configuration, inputs, and the loss where it is not the model's own."""

    def of(model, loss=None, **common):
        return lambda name, inputs, **config: (name, model, common | config, inputs, loss)

    cnn = of("MusicCNN", n_mels=128, attention_hidden=8, pooling="average", output="clip")
    yield cnn("cnn_one_clip_of_4_frames", clips(1, 4), n_classes=2, channels=[5, 7, 9])
    yield cnn("cnn_odd_bands", clips(3, 27), n_classes=11, channels=[4, 6, 10], n_mels=37)
    yield cnn("cnn_4_bands", clips(2, 9), n_classes=3, channels=[3, 5, 4], n_mels=4)
    yield cnn("cnn_attention", clips(3, 23), n_classes=4, channels=[5, 7, 9], attention_hidden=11, pooling="attention")
    yield cnn("cnn_attention_one_step", clips(1, 5), n_classes=4, channels=[6, 3, 17], n_mels=64, pooling="attention")
    yield cnn("cnn_frame", clips(2, 25), n_classes=2, channels=[5, 7, 9], n_mels=80, output="frame")
    yield cnn("cnn_frame_one", clips(1, 1), n_classes=3, channels=[20, 18, 33], output="frame")
    yield cnn("cnn_frame_attention", clips(2, 6), n_classes=3, channels=[4, 4, 4], output="frame", pooling="attention")
    yield cnn("cnn_wide", clips(2, 31), n_classes=10, channels=[32, 48, 64])
    harmonic = of("HarmonicCNN", n_bins=128, bins_per_octave=16, channels=4, combined=8)
    yield harmonic("harmonic_one", clips(1, 4), n_harmonics=1, n_classes=2)
    yield harmonic("harmonic_odd", clips(3, 21), n_harmonics=8, n_classes=7, n_bins=45, bins_per_octave=12, channels=5)
    yield harmonic("harmonic_4_bins", clips(2, 5), n_harmonics=3, n_classes=3, n_bins=4, channels=3, combined=5)
    yield harmonic("harmonic_wide", clips(2, 33), n_harmonics=6, n_classes=10, channels=32, combined=128)
    rnn = of("MusicTranscriptionRNN", input_dim=88, conv_channels=[12, 16])
    outputs = lambda onsets, velocities: {"onset_outputs": onsets, "velocity_outputs": velocities}
    yield rnn("rnn_one_frame", spectra(1, 1), hidden_dim=10, n_layers=1, n_heads=5, **outputs(1, 1))
    yield rnn("rnn_one_layer", spectra(3, 13), hidden_dim=9, n_layers=1, n_heads=1, **outputs(88, 1))
    yield rnn(
        "rnn_fine_input", spectra(1, 37), hidden_dim=21, n_layers=2, n_heads=14, input_dim=229, conv_channels=[7, 11],
        **outputs(1, 88),
    )  # fmt: skip
    yield rnn("rnn_three_layers", spectra(2, 75), hidden_dim=24, n_layers=3, n_heads=8, **outputs(88, 88))
    realtime = of("RealTimeMusicRNN")
    yield realtime("realtime_one_frame", frames(1, 1), input_dim=128, hidden_dim=10, n_layers=1)
    yield realtime("realtime_two_frames", frames(3, 2), input_dim=40, hidden_dim=17, n_layers=2)
    yield realtime("realtime_three_layers", frames(2, 61), input_dim=128, hidden_dim=35, n_layers=3)
    transformer = of("MusicTransformer", n_styles=10, relative=True, causal=True, vocab_size=388)
    for name, inputs, sizes in [
        ("one_event", events(1, 1, style=True), (16, 4, 1, 8)),
        ("full_length", events(3, 31, style=True), (12, 3, 3, 31)),
        ("one_head", events(1, 17), (10, 1, 2, 40)),
        ("heads_of_2", events(2, 33), (14, 7, 1, 64)),
        ("absolute", events(1, 25, style=True), (20, 5, 3, 30)),
        ("absolute_bidirectional", events(2, 7), (18, 2, 1, 7)),
        ("bidirectional", events(3, 29, style=True), (24, 6, 3, 50)),
        ("bidirectional_one_event", events(2, 1), (6, 3, 2, 1)),
        ("long", events(1, 150), (64, 4, 2, 200)),
    ]:
        config = dict(zip(("d_model", "n_heads", "n_layers", "max_seq_len"), sizes))
        config |= {"relative": "absolute" not in name, "causal": "bidirectional" not in name}
        config |= {"vocab_size": 394} if name == "full_length" else {}
        config |= {"n_styles": 1} if name == "absolute" else {}
        yield transformer(f"transformer_{name}", inputs, **config)
    bert = of("MusicBERT", vocab_size=394, n_events=388, relative=True)
    yield bert("bert_one_event", events(1, 1), d_model=16, n_heads=2, n_layers=1, max_seq_len=5)
    yield bert("bert_full_length", events(3, 27), d_model=18, n_heads=3, n_layers=3, max_seq_len=27)
    yield bert("bert_absolute", events(1, 35), d_model=20, n_heads=10, n_layers=1, max_seq_len=40, relative=False)
    yield bert(
        "bert_small_vocabulary", events(2, 11), d_model=24, n_heads=4, n_layers=2, max_seq_len=64,
        vocab_size=101, n_events=95,
    )  # fmt: skip
    vae = of("MusicVAE", "sum BCE + 0.25 * KL", input_dim=88)
    yield vae("vae_one_frame", rolls(1), latent_dim=5, hidden_dim=9, hierarchical=False)
    yield vae("vae_frames", rolls(7), latent_dim=18, hidden_dim=33, hierarchical=False, input_dim=61)
    yield vae("vae_one_segment", rolls(3, 1, 7), latent_dim=10, hidden_dim=14, hierarchical=True)
    yield vae("vae_one_segment_of_one_frame", rolls(1, 1, 1), latent_dim=2, hidden_dim=2, hierarchical=True)
    yield vae("vae_segments_of_one_frame", rolls(2, 5, 1), latent_dim=6, hidden_dim=22, hierarchical=True)
    yield vae("vae_segments", rolls(3, 4, 11), latent_dim=30, hidden_dim=42, hierarchical=True, input_dim=130)
    gnn = of("ChordProgressionGNN", node_features=12, n_edge_types=5, n_node_classes=7)
    of_graphs = of("ChordProgressionGNN", "mean CE(graph)", node_features=12, n_edge_types=5, n_node_classes=0)
    yield gnn("gnn_one_node", graphs(1), hidden_dim=10, n_classes=7)
    yield of_graphs("gnn_one_node_loops", graphs(1, edges=3, repeated=2), hidden_dim=11, n_classes=2)
    yield gnn("gnn_repeated_edges", graphs(6, 9, edges=20, repeated=13), hidden_dim=17, n_classes=3, attention_dim=5)
    yield of_graphs("gnn_no_node_head", graphs(5, 1, 8, edges=7, repeated=2), hidden_dim=8, n_classes=4)
    yield gnn(
        "gnn_shuffled", graphs(7, 3, 12, edges=30, repeated=5, shuffled=True), hidden_dim=32, n_classes=7,
        node_features=15, n_edge_types=2, n_node_classes=21,
    )  # fmt: skip
    yield of_graphs("gnn_no_edges", graphs(4, 3), hidden_dim=40, n_classes=7, node_features=50)
    contrastive = of("ContrastiveEncoder", "NT-Xent, temperature 0.2", n_mels=128, attention_hidden=8)
    yield contrastive("contrastive_two", views(2, 21), channels=[5, 7, 9], projection=6)
    yield contrastive("contrastive_short", views(3, 4), channels=[8, 12, 16], projection=11, n_mels=45)
    yield contrastive("contrastive_seven", views(7, 30), channels=[6, 10, 20], projection=32, n_mels=64)


def randomise(model):
    """Weights as large as a trained model's, biases and statistics away from 0 and 1."""
    for name, tensor in model.state_dict().items():
        if name.endswith("running_var"):
            tensor.uniform_(0.5, 2.0)
        elif name == "harmonic_filters":
            tensor.add_(0.05 * torch.randn_like(tensor))
        elif tensor.dim() > 1:
            tensor.normal_(std=tensor[0].numel() ** -0.5)
        elif tensor.is_floating_point():
            tensor.normal_(std=0.2)
            if name.endswith("weight"):  # of a normalisation
                tensor.add_(1.0)


def vector(model, inputs, description):
    """The tensors of a vector, and how far its gradients are from those in 64-bit floats."""
    tensors = {f"input.{name}": tensor for name, tensor in inputs.items()}
    copies = lambda kind, named: {f"{kind}.{name}": t.detach().clone().contiguous() for name, t in named.items()}
    weights = {name: t for name, t in model.state_dict().items() if t.is_floating_point()}
    tensors |= copies("param", weights)

    precise = copy.deepcopy(model).double()
    widened = {name: t.double() if t.is_floating_point() else t for name, t in inputs.items()}
    _, _, expected = gradients(precise, widened, description)

    out, loss, found = gradients(model, inputs, description)
    tensors |= copies("output", out) | copies("grad", found) | {"loss": loss.detach().reshape(1)}
    stepped = adam_step(model)
    tensors |= copies("step", {name: stepped[name] for name in found})
    largest = {name: t.abs().max().item() for name, t in expected.items()}
    noise = 1e-6 * max(largest.values())
    rounding = ((deviation(found[n], t) / largest[n], n) for n, t in expected.items() if largest[n] > noise)
    return tensors, max(rounding)


def write(path, model, config, description, tensors):
    metadata = {"model": model, "config": json.dumps(config), "loss": description, "notes": ""}
    save_file(tensors, path, metadata)


def write_front_end(folder, lengths):
    config = {"sample_rate": 22050, "n_fft": 2048, "hop_length": 512, "n_mels": 128, "f_min": 0, "f_max": 11025}
    config |= {"power": 2.0, "mel_scale": "htk", "norm": None, "center": True, "pad_mode": "reflect"}
    for index, length in enumerate(lengths):
        waveform = torch.randn(length) * torch.linspace(0, 0.3, length)
        mel = MelSpectrogram(**config)(waveform.double())
        tensors = {f"output.{name}": tensor.float() for name, tensor in mel.items()}
        path = folder / f"mel_{index}.safetensors"
        write(path, "MelSpectrogram", config, "", {"input.waveform": waveform, **tensors})


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    for index, (name, architecture, config, inputs, loss) in enumerate(cases()):
        torch.manual_seed(1000 * arguments.seed + index)
        model = MODELS[architecture](**config).eval()
        description = loss or model.LOSS
        if config.get("output") == "frame":
            description += " (logits averaged over time first)"
        randomise(model)
        tensors, (rounding, where) = vector(model, inputs(config), description)
        write(arguments.out / f"{name}.safetensors", architecture, config, description, tensors)
        print(f"{name}: gradients within {rounding:.1e} of 64-bit ({where})")
    write_front_end(arguments.out, [1025, 1536, 30001])


if __name__ == "__main__":
    main()
