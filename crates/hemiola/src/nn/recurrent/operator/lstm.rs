//! A call of the LSTM operator as its kernel sees it.

use burn::backend::flex::FlexTensor;

use super::{Call, CallGradients, Cell, tensor, values};
use crate::nn::recurrent::kernel::{Level, Order, Shape, lstm};

#[derive(Clone, Copy, Debug)]
pub(super) struct Lstm {
    /// The output has one more row, the final cell states, directions side by side
    pub final_cell: bool,
}

impl Cell for Lstm {
    type Tape = lstm::Tape;

    fn forward(&self, call: &Call, keep: bool) -> (FlexTensor, Option<lstm::Tape>) {
        let state = lstm::State {
            h: values(&call.start[0]),
            c: values(&call.start[1]),
        };
        let (output, tape) = lstm::forward(
            Level::best(),
            call.shape,
            Order::TimeFirst,
            call.x(),
            &call.weights(),
            Some(state),
            keep,
        );
        let Shape {
            batch,
            time,
            hidden,
            ..
        } = call.shape;
        let directions = call.directions();
        let (mut y, mut rows) = (output.y, time);
        if self.final_cell {
            rows += 1;
            for b in 0..batch {
                for direction in 0..directions {
                    let start = (direction * batch + b) * hidden;
                    y.extend_from_slice(&output.c[start..][..hidden]);
                }
            }
        }
        (tensor(y, [rows, batch, directions * hidden]), tape)
    }

    fn backward(
        &self,
        call: &Call,
        tape: &lstm::Tape,
        gradient: &[f32],
        wants_x: bool,
    ) -> CallGradients {
        let (shape, directions) = (call.shape, call.directions());
        let hidden = shape.hidden;
        let (y, final_cell) = gradient.split_at(shape.frames() * directions * hidden);
        let mut c = vec![0.0; directions * shape.batch * hidden];
        for (row, from) in final_cell.chunks_exact(hidden.max(1)).enumerate() {
            let (b, direction) = (row / directions, row % directions);
            c[(direction * shape.batch + b) * hidden..][..hidden].copy_from_slice(from);
        }
        let h = vec![0.0; c.len()];
        let gradients = lstm::backward(
            shape,
            Order::TimeFirst,
            call.x(),
            &call.weights(),
            tape,
            lstm::OutputGradients {
                y,
                last: Some(lstm::State { h: &h, c: &c }),
            },
            wants_x,
        );
        CallGradients {
            x: gradients.x,
            start: vec![gradients.h, gradients.c],
            weights: gradients.weights,
        }
    }
}
