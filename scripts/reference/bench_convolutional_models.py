"""Times MusicCNN and HarmonicCNN in PyTorch, as crates/hemiola/benches/convolutional_models.rs does: 4 clips of 130 frames.

Usage: python bench_convolutional_models.py [THREADS]   (2 by default)
Prints the median and the least of 20 times, in ms, in PyTorch's default memory layout.
"""

import statistics
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

CLIPS, BANDS, FRAMES, CLASSES = 4, 128, 130, 10


def block(inputs, outputs, kernel, padding):
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=padding)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


class MusicCNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = block(1, 64, 3, 1)
        self.conv2_harmonic = block(64, 128, (12, 1), "same")
        self.conv2_temporal = block(64, 128, (1, 7), "same")
        self.conv3 = block(256, 256, 3, 1)
        self.dropout = nn.Dropout(0.5)
        self.fc = nn.Linear(256, CLASSES)

    def forward(self, log_mel):
        x = F.max_pool2d(self.conv1(log_mel.unsqueeze(1)), 2)
        x = torch.cat([self.conv2_harmonic(x), self.conv2_temporal(x)], 1)
        x = F.max_pool2d(self.conv3(x), 2)
        return self.fc(self.dropout(x.mean((2, 3))))


class HarmonicCNN(nn.Module):
    def __init__(self, harmonics=6, channels=32, combined=128):
        super().__init__()
        self.harmonic_filters = nn.Parameter(torch.randn(harmonics, 1, BANDS, 1) / BANDS)
        self.harmonic_conv = nn.ModuleList(block(1, channels, 3, 0) for _ in range(harmonics))
        self.combine = block(harmonics * channels, combined, 1, 0)
        self.classifier = nn.Linear(combined, CLASSES)

    def forward(self, log_cqt):
        before = (BANDS - 1) // 2
        x = F.pad(log_cqt.unsqueeze(1), (0, 0, before, BANDS - 1 - before))
        x = F.conv2d(x, self.harmonic_filters)  # [batch, harmonics, bins, frames]
        stacks = [F.max_pool2d(conv(x[:, i : i + 1]), 2) for i, conv in enumerate(self.harmonic_conv)]
        return self.classifier(self.combine(torch.cat(stacks, 1)).mean((2, 3)))


def times(run, count=20):
    for _ in range(3):
        run()
    found = []
    for _ in range(count):
        start = time.perf_counter()
        run()
        found.append(time.perf_counter() - start)
    return statistics.median(found) * 1e3, min(found) * 1e3


def main():
    torch.set_num_threads(int(sys.argv[1]) if len(sys.argv) > 1 else 2)
    torch.manual_seed(0)
    for model in (MusicCNN(), HarmonicCNN()):
        x = torch.rand(CLIPS, BANDS, FRAMES)
        labels = torch.arange(CLIPS) % CLASSES
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

        def infer():
            with torch.no_grad():
                model(x)

        def step():
            optimizer.zero_grad()
            F.cross_entropy(model(x), labels).backward()
            optimizer.step()

        model.eval()
        inference = times(infer)
        model.train()
        forward = times(lambda: model(x))
        training = times(step)
        for name, (median, least) in [
            ("inference", inference),
            ("forward, training", forward),
            ("training step", training),
        ]:
            print(f"{type(model).__name__:12} {name:18} {median:8.1f} ms (least {least:.1f})")


if __name__ == "__main__":
    main()
