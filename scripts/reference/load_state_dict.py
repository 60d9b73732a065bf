"""Shows that weights go from PyTorch into hemiola and back without a change, for every architecture.

A random model of models.py is saved as PyTorch users save it, imported with `hemiola models import`, exported with
`hemiola models export`, and loaded with `load_state_dict(strict=True)` into a fresh model: every tensor must be the
same, bit for bit. `hemiola models show` must tell PyTorch's number of parameters. The reference presets, whose tensors
alone tell their sizes, go the same way once each.

Usage: python load_state_dict.py [--hemiola PROGRAM] [--small]
Needs torch and safetensors; without --small 2 GB of memory and of temporary files.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from make_parity import randomise
from models import MODELS

# Architecture, class, parameters of the reference preset, small sizes, and what tensors do not tell of such a model.
ARCHITECTURES = [
    ("music-cnn", "MusicCNN", 783_371,
     {"n_classes": 3, "channels": [5, 7, 9], "attention_hidden": 6},
     {"n_mels": 40, "pooling": "attention"}),
    ("harmonic-cnn", "HarmonicCNN", 29_322,
     {"n_harmonics": 3, "n_classes": 4, "n_bins": 45, "channels": 5, "combined": 7},
     {"bins_per_octave": 12}),
    ("music-transcription-rnn", "MusicTranscriptionRNN", 5_436_634,
     {"input_dim": 90, "hidden_dim": 12, "n_layers": 2, "conv_channels": [5, 7], "onset_outputs": 88},
     {"n_heads": 6}),
    ("real-time-music-rnn", "RealTimeMusicRNN", 248_972, {"input_dim": 30, "hidden_dim": 11, "n_layers": 3}, {}),
    ("music-transformer", "MusicTransformer", 21_499_948,
     {"d_model": 24, "n_layers": 3, "max_seq_len": 21, "vocab_size": 394, "n_styles": 3},
     {"n_heads": 3, "relative": False, "causal": False}),
    ("music-bert", "MusicBERT", 89_833_912,
     {"d_model": 40, "n_layers": 1, "max_seq_len": 13, "vocab_size": 101, "n_events": 95},
     {"n_heads": 5}),
    ("music-vae", "MusicVAE", 1_339_992,
     {"input_dim": 61, "latent_dim": 10, "hidden_dim": 14, "hierarchical": True}, {}),
    ("chord-progression-gnn", "ChordProgressionGNN", 44_552,
     {"node_features": 13, "hidden_dim": 10, "n_classes": 3, "n_edge_types": 4, "n_node_classes": 9,
      "attention_dim": 5}, {}),
    ("contrastive-encoder", "ContrastiveEncoder", 879_746,
     {"channels": [5, 7, 9], "attention_hidden": 6, "projection": 11}, {"n_mels": 40}),
]  # fmt: skip

FORMS = {
    "plain.pt": lambda state, path: torch.save(state, path),
    "wrapped.pt": lambda state, path: torch.save({"epoch": 3, "state_dict": state}, path),
    "parallel.pt": lambda state, path: torch.save({f"module.{name}": t for name, t in state.items()}, path),
    "plain.safetensors": lambda state, path: save_file(state, path),
}


class Failure(Exception):
    pass


def run(hemiola, *arguments):
    found = subprocess.run([hemiola, "models", *map(str, arguments)], capture_output=True, text=True)
    if found.returncode:
        raise Failure(f"hemiola models {arguments[0]}: exit code {found.returncode}: {found.stderr.strip()}")
    return found.stdout


def round_trip(hemiola, folder, architecture, model, fresh, form, config=None):
    """Takes the weights of a model through import and export, and loads them into a fresh one; gives the folder of the
    imported model. `config`: a file for --config."""
    state = model.state_dict()
    weights, imported, exported = folder / form, folder / "imported", folder / "exported"
    FORMS[form](state, weights)
    options = ["--config", config] if config else []
    run(hemiola, "import", weights, "--arch", architecture, "-o", imported, *options)
    shown = json.loads(run(hemiola, "show", imported, "--json"))
    expected = sum(parameter.numel() for parameter in model.parameters())
    if shown["parameters"] != expected:
        raise Failure(f"{form}: show tells {shown['parameters']} parameters; PyTorch counts {expected}")
    if config and shown["model"] != json.loads(config.read_text())["model"]:
        raise Failure(f"{form}: show tells another configuration than {config.name}: {shown['model']}")
    run(hemiola, "export", imported, "--to", "safetensors", "-o", exported)
    fresh.load_state_dict(load_file(exported / "model.safetensors"), strict=True)
    bits = lambda tensor: tensor.view(torch.int32)
    for name, tensor in fresh.state_dict().items():
        # Batches that a BatchNorm has seen: a training counter, which is not exported.
        if not name.endswith("num_batches_tracked") and not torch.equal(bits(tensor), bits(state[name])):
            raise Failure(f"{form}: {name} is not what it was")
    return imported


def check(hemiola, architecture, name, parameters, sizes, untold, small):
    """What was found to be equal, in words."""
    model = lambda config: MODELS[name](**config).eval()
    config = sizes | untold
    for seed, form in enumerate(FORMS):
        torch.manual_seed(seed)
        original = model(config)
        randomise(original)
        with tempfile.TemporaryDirectory() as folder:
            case = (hemiola, Path(folder), architecture, original)
            imported = round_trip(*case, model(config), form)
            # The configuration of the first import, with what its tensors did not tell.
            told = json.loads((imported / "config.json").read_text())
            told["model"] |= untold
            if wrong := {key: told["model"][key] for key in sizes if told["model"][key] != sizes[key]}:
                raise Failure(f"{form}: sizes read off the tensors are wrong: {wrong}")
            path = Path(folder) / "told.json"
            path.write_text(json.dumps(told))
            round_trip(*case, model(config), form, path)
    if small:
        return f"{len(FORMS)} forms"
    preset = model({})
    counted = sum(parameter.numel() for parameter in preset.parameters())
    if counted != parameters:
        raise Failure(f"the reference preset has {counted} parameters in PyTorch, expected {parameters}")
    with tempfile.TemporaryDirectory() as folder:
        round_trip(hemiola, Path(folder), architecture, preset, model({}), "plain.pt")
    return f"{len(FORMS)} forms, and the reference preset of {parameters:,} parameters"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--hemiola", default="hemiola", help="the program [default: the one on PATH]")
    parser.add_argument("--small", action="store_true", help="without the reference presets")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    failed = False
    for architecture, *case in ARCHITECTURES:
        try:
            equal = check(arguments.hemiola, architecture, *case, arguments.small)
            print(f"{architecture}: equal in {equal}", flush=True)
        except (Failure, RuntimeError, OSError) as failure:
            failed = True
            print(f"{architecture}: {failure}", flush=True)
    sys.exit(failed)


if __name__ == "__main__":
    main()
