"""Writes scikit-learn's scores of classes, rankings and probabilities, which the test `classification` compares with.

Usage: python make_classification_golden.py ../../crates/hemiola/tests/data/classification.json
Needs scikit-learn 1.9, numpy and scipy. A metric that is not defined is null.
"""

import argparse
import json
import math
import warnings
from pathlib import Path

import numpy as np
import sklearn
from scipy.optimize import brentq
from scipy.special import log_softmax, softmax
from sklearn import metrics
from sklearn.calibration import _TemperatureScaling, calibration_curve

SEED = 7


def defined(value):
    return None if math.isnan(value) else float(value)


def classes(name, n_classes, reference, estimate):
    labels = list(range(n_classes))
    precision, recall, f1, support = metrics.precision_recall_fscore_support(
        reference, estimate, labels=labels, zero_division=0
    )
    return {
        "name": name,
        "n_classes": n_classes,
        "reference": reference,
        "estimate": estimate,
        "confusion_matrix": metrics.confusion_matrix(reference, estimate, labels=labels),
        "precision": precision,
        "recall": recall,
        "f1": f1,
        "support": support,
        "accuracy": metrics.accuracy_score(reference, estimate),
        "macro_f1": metrics.f1_score(reference, estimate, average="macro", zero_division=0),
        "weighted_f1": metrics.f1_score(reference, estimate, average="weighted", zero_division=0),
        "balanced_accuracy": metrics.balanced_accuracy_score(reference, estimate),
    }


def best_f1(scores, relevant):
    """The first maximum of F1 along the curve, up to rounding."""
    precision, recall, thresholds = metrics.precision_recall_curve(relevant, scores)
    precision, recall = precision[:-1], recall[:-1]
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-300)
    best = np.flatnonzero(f1 >= f1.max() - 1e-12)[0]
    return {"threshold": thresholds[best], "f1": f1[best]}


def ranking(name, scores, relevant):
    scores, relevant = np.asarray(scores, float), np.asarray(relevant, int)
    precision, recall, thresholds = metrics.precision_recall_curve(relevant, scores)
    at = [0.5, float(scores[0]), float(scores.max()) + 1]
    return {
        "name": name,
        "scores": scores,
        "relevant": relevant,
        "roc_auc": defined(metrics.roc_auc_score(relevant, scores)),
        "average_precision": metrics.average_precision_score(relevant, scores),
        "precision": precision[:-1],
        "recall": recall[:-1],
        "thresholds": thresholds,
        "at": at,
        "f1_at": [defined(metrics.f1_score(relevant, scores >= t, zero_division=np.nan)) for t in at],
        "best_f1": best_f1(scores, relevant) if relevant.any() else None,
    }


def labels(name, scores, relevant, thresholds):
    """Means over the labels for which scikit-learn gives a number; average precision is not defined without positives."""
    roc_auc = [metrics.roc_auc_score(r, s) for r, s in zip(relevant.T, scores.T)]
    precision = [
        metrics.average_precision_score(r, s) if r.any() else math.nan for r, s in zip(relevant.T, scores.T)
    ]
    estimate = (scores >= thresholds).astype(int)
    f1 = metrics.f1_score(relevant, estimate, average=None, zero_division=np.nan)
    case = {
        "name": name,
        "n_labels": scores.shape[1],
        "scores": scores.ravel(),
        "relevant": relevant.ravel(),
        "thresholds": thresholds,
        "roc_auc": [defined(x) for x in roc_auc],
        "average_precision": [defined(x) for x in precision],
        "f1": [defined(x) for x in f1],
        "macro_roc_auc": np.nanmean(roc_auc),
        "macro_average_precision": np.nanmean(precision),
        "macro_f1": metrics.f1_score(relevant, estimate, average="macro", zero_division=np.nan),
    }
    if not np.isnan(roc_auc).any():
        assert np.isclose(metrics.roc_auc_score(relevant, scores), case["macro_roc_auc"], rtol=0, atol=1e-12)
        assert np.isclose(
            metrics.average_precision_score(relevant, scores), case["macro_average_precision"], rtol=0, atol=1e-12
        )
    return case


def reliability(confidences, right, n_bins):
    """The bins of Guo et al.: above the lower edge, up to the upper one; the first also holds 0."""
    edges = np.linspace(0, 1, n_bins + 1)
    table, expected, greatest = [], 0.0, 0.0
    for lower, upper in zip(edges[:-1], edges[1:]):
        inside = (confidences > lower) & (confidences <= upper)
        if lower == 0:
            inside |= confidences == 0
        row = [int(inside.sum()), 0.0, 0.0]
        if inside.any():
            row[1:] = confidences[inside].mean(), right[inside].mean()
            expected += inside.mean() * abs(row[1] - row[2])
            greatest = max(greatest, abs(row[1] - row[2]))
        table.append(row)
    assert sum(row[0] for row in table) == len(confidences)
    true, predicted = calibration_curve(right, confidences, n_bins=n_bins, pos_label=1)
    filled = np.array([row[1:] for row in table if row[0]])
    assert np.allclose(filled, np.stack([predicted, true], 1), rtol=0, atol=1e-12)
    return {"n_bins": n_bins, "table": table, "expected": expected, "maximum": greatest}


