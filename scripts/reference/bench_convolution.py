"""Times the harmonic front end in PyTorch, as crates/hemiola/benches/convolution.rs does: 16 x 160 frames of 88 pitches.

Usage: python bench_convolution.py [THREADS]   (2 by default)
Prints the least of 15 times, in ms, and frames per second, for both memory layouts.
"""

import sys
import time

import torch
from torch import nn

BATCH, TIME, PITCHES, CHANNELS = 16, 160, 88, 24


def harmonic():
    layers = []
    for kernel, dilation in [((3, 3), 1), ((5, 3), 1), ((1, 3), (1, 12))]:
        convolution = nn.Conv2d(CHANNELS, CHANNELS, kernel, padding="same", dilation=dilation)
        layers += [convolution, nn.BatchNorm2d(CHANNELS), nn.ReLU()]
    return nn.Sequential(*layers, nn.Conv2d(CHANNELS, 6, 1))


def least(run, times=15):
    run()
    best = float("inf")
    for _ in range(times):
        start = time.perf_counter()
        run()
        best = min(best, time.perf_counter() - start)
    return best


def main():
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
    torch.manual_seed(0)
    for layout in (torch.contiguous_format, torch.channels_last):
        model = harmonic().to(memory_format=layout)
        x = torch.randn(BATCH, CHANNELS, TIME, PITCHES).to(memory_format=layout).requires_grad_()

        def infer():
            with torch.no_grad():
                model(x)

        model.eval()
        inference = least(infer)
        model.train()
        forward = least(lambda: model(x))
        both = least(lambda: model(x).sum().backward())
        for name, seconds in [("inference", inference), ("forward, training", forward), ("forward and backward", both)]:
            rate = BATCH * TIME / seconds
            print(f"{str(layout):24} {name:22} {seconds * 1e3:8.1f} ms {rate:9.0f} frames/s")


if __name__ == "__main__":
    main()
