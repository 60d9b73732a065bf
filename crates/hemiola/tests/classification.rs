//! Scores of classes, rankings and probabilities equal scikit-learn's, and keep what their definitions promise.
//!
//! `scripts/reference/make_classification_golden.py` makes the values.

use hemiola::evaluation::classification::*;
use proptest::prelude::*;
use serde_json::Value;

const TOLERANCE: f64 = 1e-9;

/// Calls `check` with every case of a section, and makes sure that there are some.
fn each(section: &str, check: impl Fn(&Value, &str)) {
    let golden: Value = serde_json::from_str(include_str!("data/classification.json")).unwrap();
    let cases = golden[section].as_array().unwrap();
    assert!(cases.len() > 1, "{section}");
    for case in cases {
        check(case, case["name"].as_str().unwrap());
    }
}

fn numbers(list: &Value) -> Vec<f64> {
    let list = list.as_array().unwrap().iter();
    list.map(|x| x.as_f64().unwrap()).collect()
}

fn indices(list: &Value) -> Vec<usize> {
    let list = list.as_array().unwrap().iter();
    list.map(|x| x.as_u64().unwrap() as usize).collect()
}

fn answers(list: &Value) -> Vec<bool> {
    let list = list.as_array().unwrap().iter();
    list.map(|x| x.as_u64().unwrap() == 1).collect()
}

fn narrow(list: &[f64]) -> Vec<f32> {
    list.iter().map(|&x| x as f32).collect()
}

#[track_caller]
fn equal(ours: f64, theirs: &Value, what: &str) {
    let theirs = theirs.as_f64().unwrap();
    assert!(
        (ours - theirs).abs() <= TOLERANCE,
        "{what}: ours {ours}, scikit-learn's {theirs}"
    );
}

/// What is not defined is null.
#[track_caller]
fn equal_if_defined(ours: Option<f64>, theirs: &Value, what: &str) {
    match ours {
        Some(ours) => equal(ours, theirs, what),
        None => assert!(theirs.is_null(), "{what}: ours undefined, theirs {theirs}"),
    }
}

#[track_caller]
fn equal_lists(ours: impl IntoIterator<Item = Option<f64>>, theirs: &Value, what: &str) {
    let ours: Vec<Option<f64>> = ours.into_iter().collect();
    let theirs = theirs.as_array().unwrap();
    assert_eq!(ours.len(), theirs.len(), "{what}");
    for (ours, theirs) in ours.into_iter().zip(theirs) {
        equal_if_defined(ours, theirs, what);
    }
}

#[test]
fn scores_of_classes_equal_scikit_learns() {
    each("classes", |case, name| {
        let (reference, estimate) = (indices(&case["reference"]), indices(&case["estimate"]));
        let n_classes = case["n_classes"].as_u64().unwrap() as usize;
        let matrix = ConfusionMatrix::of(&reference, &estimate, n_classes);
        assert_eq!(
            serde_json::to_value(&matrix).unwrap(),
            case["confusion_matrix"],
            "{name}"
        );
        let scores = matrix.class_scores();
        let of =
            |score: fn(&ClassScores) -> f64| scores.iter().map(move |class| Some(score(class)));
        equal_lists(of(|c| c.precision), &case["precision"], name);
        equal_lists(of(|c| c.recall), &case["recall"], name);
        equal_lists(of(|c| c.f1), &case["f1"], name);
        equal_lists(of(|c| c.support as f64), &case["support"], name);
        for (ours, from_matrix, key) in [
            (
                accuracy(&reference, &estimate),
                matrix.accuracy(),
                "accuracy",
            ),
            (
                macro_f1(&reference, &estimate),
                matrix.macro_f1(),
                "macro_f1",
            ),
            (
                weighted_f1(&reference, &estimate),
                matrix.weighted_f1(),
                "weighted_f1",
            ),
            (
                balanced_accuracy(&reference, &estimate),
                matrix.balanced_accuracy(),
                "balanced_accuracy",
            ),
        ] {
            equal(ours, &case[key], name);
            equal(from_matrix, &case[key], name);
        }
    });
}