def clipped_float32(probabilities):
    """In 64 bits, what scikit-learn clips 32-bit probabilities to."""
    eps = float(np.finfo(np.float32).eps)
    return np.clip(probabilities.astype(np.float32).astype(float), eps, 1 - eps)


def probabilities(name, p, relevant, bins):
    p, relevant = np.asarray(p, float), np.asarray(relevant, int)
    single = metrics.log_loss(relevant, clipped_float32(p), labels=[0, 1])
    assert abs(single - metrics.log_loss(relevant, p.astype(np.float32), labels=[0, 1])) < 1e-6 * max(single, 1)
    return {
        "name": name,
        "probabilities": p,
        "relevant": relevant,
        "brier_score": metrics.brier_score_loss(relevant, p, labels=[0, 1], pos_label=1),
        "log_loss": metrics.log_loss(relevant, p, labels=[0, 1]),
        "log_loss_float32": single,
        "reliability": [reliability(p, relevant, n) for n in bins],
    }


def class_probabilities(name, p, reference, bins):
    n_classes = p.shape[1]
    classes = list(range(n_classes))
    # Like roc_auc_score(multi_class="ovr"), which is not defined where a class is missing.
    each = [metrics.roc_auc_score(reference == c, p[:, c]) for c in classes]
    if n_classes > 2 and not np.isnan(each).any():
        whole = metrics.roc_auc_score(reference, p, multi_class="ovr", average="macro")
        assert np.isclose(whole, np.mean(each), rtol=0, atol=1e-12)
    single = metrics.log_loss(reference, clipped_float32(p), labels=classes)
    assert abs(single - metrics.log_loss(reference, p.astype(np.float32), labels=classes)) < 1e-6 * max(single, 1)
    return {
        "name": name,
        "n_classes": n_classes,
        "probabilities": p.ravel(),
        "reference": reference,
        "one_vs_rest_roc_auc": None if np.isnan(each).all() else np.nanmean(each),
        "top_k_accuracy": [
            metrics.top_k_accuracy_score(reference, p, k=k, labels=classes) for k in range(1, n_classes + 1)
        ]
        if n_classes > 2
        else None,
        "brier_score": metrics.brier_score_loss(reference, p, labels=classes),
        "log_loss": metrics.log_loss(reference, p, labels=classes),
        "log_loss_float32": single,
        "reliability": [reliability(p.max(1), (p.argmax(1) == reference).astype(int), n) for n in bins],
    }


def temperature(name, logits, reference):
    def loss(t):
        return metrics.log_loss(reference, softmax(logits / t, axis=1), labels=list(range(logits.shape[1])))

    def slope(beta):
        """Of the mean loss by the inverse temperature."""
        expected = (softmax(beta * logits, axis=1) * logits).sum(1)
        return (expected - logits[np.arange(len(logits)), reference]).mean()

    t = 1 / brentq(slope, 0.01, 100, xtol=1e-14, rtol=1e-14)
    theirs = 1 / float(_TemperatureScaling().fit(logits, reference).beta_)
    assert abs(theirs / t - 1) < 1e-6, (t, theirs)
    likelihood = -log_softmax(logits / t, axis=1)[np.arange(len(logits)), reference].mean()
    assert abs(likelihood - loss(t)) < 1e-9
    return {
        "name": name,
        "n_classes": logits.shape[1],
        "logits": logits.ravel(),
        "reference": reference,
        "temperature": t,
        "log_loss_before": loss(1),
        "log_loss_after": loss(t),
    }


def drawn_probabilities(rng, n, n_classes, sharpness):
    """Probabilities that sum to 1, and references that are as probable as that or less."""
    p = np.round(softmax(sharpness * rng.normal(size=(n, n_classes)), axis=1), 3)
    p[:, -1] = np.round(1 - p[:, :-1].sum(1), 3)
    p = np.clip(p, 0, 1)
    return p, np.array([rng.choice(n_classes, p=row / row.sum()) for row in np.sqrt(p)])


