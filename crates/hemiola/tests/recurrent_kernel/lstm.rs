use hemiola::nn::recurrent::kernel::{Level, lstm};

use crate::cell::{Call, Cell, sigmoid, tests_of_cell};

struct Lstm;

impl Cell for Lstm {
    const GATES: usize = 4;
    const STATES: usize = 2;
    type Tape = lstm::Tape;

    fn unit(from_input: &[f64], from_hidden: &[f64], states: &[f64]) -> Vec<f64> {
        let pre = |gate: usize| from_input[gate] + from_hidden[gate];
        let (i, f, g, o) = (
            sigmoid(pre(0)),
            sigmoid(pre(1)),
            pre(2).tanh(),
            sigmoid(pre(3)),
        );
        let c = f * states[1] + i * g;
        vec![o * c.tanh(), c]
    }

    fn forward(
        call: &Call<'_>,
        level: Level,
        states: Option<&[Vec<f32>]>,
        keep: bool,
    ) -> (Vec<Vec<f32>>, Option<lstm::Tape>) {
        let (output, tape) = lstm::forward(
            level,
            call.shape,
            call.order,
            call.x,
            &call.weights,
            states.map(state),
            keep,
        );
        (vec![output.y, output.h, output.c], tape)
    }

    fn backward(call: &Call<'_>, tape: &lstm::Tape, outputs: &[Vec<f32>]) -> Vec<Vec<f32>> {
        let gradients = lstm::backward(
            call.shape,
            call.order,
            call.x,
            &call.weights,
            tape,
            lstm::OutputGradients {
                y: &outputs[0],
                last: Some(state(&outputs[1..])),
            },
            true,
        );
        let mut all = vec![gradients.x.expect("it was asked for")];
        for w in gradients.weights {
            all.extend([w.input, w.hidden, w.input_bias, w.hidden_bias]);
        }
        all.extend([gradients.h, gradients.c]);
        all
    }
}

fn state(states: &[Vec<f32>]) -> lstm::State<'_> {
    lstm::State {
        h: &states[0],
        c: &states[1],
    }
}

tests_of_cell! { Lstm:
    forward_follows_the_equations_at_every_level
    absent_state_is_zero
    a_long_loud_sequence_keeps_to_the_equations
    backward_gives_the_numerical_gradients_at_every_level
    not_a_number_stays_visible
}
