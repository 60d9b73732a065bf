"""The nine models and the mel front end in PyTorch, with hemiola's names and layouts of tensors.

`state_dict()` of each class is what `hemiola models export` writes and `hemiola models import` reads; the arguments of
a class are the section `model` of a checkpoint's config.json. Of MusicTranscriptionRNN it is the `conv1d` front; the
`harmonic` front has no counterpart here.

Usage: python models.py --check [FOLDER]
Compares outputs, loss, gradients and one Adam step with every vector of FOLDER [default: crates/hemiola/tests/parity].
Needs torch and safetensors.
"""

import argparse
import math
import re
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

PARITY = Path(__file__).resolve().parents[2] / "crates/hemiola/tests/parity"


def block(inputs, outputs, kernel, padding):
    convolution = nn.Conv2d(inputs, outputs, kernel, padding=padding)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def dense(*sizes, activation=nn.ReLU):
    """Linear layers of those sizes with an activation between each two."""
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


class MusicCNN(nn.Module):
    """Mel spectrograms, log_mel [batch, n_mels, time]."""

    LOSS = "mean cross-entropy of logits and target"

    def __init__(
        self, n_classes=10, n_mels=128, channels=(64, 128, 256), attention_hidden=128,
        pooling="average", output="clip", dropout=0.5,
    ):  # fmt: skip
        super().__init__()
        first, middle, last = channels
        self.n_mels, self.pooling, self.output = n_mels, pooling, output
        self.conv1 = block(1, first, 3, 1)
        self.conv2_harmonic = block(first, middle, (12, 1), "same")
        self.conv2_temporal = block(first, middle, (1, 7), "same")
        self.conv3 = block(2 * middle, last, 3, 1)
        self.attention = dense(last, attention_hidden, 1, activation=nn.Tanh)
        self.dropout = nn.Dropout(dropout)
        self.fc = nn.Linear(last, n_classes)

    def features(self, log_mel):
        pool = 2 if self.output == "clip" else (2, 1)
        spectrogram = log_mel.unsqueeze(1)
        conv1 = F.max_pool2d(self.conv1(spectrogram), pool)
        harmonic, temporal = self.conv2_harmonic(conv1), self.conv2_temporal(conv1)
        conv3 = F.max_pool2d(self.conv3(torch.cat([harmonic, temporal], 1)), pool)
        return {
            "spectrogram": spectrogram, "conv1": conv1, "harmonic": harmonic, "temporal": temporal, "conv3": conv3,
        }  # fmt: skip

    def embed(self, log_mel):
        return self.features(log_mel)["conv3"].mean((2, 3))

    def forward(self, log_mel, **_):
        out = self.features(log_mel)
        frames = out["conv3"].mean(2).transpose(1, 2)  # [batch, time, channels]
        if self.output == "clip":
            weights = torch.full_like(frames[..., :1], 1 / frames.shape[1])
            if self.pooling == "attention":
                weights = self.attention(frames).softmax(1)
                out["attention"] = weights.squeeze(2)
            frames = (weights * frames).sum(1)
        out["logits"] = self.fc(self.dropout(frames))
        return out

    def loss(self, out, inputs, _):
        logits = out["logits"].mean(1) if self.output == "frame" else out["logits"]
        return F.cross_entropy(logits, inputs["target"])


class HarmonicCNN(nn.Module):
    """Constant-Q spectrograms, log_cqt [batch, n_bins, time]."""

    LOSS = "mean cross-entropy"

    def __init__(self, n_harmonics=6, n_classes=10, n_bins=128, bins_per_octave=16, channels=32, combined=128):
        super().__init__()
        self.n_bins = n_bins
        self.register_buffer("initial", self.shifts(n_harmonics, n_bins, bins_per_octave), persistent=False)
        self.harmonic_filters = nn.Parameter(self.initial.clone())
        self.harmonic_conv = nn.ModuleList(block(1, channels, 3, 0) for _ in range(n_harmonics))
        self.combine = block(n_harmonics * channels, combined, 1, 0)
        self.classifier = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(combined, n_classes))

    @staticmethod
    def shifts(n_harmonics, n_bins, bins_per_octave):
        """Impulses at the harmonics' distances from the fundamental, shared between two neighbours."""
        filters = torch.zeros(n_harmonics, 1, n_bins, 1)
        for harmonic in range(n_harmonics):
            tap = (n_bins - 1) // 2 + bins_per_octave * math.log2(harmonic + 1)
            for neighbour, share in [(int(tap), 1 - tap % 1), (int(tap) + 1, tap % 1)]:
                if neighbour < n_bins:
                    filters[harmonic, 0, neighbour, 0] = share
        return filters

    def forward(self, log_cqt, **_):
        before = (self.n_bins - 1) // 2
        x = F.pad(log_cqt.unsqueeze(1), (0, 0, before, self.n_bins - 1 - before))
        x = F.conv2d(x, self.harmonic_filters)  # [batch, harmonics, bins, time]
        stacks = [F.max_pool2d(conv(x[:, i : i + 1]), 2) for i, conv in enumerate(self.harmonic_conv)]
        return {"logits": self.classifier(self.combine(torch.cat(stacks, 1))), "initial_filters": self.initial}

    def loss(self, out, inputs, _):
        return F.cross_entropy(out["logits"], inputs["target"])


