"""Speed of recurrent networks in PyTorch on two threads: three bidirectional LSTM layers of 256 units, and the reference
RealTimeMusicRNN (two GRU layers of 128 units, a causal convolution, an output) on batches and frame by frame.

The same as crates/hemiola/benches/recurrent.rs; needs torch. Prints the shortest and the median of many runs.
"""

import argparse
import statistics
import time

import torch


def measure(run, repeats):
    for _ in range(3):
        run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return min(times), statistics.median(times)


def lstm(repeats):
    model = torch.nn.LSTM(256, 256, num_layers=3, bidirectional=True, batch_first=True)
    for batch, frames in [(4, 200), (16, 160)]:
        x = torch.rand(batch, frames, 256) * 2 - 1
        # Products of one forward pass: a layer has 4 gates from its input and its own 256 units, in 2 directions.
        operations = sum(2 * 2 * 4 * 256 * (size + 256) for size in (256, 512, 512)) * batch * frames

        def inference():
            with torch.inference_mode():
                model(x)

        def training():
            model.zero_grad(set_to_none=True)
            model(x)[0].mean().backward()

        for name, run, passes in [("inference", inference, 1), ("training", training, 3)]:
            shortest, median = measure(run, repeats)
            rate = passes * operations / shortest / 1e6
            print(f"lstm {name}/{batch}x{frames}: shortest {shortest:.1f} ms, median {median:.1f} ms, {rate:.0f} GFLOP/s")


class RealTimeRnn(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = torch.nn.GRU(128, 128, num_layers=2, batch_first=True)
        self.causal_conv = torch.nn.Conv1d(128, 128, 3)
        self.output = torch.nn.Linear(128, 12)

    def forward(self, x, hidden, previous):
        recurrent, hidden = self.gru(x, hidden)
        context = torch.cat([previous, recurrent], dim=1)
        convolved = self.causal_conv(context.transpose(1, 2)).transpose(1, 2)
        chroma = torch.sigmoid(self.output(recurrent + convolved))
        return chroma, hidden, context[:, -2:]


def real_time(repeats):
    model = RealTimeRnn()
    batch, frames = 8, 200
    x = torch.rand(batch, frames, 128) * 2 - 1
    target = torch.rand(batch, frames, 12)
    start = torch.zeros(2, batch, 128), torch.zeros(batch, 2, 128)
    frame = torch.rand(1, 1, 128)
    state = torch.zeros(2, 1, 128), torch.zeros(1, 2, 128)

    def one_frame():
        nonlocal state
        with torch.inference_mode():
            _, *state = model(frame, *state)

    def inference():
        with torch.inference_mode():
            model(x, *start)

    def training():
        model.zero_grad(set_to_none=True)
        torch.nn.functional.mse_loss(model(x, *start)[0], target).backward()

    for name, run, repeats in [
        ("one_frame", one_frame, 100 * repeats),
        (f"inference/{batch}x{frames}", inference, repeats),
        (f"training/{batch}x{frames}", training, repeats),
    ]:
        shortest, median = measure(run, repeats)
        print(f"real_time_rnn {name}: shortest {shortest:.3f} ms, median {median:.3f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    lstm(arguments.repeats)
    real_time(arguments.repeats)


if __name__ == "__main__":
    main()
