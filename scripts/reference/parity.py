"""Parity vectors: their format, and how a model of models.py compares with one.

The format is that of crates/hemiola/tests/parity/README.md, the tolerances are those of harness.rs beside it.
"""

import json
import sys

import torch
from safetensors import safe_open

from models import MODELS, MelSpectrogram

OUTPUT_TOLERANCE, LOSS_TOLERANCE, GRADIENT_TOLERANCE, STEP_TOLERANCE = 1e-4, 1e-4, 1e-3, 1e-5
# A gradient below the first share of the model's largest is rounding noise; Adam's first step is the sign of an entry,
# which noise decides below the second share of the tensor's largest.
NOISE_SHARE, STEP_SHARE = 1e-6, 1e-3
LEARNING_RATE, EPSILON = 1e-3, 1e-8


def gradients(model, inputs, description):
    """Outputs, loss and gradients by name, of the parameters that the loss reaches."""
    model.zero_grad()
    out = model(**inputs)
    loss = model.loss(out, inputs, description)
    loss.backward()
    found = {name: p.grad for name, p in model.named_parameters() if p.grad is not None}
    return out, loss, found


def adam_step(model):
    """Weights after one step on the gradients that the model has."""
    torch.optim.Adam(model.parameters(), lr=LEARNING_RATE, eps=EPSILON).step()
    return model.state_dict()


def deviation(found, expected):
    if found.shape != expected.shape:
        raise ValueError(f"shape {list(found.shape)}, expected {list(expected.shape)}")
    return (found.detach().double() - expected.double()).abs().max().item() if found.numel() else 0.0


def check_model(model, tensors, description):
    """What differs from a vector, and the largest deviations of outputs and of gradients."""
    below = lambda prefix: {name[len(prefix) :]: t for name, t in tensors.items() if name.startswith(prefix)}
    model.load_state_dict(below("param."), strict=True)
    model.eval()
    out, loss, found = gradients(model, below("input."), description)
    faults, worst = [], [0.0, 0.0]

    def compare(what, deviation, tolerance):
        if not deviation <= tolerance:
            faults.append(f"{what} deviates by {deviation:.1e}")

    for name, expected in below("output.").items():
        scale = 127 if name == "velocities" else 1
        worst[0] = max(worst[0], deviation(out[name], expected) / scale)
        compare(f"output {name}", deviation(out[name], expected) / scale, OUTPUT_TOLERANCE)
    compare("loss", abs(loss.item() - tensors["loss"].item()), LOSS_TOLERANCE * abs(tensors["loss"].item()))
    expected_gradients = below("grad.")
    if unexpected := found.keys() ^ expected_gradients.keys():
        faults.append(f"gradients on one side alone: {sorted(unexpected)}")
    largest = {name: t.abs().max().item() for name, t in expected_gradients.items()}
    noise = NOISE_SHARE * max(largest.values())
    stepped = adam_step(model)
    for name, expected in expected_gradients.items():
        if name not in found:
            continue
        if largest[name] <= noise:
            compare(f"gradient of {name}, which is noise,", found[name].abs().max().item(), noise)
            continue
        relative = deviation(found[name], expected) / largest[name]
        worst[1] = max(worst[1], relative)
        compare(f"gradient of {name}, of its largest entry,", relative, GRADIENT_TOLERANCE)
        clear = expected.abs() > STEP_SHARE * largest[name]
        step = deviation(stepped[name][clear], tensors[f"step.{name}"][clear])
        compare(f"{name} after the step", step, STEP_TOLERANCE)
    return faults, worst


def check_front_end(front, tensors):
    mel = front(tensors["input.waveform"].double())
    faults, worst = [], 0.0
    # A logarithm passes through zero, where a relative deviation says nothing.
    for name, floor in [("mel", 1e-9), ("log_mel", 1.0)]:
        expected = tensors[f"output.{name}"].double()
        relative = ((mel[name] - expected).abs() / expected.abs().clamp(min=floor)).max().item()
        worst = max(worst, relative)
        if not relative <= OUTPUT_TOLERANCE:
            faults.append(f"{name} deviates by {relative:.1e} of itself")
    return faults, [worst, 0.0]


def read_vector(path):
    with safe_open(path, "pt") as file:
        return file.metadata(), {name: file.get_tensor(name) for name in file.keys()}


def check_folder(folder):
    """Prints a line for every vector of a folder, and exits with what differs."""
    paths = sorted(folder.glob("*.safetensors"))
    if not paths:
        sys.exit(f"{folder}: no vectors (*.safetensors)")
    failed = 0
    for path in paths:
        metadata, tensors = read_vector(path)
        config = json.loads(metadata["config"])
        if metadata["model"] == "MelSpectrogram":
            faults, worst = check_front_end(MelSpectrogram(**config), tensors)
        else:
            faults, worst = check_model(MODELS[metadata["model"]](**config), tensors, metadata["loss"])
        failed += bool(faults)
        print(f"{path.stem}: outputs within {worst[0]:.1e}, gradients within {worst[1]:.1e}")
        for fault in faults:
            print(f"  {fault}")
    if failed:
        sys.exit(f"{failed} of {len(paths)} vectors differ")