#[test]
fn rankings_equal_scikit_learns() {
    each("ranking", |case, name| {
        let (scores, relevant) = (numbers(&case["scores"]), answers(&case["relevant"]));
        equal_if_defined(roc_auc(&scores, &relevant), &case["roc_auc"], name);
        equal(
            average_precision(&scores, &relevant),
            &case["average_precision"],
            name,
        );
        let curve = precision_recall_curve(&scores, &relevant);
        let of = |value: fn(&PrecisionRecall) -> f64| curve.iter().map(move |p| Some(value(p)));
        equal_lists(of(|p| p.threshold), &case["thresholds"], name);
        equal_lists(of(|p| p.precision), &case["precision"], name);
        equal_lists(of(|p| p.recall), &case["recall"], name);
        let thresholds = numbers(&case["at"]);
        let at = |&threshold: &f64| f1_at_threshold(&scores, &relevant, threshold);
        equal_lists(thresholds.iter().map(at), &case["f1_at"], name);
        match best_f1_threshold(&scores, &relevant) {
            Some(best) => {
                equal(best.threshold, &case["best_f1"]["threshold"], name);
                equal(best.f1, &case["best_f1"]["f1"], name);
            }
            None => assert!(case["best_f1"].is_null(), "{name}"),
        }
    });
}

#[test]
fn scores_of_labels_equal_scikit_learns() {
    each("labels", |case, name| {
        let (scores, relevant) = (numbers(&case["scores"]), answers(&case["relevant"]));
        let n_labels = case["n_labels"].as_u64().unwrap() as usize;
        let areas = per_label(&scores, &relevant, n_labels, roc_auc);
        equal_lists(areas, &case["roc_auc"], name);
        let defined = |scores: &[f64], relevant: &[bool]| {
            let some = relevant.contains(&true);
            some.then(|| average_precision(scores, relevant))
        };
        let precisions = per_label(&scores, &relevant, n_labels, defined);
        equal_lists(precisions, &case["average_precision"], name);
        let f1 = f1_per_label(&scores, &relevant, &numbers(&case["thresholds"]));
        equal_if_defined(macro_mean(f1.iter().copied()), &case["macro_f1"], name);
        equal_lists(f1, &case["f1"], name);
        equal_if_defined(
            macro_roc_auc(&scores, &relevant, n_labels),
            &case["macro_roc_auc"],
            name,
        );
        equal_if_defined(
            macro_average_precision(&scores, &relevant, n_labels),
            &case["macro_average_precision"],
            name,
        );
    });
}

fn assert_reliability(cases: &Value, name: &str, of: impl Fn(usize) -> Reliability) {
    for case in cases.as_array().unwrap() {
        let found = of(case["n_bins"].as_u64().unwrap() as usize);
        let table = case["table"].as_array().unwrap();
        assert_eq!(found.bins.len(), table.len(), "{name}");
        for (bin, row) in found.bins.iter().zip(table) {
            assert_eq!(bin.count as u64, row[0], "{name}");
            equal(bin.confidence, &row[1], name);
            equal(bin.accuracy, &row[2], name);
        }
        equal(found.expected_calibration_error(), &case["expected"], name);
        equal(found.maximum_calibration_error(), &case["maximum"], name);
    }
}

#[test]
fn losses_and_calibration_of_a_label_equal_scikit_learns() {
    each("probabilities", |case, name| {
        let (probabilities, relevant) =
            (numbers(&case["probabilities"]), answers(&case["relevant"]));
        equal(
            brier_score(&probabilities, &relevant),
            &case["brier_score"],
            name,
        );
        equal(
            binary_log_loss(&probabilities, &relevant),
            &case["log_loss"],
            name,
        );
        equal(
            binary_log_loss(&narrow(&probabilities), &relevant),
            &case["log_loss_float32"],
            name,
        );
        assert_reliability(&case["reliability"], name, |n_bins| {
            Reliability::of(&probabilities, &relevant, n_bins)
        });
    });
}

