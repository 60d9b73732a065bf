"""Speed of three bidirectional LSTM layers of 256 units in PyTorch on two threads.

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


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=30)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
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
            shortest, median = measure(run, arguments.repeats)
            rate = passes * operations / shortest / 1e6
            print(f"{name}/{batch}x{frames}: shortest {shortest:.1f} ms, median {median:.1f} ms, {rate:.0f} GFLOP/s")


if __name__ == "__main__":
    main()
