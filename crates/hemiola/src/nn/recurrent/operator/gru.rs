//! A call of the GRU operator as its kernel sees it.

use burn::backend::flex::FlexTensor;

use super::{Call, CallGradients, Cell, tensor, values};
use crate::nn::recurrent::kernel::{Level, Order, Shape, gru};

#[derive(Clone, Copy, Debug)]
pub(super) struct Gru;

impl Cell for Gru {
    type Tape = gru::Tape;

    fn forward(&self, call: &Call, keep: bool) -> (FlexTensor, Option<gru::Tape>) {
        let (output, tape) = gru::forward(
            Level::best(),
            call.shape,
            Order::TimeFirst,
            call.x(),
            &call.weights(),
            Some(values(&call.start[0])),
            keep,
        );
        let Shape {
            batch,
            time,
            hidden,
            ..
        } = call.shape;
        (
            tensor(output.y, [time, batch, call.directions() * hidden]),
            tape,
        )
    }

    fn backward(
        &self,
        call: &Call,
        tape: &gru::Tape,
        gradient: &[f32],
        wants_x: bool,
    ) -> CallGradients {
        let gradients = gru::backward(
            call.shape,
            Order::TimeFirst,
            call.x(),
            &call.weights(),
            tape,
            gru::OutputGradients {
                y: gradient,
                last: None,
            },
            wants_x,
        );
        CallGradients {
            x: gradients.x,
            start: vec![gradients.h],
            weights: gradients.weights,
        }
    }
}