#[test]
fn scores_of_class_probabilities_equal_scikit_learns() {
    each("class_probabilities", |case, name| {
        let probabilities = numbers(&case["probabilities"]);
        let reference = indices(&case["reference"]);
        let n_classes = case["n_classes"].as_u64().unwrap() as usize;
        equal_if_defined(
            one_vs_rest_roc_auc(&probabilities, &reference, n_classes),
            &case["one_vs_rest_roc_auc"],
            name,
        );
        // scikit-learn ranks no more than one score of two classes.
        if !case["top_k_accuracy"].is_null() {
            let top = |k| Some(top_k_accuracy(&probabilities, &reference, n_classes, k));
            equal_lists((1..=n_classes).map(top), &case["top_k_accuracy"], name);
        }
        equal(
            class_brier_score(&probabilities, &reference, n_classes),
            &case["brier_score"],
            name,
        );
        equal(
            log_loss(&probabilities, &reference, n_classes),
            &case["log_loss"],
            name,
        );
        equal(
            log_loss(&narrow(&probabilities), &reference, n_classes),
            &case["log_loss_float32"],
            name,
        );
        assert_reliability(&case["reliability"], name, |n_bins| {
            Reliability::of_classes(&probabilities, &reference, n_classes, n_bins)
        });
    });
}

fn softmax(logits: &[f64], n_classes: usize, temperature: f64) -> Vec<f64> {
    let rows = logits.chunks(n_classes).flat_map(|row| {
        let highest = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let weights = row.iter().map(|z| ((z - highest) / temperature).exp());
        let weights: Vec<f64> = weights.collect();
        let total: f64 = weights.iter().sum();
        weights.into_iter().map(move |weight| weight / total)
    });
    rows.collect()
}

#[test]
fn temperatures_equal_scipys() {
    each("temperature", |case, name| {
        let (logits, reference) = (numbers(&case["logits"]), indices(&case["reference"]));
        let n_classes = case["n_classes"].as_u64().unwrap() as usize;
        let temperature = fit_temperature(&logits, &reference, n_classes).unwrap();
        equal(temperature, &case["temperature"], name);
        let loss = |t| log_loss(&softmax(&logits, n_classes, t), &reference, n_classes);
        equal(loss(1.0), &case["log_loss_before"], name);
        equal(loss(temperature), &case["log_loss_after"], name);
    });
}

fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= TOLERANCE
}

/// Scores with many ties, and answers.
fn examples() -> impl Strategy<Value = Vec<(f64, bool)>> {
    prop::collection::vec((0u8..12, any::<bool>()), 1..40).prop_map(|examples| {
        let scaled = examples.into_iter().map(|(s, r)| (f64::from(s) / 11.0, r));
        scaled.collect()
    })
}

fn in_any_order<T: Clone + std::fmt::Debug + 'static>(
    examples: impl Strategy<Value = Vec<T>> + 'static,
) -> impl Strategy<Value = (Vec<T>, Vec<T>)> {
    examples.prop_flat_map(|examples| (Just(examples.clone()), Just(examples).prop_shuffle()))
}

/// Rows of three scores and the class of each row.
fn rows_of_three() -> impl Strategy<Value = Vec<([f64; 3], usize)>> {
    prop::collection::vec(([-4f64..4.0, -4f64..4.0, -4f64..4.0], 0usize..3), 1..30)
}

