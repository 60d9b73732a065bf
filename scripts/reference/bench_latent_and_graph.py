"""Speed of MusicVAE and ChordProgressionGNN in PyTorch on two threads.

The same as crates/hemiola/benches/latent_and_graph.rs; needs torch. Prints the shortest and the median of many runs.
"""

import argparse
import statistics
import time

import torch
from torch import nn
from torch.nn import functional as F

GRAPHS, CHORDS, REACH = 32, 50, 8


class MusicVae(nn.Module):
    def __init__(self, input_dim=88, latent=256, hidden=512, hierarchical=False):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(input_dim, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.fc_mu = nn.Linear(hidden, latent)
        self.fc_logvar = nn.Linear(hidden, latent)
        self.conductor = nn.LSTM(latent, latent // 2, 2, batch_first=True)
        self.decoder = nn.Sequential(
            nn.Linear(latent, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, input_dim)
        )
        self.hierarchical = hierarchical
        if hierarchical:
            self.encoder_rnn = nn.LSTM(hidden, hidden // 2, bidirectional=True, batch_first=True)
            self.frame_rnn = nn.LSTM(latent // 2, latent // 2, batch_first=True)

    def forward(self, x, eps):
        h = self.encoder(x)
        if self.hierarchical:
            batch, segments, frames, _ = x.shape
            _, (last, _) = self.encoder_rnn(h.flatten(1, 2))
            h = torch.cat([last[0], last[1]], 1)
        mu, logvar = self.fc_mu(h), self.fc_logvar(h)
        z = mu + eps * torch.exp(logvar / 2)
        if self.hierarchical:
            c, _ = self.conductor(z[:, None].expand(-1, segments, -1))
            c = c.reshape(batch * segments, 1, -1).expand(-1, frames, -1)
            f, _ = self.frame_rnn(c)
            z = torch.cat([c, f], 2).reshape(batch, segments, frames, -1)
        return self.decoder(z), mu, logvar

    def loss(self, x, eps):
        logits, mu, logvar = self(x, eps)
        kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum()
        return F.binary_cross_entropy_with_logits(logits, x, reduction="sum") + kl


class Convolution(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.lin = nn.Linear(inputs, outputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x, graph, edge_embedding):
        source, target, kind, norm, own = graph
        h = self.lin(x)
        messages = norm * (h[source] + edge_embedding[kind])
        return (own * h).index_add(0, target, messages) + self.bias


class ChordGnn(nn.Module):
    def __init__(self, features=12, hidden=128, classes=7, kinds=5):
        super().__init__()
        self.edge_embedding = nn.Embedding(kinds, hidden)
        self.conv1 = Convolution(features, hidden)
        self.conv2 = Convolution(hidden, hidden)
        self.conv3 = Convolution(hidden, hidden)
        self.attention = nn.Sequential(nn.Linear(hidden, 64), nn.Tanh(), nn.Linear(64, 1))
        self.classifier = nn.Linear(hidden, classes)

    def forward(self, x, edges, graph_of_node, n_graphs):
        source, target, kind = edges
        degree = torch.ones(len(x)).index_add(0, target, torch.ones(len(target)))
        norm = (degree[source] * degree[target]).rsqrt()[:, None]
        graph = source, target, kind, norm, 1 / degree[:, None]
        for index, convolution in enumerate((self.conv1, self.conv2, self.conv3)):
            x = convolution(x, graph, self.edge_embedding.weight)
            if index < 2:
                x = F.dropout(F.relu(x), 0.5, self.training)
        score = self.attention(x)[:, 0]
        highest = torch.full((n_graphs,), -torch.inf).scatter_reduce(0, graph_of_node, score.detach(), "amax")
        weight = torch.exp(score - highest[graph_of_node])
        total = torch.zeros(n_graphs).index_add(0, graph_of_node, weight)
        weight = weight / total[graph_of_node]
        pooled = torch.zeros(n_graphs, x.shape[1]).index_add(0, graph_of_node, weight[:, None] * x)
        return self.classifier(pooled)


def progressions():
    """The cycle of triads of the Rust benchmark: roots in fourths, every fifth chord minor, joined up to REACH apart."""
    nodes, edges, graph_of_node = [], [], []
    for graph in range(GRAPHS):
        roots = [(graph + 5 * i + 2 * (i // 7)) % 12 for i in range(CHORDS)]
        sets = [frozenset((r, (r + (3 if i % 5 == 4 else 4)) % 12, (r + 7) % 12)) for i, r in enumerate(roots)]
        first = graph * CHORDS
        for i in range(CHORDS):
            nodes.append([float(p in sets[i]) for p in range(12)])
            graph_of_node.append(graph)
            if i + 1 < CHORDS:
                edges.append((first + i, first + i + 1, 0))
            for j in range(i + 1, min(i + REACH + 1, CHORDS)):
                for a, b in ((i, j), (j, i)):
                    interval = (roots[b] - roots[a]) % 12
                    if interval in (5, 7):
                        edges.append((first + a, first + b, 1 if interval == 7 else 2))
                    if (roots[a], sets[a]) == (roots[b], sets[b]):
                        edges.append((first + a, first + b, 4))
                    elif distance(sets[a], sets[b]) <= 2:
                        edges.append((first + a, first + b, 3))
    print(f"{len(nodes)} chords, {len(edges)} edges")
    return torch.tensor(nodes), torch.tensor(edges).T.contiguous(), torch.tensor(graph_of_node)


def distance(a, b):
    """Least motion of three voices."""
    a, b = sorted(a), sorted(b)
    steps = lambda p, q: min((p - q) % 12, (q - p) % 12)
    return min(sum(steps(a[i], b[(i + turn) % 3]) for i in range(3)) for turn in range(3))


def measure(run, repeats):
    for _ in range(5):
        run()
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        times.append(1e3 * (time.perf_counter() - start))
    return min(times), statistics.median(times)


def bench(name, model, forward, loss, repeats):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def inference():
        with torch.inference_mode():
            forward()

    def training():
        optimizer.zero_grad(set_to_none=True)
        loss().backward()
        optimizer.step()

    for part, run in [("inference", inference), ("training", training)]:
        model.train(part == "training")
        shortest, median = measure(run, repeats)
        print(f"{name}/{part}: shortest {shortest:.2f} ms, median {median:.2f} ms")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    repeats = arguments.repeats

    for name, hierarchical, shape in [("vae_frame", False, (256, 88)), ("vae_sequence", True, (16, 4, 16, 88))]:
        model = MusicVae(hierarchical=hierarchical)
        x = (torch.rand(shape) < 0.05).float()
        eps = torch.randn(shape[0], 256)
        bench(name, model, lambda: model(x, eps), lambda: model.loss(x, eps), repeats)

    model = ChordGnn()
    nodes, edges, graph_of_node = progressions()
    labels = torch.arange(GRAPHS) % 7
    run = lambda: model(nodes, edges, graph_of_node, GRAPHS)
    bench("chord_gnn", model, run, lambda: F.cross_entropy(run(), labels), repeats)


if __name__ == "__main__":
    main()