class MusicTranscriptionRNN(nn.Module):
    """Spectra, features [batch, time, input_dim]."""

    LOSS = "mean BCE(pitches) + mean BCE(onsets) + mean((velocities/127 - 0.5)^2)"

    def __init__(
        self, input_dim=88, hidden_dim=256, n_layers=3, n_heads=8, conv_channels=(128, 256),
        onset_outputs=1, velocity_outputs=1, held_outputs=0, dropout=0.3, attention_dropout=0.1, front="conv1d", **_,
    ):  # fmt: skip
        super().__init__()
        if front != "conv1d":
            raise ValueError(f"front {front!r}; only 'conv1d' is here")
        first, second = conv_channels
        self.feature_conv = nn.Sequential(
            nn.Conv1d(input_dim, first, 3, padding=1), nn.BatchNorm1d(first), nn.ReLU(),
            nn.Conv1d(first, second, 3, padding=1), nn.BatchNorm1d(second), nn.ReLU(),
        )  # fmt: skip
        between = dropout if n_layers > 1 else 0
        self.lstm = nn.LSTM(second, hidden_dim, n_layers, batch_first=True, dropout=between, bidirectional=True)
        width = 2 * hidden_dim
        self.attention = nn.MultiheadAttention(width, n_heads, dropout=attention_dropout, batch_first=True)
        self.pitch_detector = nn.Linear(width, 88)
        self.onset_detector = nn.Linear(width, onset_outputs)
        self.velocity_estimator = nn.Linear(width, velocity_outputs)
        self.held_detector = nn.Linear(width, held_outputs) if held_outputs else None

    def forward(self, features, **_):
        x = self.feature_conv(features.transpose(1, 2)).transpose(1, 2)
        recurrent, _ = self.lstm(x)
        context, attention = self.attention(recurrent, recurrent, recurrent)
        x = recurrent + context
        out = {
            "pitches": self.pitch_detector(x).sigmoid(),
            "onsets": self.onset_detector(x).sigmoid(),
            "velocities": 127 * self.velocity_estimator(x).sigmoid(),
            "attention": attention,
        }
        if self.held_detector:
            out["held"] = self.held_detector(x).sigmoid()
        return out

    def loss(self, out, inputs, _):
        pitches = F.binary_cross_entropy(out["pitches"], inputs["target_pitches"])
        onsets = F.binary_cross_entropy(out["onsets"], inputs["target_onsets"])
        return pitches + onsets + (out["velocities"] / 127 - 0.5).square().mean()


class RealTimeMusicRNN(nn.Module):
    """Mel frames, log_mel [batch, time, input_dim]."""

    LOSS = "mean squared error"

    def __init__(self, input_dim=128, hidden_dim=128, n_layers=2):
        super().__init__()
        self.gru = nn.GRU(input_dim, hidden_dim, n_layers, batch_first=True)
        self.causal_conv = nn.Conv1d(hidden_dim, hidden_dim, 3)
        self.output = nn.Linear(hidden_dim, 12)

    def forward(self, log_mel, **_):
        recurrent, hidden = self.gru(log_mel)
        past = F.pad(recurrent.transpose(1, 2), (2, 0))
        x = recurrent + self.causal_conv(past).transpose(1, 2)
        return {"chroma": self.output(x).sigmoid(), "hidden": hidden}

    def loss(self, out, inputs, _):
        return F.mse_loss(out["chroma"], inputs["target"])


class RelativePositions(nn.Module):
    def __init__(self, max_seq_len, d_model):
        super().__init__()
        self.rel_pos_emb = nn.Parameter(0.02 * torch.randn(2 * max_seq_len - 1, d_model))