fn flat(rows: &[([f64; 3], usize)]) -> (Vec<f64>, Vec<usize>) {
    let scores = rows.iter().flat_map(|(row, _)| *row).collect();
    (scores, rows.iter().map(|&(_, class)| class).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn roc_auc_is_the_share_of_pairs_in_order(examples in examples()) {
        let (scores, relevant): (Vec<f64>, Vec<bool>) = examples.iter().copied().unzip();
        let (mut wins, mut pairs) = (0.0, 0.0);
        for &(high, _) in examples.iter().filter(|(_, relevant)| *relevant) {
            for &(low, _) in examples.iter().filter(|(_, relevant)| !relevant) {
                pairs += 1.0;
                wins += if high > low { 1.0 } else if high == low { 0.5 } else { 0.0 };
            }
        }
        let found = roc_auc(&scores, &relevant);
        prop_assert_eq!(found.is_some(), pairs > 0.0);
        if let Some(found) = found {
            prop_assert!(near(found, wins / pairs), "{} {}", found, wins / pairs);
            let negated: Vec<f64> = scores.iter().map(|s| -s).collect();
            prop_assert!(near(roc_auc(&negated, &relevant).unwrap(), 1.0 - found));
            // Only the order counts.
            let warped: Vec<f64> = scores.iter().map(|s| (3.0 * s).exp() - 5.0).collect();
            prop_assert_eq!(roc_auc(&warped, &relevant), Some(found));
        }
    }

    #[test]
    fn the_order_of_examples_does_not_matter((one, other) in in_any_order(examples()), n_bins in 1usize..20) {
        let (a, ra): (Vec<f64>, Vec<bool>) = one.into_iter().unzip();
        let (b, rb): (Vec<f64>, Vec<bool>) = other.into_iter().unzip();
        prop_assert_eq!(roc_auc(&a, &ra), roc_auc(&b, &rb));
        prop_assert_eq!(average_precision(&a, &ra), average_precision(&b, &rb));
        prop_assert_eq!(precision_recall_curve(&a, &ra), precision_recall_curve(&b, &rb));
        prop_assert_eq!(best_f1_threshold(&a, &ra), best_f1_threshold(&b, &rb));
        prop_assert!(near(brier_score(&a, &ra), brier_score(&b, &rb)));
        prop_assert!(near(binary_log_loss(&a, &ra), binary_log_loss(&b, &rb)));
        let error = |p: &[f64], r: &[bool]| Reliability::of(p, r, n_bins).expected_calibration_error();
        prop_assert!(near(error(&a, &ra), error(&b, &rb)));
    }

    #[test]
    fn no_threshold_gives_a_higher_f1_than_the_best(examples in examples(), other in -0.1f64..1.1) {
        let (scores, relevant): (Vec<f64>, Vec<bool>) = examples.into_iter().unzip();
        if let Some(best) = best_f1_threshold(&scores, &relevant) {
            prop_assert_eq!(f1_at_threshold(&scores, &relevant, best.threshold), Some(best.f1));
            for &threshold in scores.iter().chain([&other]) {
                let f1 = f1_at_threshold(&scores, &relevant, threshold).unwrap();
                prop_assert!(f1 <= best.f1);
                prop_assert!(f1 < best.f1 || threshold >= best.threshold || !scores.contains(&threshold));
            }
        } else {
            prop_assert!(!relevant.contains(&true));
        }
    }

    #[test]
    fn names_of_classes_do_not_matter(pairs in prop::collection::vec((0usize..5, 0usize..5), 1..40), shift in 0usize..5) {
        let (reference, estimate): (Vec<usize>, Vec<usize>) = pairs.into_iter().unzip();
        let renamed = |classes: &[usize]| classes.iter().map(|c| (c + shift) % 5).collect::<Vec<_>>();
        let (r, e) = (renamed(&reference), renamed(&estimate));
        prop_assert!(near(macro_f1(&reference, &estimate), macro_f1(&r, &e)));
        prop_assert!(near(weighted_f1(&reference, &estimate), weighted_f1(&r, &e)));
        prop_assert!(near(balanced_accuracy(&reference, &estimate), balanced_accuracy(&r, &e)));

        let (matrix, turned) = (ConfusionMatrix::of(&reference, &estimate, 5), ConfusionMatrix::of(&estimate, &reference, 5));
        prop_assert_eq!(matrix.total(), reference.len());
        for (one, other) in matrix.class_scores().iter().zip(turned.class_scores()) {
            prop_assert_eq!((one.precision, one.f1), (other.recall, other.f1));
        }
        let recalls = matrix.class_scores().iter().map(|c| c.recall * c.support as f64).sum::<f64>();
        prop_assert!(near(matrix.accuracy(), recalls / matrix.total() as f64));
    }

    #[test]
    fn one_bin_compares_means_and_more_bins_see_no_less(examples in examples(), n_bins in 1usize..20) {
        let (confidences, right): (Vec<f64>, Vec<bool>) = examples.into_iter().unzip();
        let count = right.len() as f64;
        let gap = confidences.iter().sum::<f64>() / count - right.iter().filter(|&&r| r).count() as f64 / count;
        let error = |bins| Reliability::of(&confidences, &right, bins).expected_calibration_error();
        prop_assert!(near(error(1), gap.abs()));
        prop_assert!(error(n_bins) >= error(1) - TOLERANCE);
        prop_assert!(error(2 * n_bins) >= error(n_bins) - TOLERANCE);
        let found = Reliability::of(&confidences, &right, n_bins);
        prop_assert!(found.maximum_calibration_error() >= found.expected_calibration_error() - TOLERANCE);
        prop_assert_eq!(found.bins.iter().map(|bin| bin.count).sum::<usize>(), right.len());
    }

    #[test]
    fn more_guesses_are_right_no_less_often(rows in rows_of_three()) {
        let (scores, reference) = flat(&rows);
        let top = |k| top_k_accuracy(&scores, &reference, 3, k);
        prop_assert!(top(0) == 0.0 && top(1) <= top(2) && top(2) <= top(3) && top(3) == 1.0);
        let best = |(row, _): &([f64; 3], usize)| (0..3).max_by(|&a, &b| row[a].total_cmp(&row[b])).unwrap();
        let estimate: Vec<usize> = rows.iter().map(best).collect();
        prop_assert_eq!(top(1), accuracy(&reference, &estimate));
    }

    #[test]
    fn two_classes_are_one_label(examples in examples()) {
        let (probabilities, relevant): (Vec<f64>, Vec<bool>) = examples.into_iter().unzip();
        let both: Vec<f64> = probabilities.iter().flat_map(|p| [1.0 - p, *p]).collect();
        let reference: Vec<usize> = relevant.iter().map(|&r| usize::from(r)).collect();
        prop_assert!(near(log_loss(&both, &reference, 2), binary_log_loss(&probabilities, &relevant)));
        prop_assert!(near(class_brier_score(&both, &reference, 2), brier_score(&probabilities, &relevant)));
        match (one_vs_rest_roc_auc(&both, &reference, 2), roc_auc(&probabilities, &relevant)) {
            (Some(both), Some(one)) => prop_assert!(near(both, one)),
            (both, one) => prop_assert_eq!(both, one),
        }
    }

    #[test]
    fn the_fitted_temperature_scales_with_the_logits_and_is_the_best(rows in rows_of_three(), factor in 0.5f64..2.0, other in -4.6f64..4.6) {
        let (logits, reference) = flat(&rows);
        let temperature = fit_temperature(&logits, &reference, 3).unwrap();
        let loss = |t| log_loss(&softmax(&logits, 3, t), &reference, 3);
        prop_assert!(loss(temperature) <= loss(other.exp()) + 1e-12);
        let scaled: Vec<f64> = logits.iter().map(|z| z * factor).collect();
        let of_scaled = fit_temperature(&scaled, &reference, 3).unwrap();
        let expected = (temperature * factor).clamp(*TEMPERATURES.start(), *TEMPERATURES.end());
        // At an end of the range the best temperature may lie beyond it.
        if TEMPERATURES.start() < &temperature && &temperature < TEMPERATURES.end() {
            prop_assert!((of_scaled / expected - 1.0).abs() < 1e-6, "{} {}", of_scaled, expected);
        }
    }

    #[test]
    fn single_precision_is_the_same_score(examples in examples()) {
        let (scores, relevant): (Vec<f64>, Vec<bool>) = examples.into_iter().unzip();
        let single = narrow(&scores);
        prop_assert_eq!(roc_auc(&single, &relevant), roc_auc(&scores, &relevant));
        prop_assert_eq!(average_precision(&single, &relevant), average_precision(&scores, &relevant));
    }
}
