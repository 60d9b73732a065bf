use std::sync::Arc;

use hemiola::nn::recurrent::kernel::{Level, Order, Shape, gru};

use crate::cell::{Call, Cell, Layer, assert_close, sigmoid, tests_of_cell};

struct Gru;

impl Cell for Gru {
    const GATES: usize = 3;
    const STATES: usize = 1;
    type Tape = gru::Tape;

    fn unit(from_input: &[f64], from_hidden: &[f64], states: &[f64]) -> Vec<f64> {
        let r = sigmoid(from_input[0] + from_hidden[0]);
        let z = sigmoid(from_input[1] + from_hidden[1]);
        let n = (from_input[2] + r * from_hidden[2]).tanh();
        vec![(1.0 - z) * n + z * states[0]]
    }

    fn forward(
        call: &Call<'_>,
        level: Level,
        states: Option<&[Vec<f32>]>,
        keep: bool,
    ) -> (Vec<Vec<f32>>, Option<gru::Tape>) {
        let (output, tape) = gru::forward(
            level,
            call.shape,
            call.order,
            call.x,
            &call.weights,
            states.map(|states| &states[0][..]),
            keep,
        );
        (vec![output.y, output.h], tape)
    }

    fn backward(call: &Call<'_>, tape: &gru::Tape, outputs: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let gradients = gru::backward(
            call.shape,
            call.order,
            call.x,
            &call.weights,
            tape,
            gru::OutputGradients {
                y: &outputs[0],
                last: Some(&outputs[1]),
            },
            true,
        );
        let mut all = vec![gradients.x.expect("it was asked for")];
        for w in gradients.weights {
            all.extend([w.input, w.hidden, w.input_bias, w.hidden_bias]);
        }
        all.push(gradients.h);
        all
    }
}

tests_of_cell! { Gru:
    forward_follows_the_equations_at_every_level
    absent_state_is_zero
    a_long_loud_sequence_keeps_to_the_equations
    backward_gives_the_numerical_gradients_at_every_level
    not_a_number_stays_visible
}

/// Two layers, frame by frame from given states, are the equations of one after those of the other.
#[test]
fn steps_follow_the_equations_at_every_level() {
    for (seed, [time, input, hidden]) in [[1, 1, 1], [5, 3, 7], [20, 17, 16], [9, 40, 33]]
        .into_iter()
        .enumerate()
    {
        let layer = |input: usize, seed: u64| {
            let shape = Shape {
                batch: 1,
                time,
                input,
                hidden,
            };
            Layer::random::<Gru>(shape, Order::TimeFirst, 1, seed)
        };
        let (first, mut second) = (layer(input, seed as u64), layer(hidden, 100 + seed as u64));
        let first_outputs = first.equations::<Gru>();
        second.x = first_outputs[0].clone();
        let second_outputs = second.equations::<Gru>();
        let (first, second) = (first.single(), second.single());
        let weights = [first.call().weights[0], second.call().weights[0]];
        for level in Level::available() {
            let packed = Arc::new(gru::Packed::new(level, input, hidden, &weights));
            let mut stepper = gru::Stepper::new(Arc::clone(&packed));
            stepper.set_state(0, &first.states[0]);
            stepper.set_state(1, &second.states[0]);
            let y: Vec<f32> = first
                .x
                .chunks_exact(input)
                .flat_map(|frame| stepper.step(frame).to_vec())
                .collect();
            let name = format!("{level:?} {time}x{input}x{hidden}");
            assert_close(&name, &y, &second_outputs[0], 3e-6);
            assert_close(&name, stepper.state(0), &first_outputs[1], 3e-6);
            assert_close(&name, stepper.state(1), &second_outputs[1], 3e-6);
        }
    }
}