def make():
    rng = np.random.default_rng(SEED)
    reference = rng.choice(5, 120, p=[0.4, 0.3, 0.2, 0.08, 0.02])
    estimate = np.where(rng.random(120) < 0.6, reference, rng.integers(0, 5, 120))
    class_cases = [
        classes("five classes, uneven", 5, reference, estimate),
        classes("of eight classes three occur nowhere", 8, reference, estimate),
        classes("a class of the reference that is never estimated", 4, [0, 1, 2, 3, 3], [0, 1, 1, 0, 2]),
        classes("an estimated class that is not in the reference", 4, [0, 0, 1, 1], [0, 3, 1, 2]),
        classes("one class only, all right", 3, [1, 1, 1], [1, 1, 1]),
        classes("one class only, all wrong", 2, [0, 0, 0], [1, 1, 1]),
        classes("two classes", 2, [0, 1, 0, 0, 1, 0], [0, 1, 0, 0, 0, 1]),
    ]

    scores = np.round(rng.normal(size=150), 3)
    relevant = (scores + rng.normal(size=150) > 0.8).astype(int)
    tied = rng.integers(-3, 4, 80) / 4
    ranking_cases = [
        ranking("logits", scores, relevant),
        ranking("many ties", tied, (tied + rng.normal(size=80) > 0).astype(int)),
        ranking("all scores equal", [0.3] * 7, [1, 0, 0, 1, 0, 0, 0]),
        ranking("nothing relevant", [0.2, 0.6, 0.6, 0.9], [0, 0, 0, 0]),
        ranking("everything relevant", [0.2, 0.6, 0.6, 0.9], [1, 1, 1, 1]),
        ranking("in order", [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1]),
        ranking("in reverse", [0.1, 0.2, 0.8, 0.9], [1, 1, 0, 0]),
        ranking("two thresholds equally good", [0.9, 0.8, 0.7, 0.6, 0.5], [1, 0, 1, 0, 0]),
        ranking("thresholds equally good far apart", [0.9, 0.8, 0.7, 0.6], [1, 0, 0, 1]),
        ranking("one example", [0.4], [1]),
        ranking("zeros of both signs", [0.0, -0.0, 0.0, -1.0], [1, 0, 1, 0]),
    ]

    p = np.round(rng.beta(0.6, 1.5, size=(60, 6)), 2)
    answers = (rng.random((60, 6)) < p).astype(int)
    rare = answers.copy()
    rare[:, 1], rare[:, 3], rare[:, 4] = 0, 1, 0
    label_cases = [
        labels("six labels", p, answers, np.array([0.5, 0.4, 0.3, 0.2, 0.1, 0.05])),
        labels("labels of none and of all", p, rare, np.array([0.5, 0.5, 0.5, 0.5, 2.0, 0.5])),
    ]

    p = np.round(rng.beta(0.7, 0.7, 150), 3)
    probability_cases = [
        probabilities("drawn", p, (rng.random(150) < p**1.5).astype(int), [10, 15]),
        probabilities("on the edges of bins", np.arange(9) / 8, [0, 1, 0, 0, 1, 1, 0, 1, 1], [4, 8]),
        probabilities("certain and wrong", [0.0, 1.0, 1.0, 0.0, 0.5], [1, 0, 1, 0, 1], [1, 15]),
        probabilities("one class only", [0.1, 0.3, 0.2], [0, 0, 0], [5]),
    ]

    p, reference = drawn_probabilities(rng, 100, 4, 1.5)
    missing = np.where(reference == 2, 0, reference)
    ties = np.array([[0.4, 0.4, 0.2], [0.25, 0.5, 0.25], [1 / 4, 3 / 8, 3 / 8], [0.5, 0.25, 0.25], [0.0, 0.5, 0.5]])
    certain = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])
    two, reference_of_two = drawn_probabilities(rng, 40, 2, 2.0)
    class_probability_cases = [
        class_probabilities("four classes", p, reference, [10, 15]),
        class_probabilities("a class that is not in the reference", p[:40], missing[:40], [15]),
        class_probabilities("ties", ties, np.array([0, 2, 1, 1, 2]), [10]),
        class_probabilities("certain, once wrong", certain, np.array([0, 1, 2, 1]), [15]),
        class_probabilities("one class only", p[:5], np.array([3] * 5), [3]),
        class_probabilities("two classes", two, reference_of_two, [15]),
    ]

    logits = np.round(rng.normal(size=(100, 5)), 3)
    reference = np.array([rng.choice(5, p=row) for row in softmax(logits, axis=1)])
    narrow = np.round(rng.normal(size=(60, 2)), 3)
    temperature_cases = [
        temperature("too sure", np.round(4 * logits, 3), reference),
        temperature("not sure enough", np.round(logits / 3, 4), reference),
        temperature("far from zero", np.round(2 * logits + 500, 3), reference),
        temperature("two classes", narrow, np.array([rng.choice(2, p=row) for row in softmax(2 * narrow, axis=1)])),
    ]
    return {
        "made_by": "scripts/reference/make_classification_golden.py",
        "scikit_learn": sklearn.__version__,
        "numpy": np.__version__,
        "seed": SEED,
        "classes": class_cases,
        "ranking": ranking_cases,
        "labels": label_cases,
        "probabilities": probability_cases,
        "class_probabilities": class_probability_cases,
        "temperature": temperature_cases,
    }


def plain(value):
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path)
    out = parser.parse_args().out
    warnings.simplefilter("ignore")
    out.parent.mkdir(parents=True, exist_ok=True)
    golden = make()
    lines = []
    for key, value in golden.items():
        if isinstance(value, list):
            cases = ",\n".join(json.dumps(case, default=plain, separators=(",", ":"), allow_nan=False) for case in value)
            lines.append(f'"{key}":[\n{cases}\n]')
        else:
            lines.append(f'"{key}":{json.dumps(value)}')
    out.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    main()