class EncoderLayer(nn.Module):
    """nn.TransformerEncoderLayer after its norms, with an attention that may know relative positions."""

    def __init__(self, d_model, n_heads, dropout):
        super().__init__()
        self.n_heads = n_heads
        self.self_attn = nn.MultiheadAttention(d_model, n_heads, batch_first=True)
        self.linear1, self.linear2 = nn.Linear(d_model, 4 * d_model), nn.Linear(4 * d_model, d_model)
        self.norm1, self.norm2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.dropout = nn.Dropout(dropout)

    def attend(self, x, relative, causal):
        batch, time, width = x.shape
        heads = lambda t: t.unflatten(-1, (self.n_heads, -1)).transpose(-3, -2)  # [.., heads, time, width / heads]
        q, k, v = map(heads, F.linear(x, self.self_attn.in_proj_weight, self.self_attn.in_proj_bias).chunk(3, -1))
        scores = q @ k.transpose(-2, -1)
        if relative is not None:
            # Row i − j + time − 1 of `relative` belongs to query i and key j.
            distance = torch.arange(time)[:, None] - torch.arange(time) + time - 1
            by_distance = q @ heads(relative).transpose(-2, -1)  # [batch, heads, time, 2·time − 1]
            scores = scores + by_distance.gather(-1, distance.expand_as(scores))
        scores = scores / math.sqrt(width // self.n_heads)
        if causal:
            scores = scores.masked_fill(torch.ones(time, time).triu(1).bool(), -torch.inf)
        context = self.dropout(scores.softmax(-1)) @ v
        return self.self_attn.out_proj(context.transpose(1, 2).flatten(2))

    def forward(self, x, relative, causal):
        x = self.norm1(x + self.dropout(self.attend(x, relative, causal)))
        return self.norm2(x + self.dropout(self.linear2(self.dropout(F.gelu(self.linear1(x))))))


class MusicTransformer(nn.Module):
    """Events, tokens [batch, time] below vocab_size, and perhaps a style [batch]."""

    LOSS = "mean CE(tokens, next_tokens) + mean CE(pitches, next_tokens mod 128)"

    def __init__(
        self, d_model=512, n_heads=8, n_layers=6, max_seq_len=2048, vocab_size=388, n_styles=10,
        relative=True, causal=True, dropout=0.1,
    ):  # fmt: skip
        super().__init__()
        self.d_model, self.max_seq_len, self.relative, self.causal = d_model, max_seq_len, relative, causal
        self.token_embedding = nn.Embedding(vocab_size, d_model)
        self.style_embedding = nn.Embedding(n_styles, d_model)
        self.relative_pos = RelativePositions(max_seq_len, d_model)
        layers = nn.ModuleList(EncoderLayer(d_model, n_heads, dropout) for _ in range(n_layers))
        self.transformer = nn.ModuleDict({"layers": layers})
        self.pitch_head, self.duration_head = nn.Linear(d_model, 128), nn.Linear(d_model, 32)
        self.dynamics_head, self.token_head = nn.Linear(d_model, 8), nn.Linear(d_model, vocab_size)

    def positions(self, time):
        """Sines and cosines of falling frequencies, in turn."""
        rate = torch.exp(torch.arange(0, self.d_model, 2, dtype=torch.float64) * (-math.log(1e4) / self.d_model))
        angle = torch.arange(time, dtype=torch.float64)[:, None] * rate
        return torch.stack([angle.sin(), angle.cos()], 2).flatten(1)

    def forward(self, tokens, style=None, **_):
        time, table = tokens.shape[1], self.relative_pos.rel_pos_emb
        x = self.token_embedding(tokens) * math.sqrt(self.d_model) + self.positions(time).to(table.dtype)
        if style is not None:
            x = x + self.style_embedding(style)[:, None]
        middle = self.max_seq_len - 1
        relative = table[middle - time + 1 : middle + time] if self.relative else None
        for layer in self.transformer["layers"]:
            x = layer(x, relative, self.causal)
        return {
            "tokens": self.token_head(x),
            "pitches": self.pitch_head(x),
            "durations": self.duration_head(x),
            "dynamics": self.dynamics_head(x),
            "hidden_states": x,
        }

    def loss(self, out, inputs, _):
        following = inputs["next_tokens"].flatten()
        tokens = F.cross_entropy(out["tokens"].flatten(0, 1), following)
        return tokens + F.cross_entropy(out["pitches"].flatten(0, 1), following % 128)


class MusicBERT(nn.Module):
    """Events and special tokens, tokens [batch, time] below vocab_size."""

    LOSS = "mean CE(mlm) + mean CE(nsp)"

    def __init__(
        self, d_model=768, n_heads=12, n_layers=12, max_seq_len=2048, vocab_size=394, n_events=388,
        relative=True, dropout=0.1,
    ):  # fmt: skip
        super().__init__()
        self.transformer = MusicTransformer(
            d_model, n_heads, n_layers, max_seq_len, vocab_size, relative=relative, causal=False, dropout=dropout
        )
        self.mlm_head = nn.Sequential(
            nn.Linear(d_model, d_model), nn.GELU(), nn.LayerNorm(d_model), nn.Linear(d_model, n_events)
        )
        self.nsp_head = nn.Linear(d_model, 2)

    def forward(self, tokens, **_):
        x = self.transformer(tokens)["hidden_states"]
        return {"mlm_logits": self.mlm_head(x), "nsp_logits": self.nsp_head(x[:, 0]), "hidden_states": x}

    def loss(self, out, inputs, _):
        events = F.cross_entropy(out["mlm_logits"].flatten(0, 1), inputs["next_tokens"].flatten())
        return events + F.cross_entropy(out["nsp_logits"], inputs["is_next"])


class MusicBERTClassifier(nn.Module):
    """MusicBERT with classes, tokens [batch, time] below vocab_size: the mean over time of what its last layer says."""

    def __init__(self, n_classes, bert):
        super().__init__()
        self.bert = MusicBERT(**bert)
        self.classifier = nn.Linear(bert["d_model"], n_classes)

    def forward(self, tokens, **_):
        return self.classifier(self.bert(tokens)["hidden_states"].mean(1))


class MusicVAE(nn.Module):
    """Frames x [batch, input_dim], or x [batch, segments, frames, input_dim]; eps [batch, latent_dim] is noise."""

    LOSS = "sum BCE + 0.7 * KL"

    def __init__(self, input_dim=88, latent_dim=256, hidden_dim=512, hierarchical=False):
        super().__init__()
        half = latent_dim // 2
        self.hierarchical = hierarchical
        self.encoder = nn.Sequential(*dense(input_dim, hidden_dim, hidden_dim), nn.ReLU())
        self.fc_mu, self.fc_logvar = nn.Linear(hidden_dim, latent_dim), nn.Linear(hidden_dim, latent_dim)
        self.conductor = nn.LSTM(latent_dim, half, 2, batch_first=True)
        self.decoder = dense(latent_dim, hidden_dim, hidden_dim, input_dim)
        if hierarchical:
            self.encoder_rnn = nn.LSTM(hidden_dim, hidden_dim // 2, batch_first=True, bidirectional=True)
            self.frame_rnn = nn.LSTM(half, half, batch_first=True)

    def forward(self, x, eps, **_):
        h = self.encoder(x)
        if self.hierarchical:
            batch, segments, frames, _ = x.shape
            _, (last, _) = self.encoder_rnn(h.flatten(1, 2))
            h = torch.cat([last[0], last[1]], 1)
        mu, logvar = self.fc_mu(h), self.fc_logvar(h)
        z = mu + eps * torch.exp(logvar / 2)
        if self.hierarchical:
            c, _ = self.conductor(z[:, None].expand(-1, segments, -1))
            c = c.flatten(0, 1)[:, None].expand(-1, frames, -1)  # [batch · segments, frames, half]
            f, _ = self.frame_rnn(c)
            z = torch.cat([c, f], 2).unflatten(0, (batch, segments))
        return {"recon": self.decoder(z).sigmoid(), "mu": mu, "logvar": logvar}

    def loss(self, out, inputs, description):
        mu, logvar = out["mu"], out["logvar"]
        kl = -0.5 * (1 + logvar - mu.square() - logvar.exp()).sum()
        return F.binary_cross_entropy(out["recon"], inputs["x"], reduction="sum") + number_in(description) * kl


class GraphConvolution(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.lin = nn.Linear(inputs, outputs, bias=False)
        self.bias = nn.Parameter(torch.zeros(outputs))

    def forward(self, x, edges, edge_terms):
        """Sums norm · (W·x of the source + the term of the edge) over the edges into a node and the node itself."""
        source, target = edges[:, 0], edges[:, 1]
        x = self.lin(x)
        degree = torch.ones(len(x), dtype=x.dtype).index_add(0, target, torch.ones(len(target), dtype=x.dtype))
        norm = (degree[source] * degree[target]).rsqrt()[:, None]
        return (x / degree[:, None]).index_add(0, target, norm * (x[source] + edge_terms)) + self.bias


class ChordProgressionGNN(nn.Module):
    """Nodes [n, node_features], edges [m, 3] (source, target, type), graph_of_node [n]."""

    LOSS = "mean CE(graph) + mean CE(node)"

    def __init__(
        self, node_features=12, hidden_dim=128, n_classes=7, n_edge_types=5, n_node_classes=0, attention_dim=64,
        dropout=0.5,
    ):  # fmt: skip
        super().__init__()
        self.edge_embedding = nn.Embedding(n_edge_types, hidden_dim)
        self.conv1 = GraphConvolution(node_features, hidden_dim)
        self.conv2 = GraphConvolution(hidden_dim, hidden_dim)
        self.conv3 = GraphConvolution(hidden_dim, hidden_dim)
        self.dropout = nn.Dropout(dropout)
        self.attention = dense(hidden_dim, attention_dim, 1, activation=nn.Tanh)
        self.classifier = nn.Linear(hidden_dim, n_classes)
        self.node_classifier = nn.Linear(hidden_dim, n_node_classes) if n_node_classes else None

    def forward(self, nodes, edges, graph_of_node, **_):
        terms = self.edge_embedding(edges[:, 2])
        x = self.dropout(self.conv1(nodes, edges, terms).relu())
        x = self.dropout(self.conv2(x, edges, terms).relu())
        hidden = self.conv3(x, edges, terms)
        of_graph = F.one_hot(graph_of_node).T.bool()  # [graphs, n]
        scores = self.attention(hidden).T.masked_fill(~of_graph, -torch.inf)
        weights = scores.softmax(1)  # [graphs, n]
        out = {
            "graph_logits": self.classifier(weights @ hidden),
            "attention": weights.sum(0)[:, None],
            "node_hidden": hidden,
        }
        if self.node_classifier:
            out["node_logits"] = self.node_classifier(hidden)
        return out

    def loss(self, out, inputs, description):
        loss = F.cross_entropy(out["graph_logits"], inputs["graph_target"])
        if "node" in description:
            loss = loss + F.cross_entropy(out["node_logits"], inputs["node_target"])
        return loss


class ContrastiveEncoder(nn.Module):
    """Two views of the same clips, view_a and view_b [batch, n_mels, time]."""

    LOSS = "NT-Xent, temperature 0.5"

    def __init__(self, n_mels=128, channels=(64, 128, 256), attention_hidden=128, projection=128):
        super().__init__()
        self.encoder = MusicCNN(1, n_mels, channels, attention_hidden)
        self.projector = dense(channels[2], channels[2], projection)

    def forward(self, view_a, view_b, **_):
        project = lambda view: self.projector(self.encoder.embed(view))
        return {"projection_a": project(view_a), "projection_b": project(view_b)}

    def loss(self, out, _, description):
        views = F.normalize(torch.cat([out["projection_a"], out["projection_b"]]), dim=1)
        similarity = views @ views.T / number_in(description)
        similarity = similarity.masked_fill(torch.eye(len(views)).bool(), -torch.inf)
        return F.cross_entropy(similarity, torch.arange(len(views)).roll(len(views) // 2))


class MelSpectrogram(nn.Module):
    """waveform [samples] → mel and log_mel [n_mels, frames], as torchaudio's."""

    def __init__(self, sample_rate, n_fft, hop_length, n_mels, f_min, f_max, power, **_):
        super().__init__()
        self.n_fft, self.hop_length, self.power = n_fft, hop_length, power
        mel = lambda f: 2595 * math.log10(1 + f / 700)
        points = 700 * (10 ** (torch.linspace(mel(f_min), mel(f_max), n_mels + 2) / 2595) - 1)
        frequencies = torch.linspace(0, sample_rate / 2, n_fft // 2 + 1)
        slopes = points[:, None] - frequencies
        width = points.diff()[:, None]
        self.filters = torch.minimum(-slopes[:-2] / width[:-1], slopes[2:] / width[1:]).clamp(min=0)

    def forward(self, waveform, **_):
        window = torch.hann_window(self.n_fft, dtype=waveform.dtype)
        spectrum = torch.stft(waveform, self.n_fft, self.hop_length, window=window, return_complex=True)
        mel = self.filters.to(waveform.dtype) @ spectrum.abs() ** self.power
        return {"mel": mel, "log_mel": torch.log(mel + 1e-9)}


MODELS = {
    model.__name__: model
    for model in [
        MusicCNN, HarmonicCNN, MusicTranscriptionRNN, RealTimeMusicRNN, MusicTransformer, MusicBERT, MusicVAE,
        ChordProgressionGNN, ContrastiveEncoder,
    ]
}  # fmt: skip


def number_in(description):
    """0.7 of "sum BCE + 0.7 * KL"."""
    return float(re.search(r"\d+(\.\d+)?", description)[0])


def main():
    import parity

    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--check", nargs="?", const=PARITY, type=Path, metavar="FOLDER", required=True)
    torch.set_num_threads(1)
    parity.check_folder(parser.parse_args().check)


if __name__ == "__main__":
    main()
