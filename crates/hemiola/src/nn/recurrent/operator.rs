//! The LSTM kernel as an operator of burn: one node of the autodiff graph per layer.
//!
//! The pattern has four parts: structs of tensors that derive `ExtensionType`; the trait [`RecurrentBackend`], whose
//! attribute generates its implementation for `Dispatch`; the implementation for `Flex`, which calls the kernel; and the
//! one for `Autodiff`, which calls it too and registers a [`Backward`] with what the kernel kept.

use std::sync::Arc;

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, DispatchDevice, ExtensionType, Flex, backend_extension};
use burn::tensor::{DType, Tensor, TensorData};

use super::kernel::{Level, Order, Shape, lstm};

/// Parameters of one direction, as [`lstm::Weights`].
#[derive(ExtensionType)]
pub struct LstmWeights<B: Backend> {
    pub weight_ih: FloatTensor<B>,
    pub weight_hh: FloatTensor<B>,
    pub bias_ih: FloatTensor<B>,
    pub bias_hh: FloatTensor<B>,
}

/// What a layer starts from, `[directions, batch, hidden]` each.
#[derive(ExtensionType)]
pub struct LstmStart<B: Backend> {
    pub hidden: FloatTensor<B>,
    pub cell: FloatTensor<B>,
}

/// Operators of recurrent layers.
///
/// The input is `[time, batch, input]`, the output `[time, batch, directions · hidden]`, differentiable with respect to all
/// tensors. With `final_cell`, the output has one more row: the final cell states, differentiable too.
#[backend_extension(Flex, Autodiff)]
pub trait RecurrentBackend: Backend {
    fn lstm(
        x: FloatTensor<Self>,
        #[extension_type] forward: LstmWeights<Self>,
        #[extension_type] start: LstmStart<Self>,
        final_cell: bool,
    ) -> FloatTensor<Self>;

    fn bidirectional_lstm(
        x: FloatTensor<Self>,
        #[extension_type] forward: LstmWeights<Self>,
        #[extension_type] reverse: LstmWeights<Self>,
        #[extension_type] start: LstmStart<Self>,
        final_cell: bool,
    ) -> FloatTensor<Self>;
}

/// Whether the operators can take `x`: single precision on the processor.
pub fn supports<const D: usize>(x: &Tensor<D>) -> bool {
    let device = x.device();
    let device = match device.as_dispatch() {
        DispatchDevice::Autodiff(device) => device,
        device => device,
    };
    matches!(device, DispatchDevice::Flex(_)) && x.dtype() == DType::F32
}

impl RecurrentBackend for Flex {
    fn lstm(
        x: FlexTensor,
        forward: LstmWeights<Self>,
        start: LstmStart<Self>,
        final_cell: bool,
    ) -> FlexTensor {
        let call = Call::new(x, [forward], start, final_cell);
        call.forward(false).0
    }

    fn bidirectional_lstm(
        x: FlexTensor,
        forward: LstmWeights<Self>,
        reverse: LstmWeights<Self>,
        start: LstmStart<Self>,
        final_cell: bool,
    ) -> FlexTensor {
        let call = Call::new(x, [forward, reverse], start, final_cell);
        call.forward(false).0
    }
}

/// The tensors of one call, contiguous.
#[derive(Clone, Debug)]
struct Call {
    shape: Shape,
    final_cell: bool,
    x: FlexTensor,
    /// Input weights, hidden weights, input bias, hidden bias of each direction
    weights: Vec<[FlexTensor; 4]>,
    hidden: FlexTensor,
    cell: FlexTensor,
}

fn values(tensor: &FlexTensor) -> &[f32] {
    tensor
        .as_slice()
        .expect("the operator takes contiguous tensors of f32 only")
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

impl Call {
    fn new<const N: usize>(
        x: FlexTensor,
        weights: [LstmWeights<Flex>; N],
        start: LstmStart<Flex>,
        final_cell: bool,
    ) -> Self {
        let [time, batch, input] = x.layout().shape().dims();
        let [_, hidden] = weights[0].weight_hh.layout().shape().dims();
        Self {
            shape: Shape {
                batch,
                time,
                input,
                hidden,
            },
            final_cell,
            x: x.to_contiguous(),
            weights: weights
                .map(|w| {
                    [w.weight_ih, w.weight_hh, w.bias_ih, w.bias_hh].map(|w| w.to_contiguous())
                })
                .into(),
            hidden: start.hidden.to_contiguous(),
            cell: start.cell.to_contiguous(),
        }
    }

    fn kernel_weights(&self) -> Vec<lstm::Weights<'_>> {
        let weights = self.weights.iter();
        weights
            .map(|[input, hidden, input_bias, hidden_bias]| lstm::Weights {
                input: values(input),
                hidden: values(hidden),
                input_bias: values(input_bias),
                hidden_bias: values(hidden_bias),
            })
            .collect()
    }

    fn forward(&self, keep: bool) -> (FlexTensor, Option<lstm::Tape>) {
        let state = lstm::State {
            h: values(&self.hidden),
            c: values(&self.cell),
        };
        let (output, tape) = lstm::forward(
            Level::best(),
            self.shape,
            Order::TimeFirst,
            values(&self.x),
            &self.kernel_weights(),
            Some(state),
            keep,
        );
        let Shape {
            batch,
            time,
            hidden,
            ..
        } = self.shape;
        let (mut y, mut rows) = (output.y, time);
        if self.final_cell {
            rows += 1;
            let directions = self.weights.len();
            for b in 0..batch {
                for direction in 0..directions {
                    let start = (direction * batch + b) * hidden;
                    y.extend_from_slice(&output.c[start..][..hidden]);
                }
            }
        }
        (tensor(y, [rows, batch, self.weights.len() * hidden]), tape)
    }

    /// Gradients of the input (if `wants_x`), of the initial states and of each direction's weights.
    fn backward(
        &self,
        tape: &lstm::Tape,
        gradient: FlexTensor,
        wants_x: bool,
    ) -> (Option<FlexTensor>, [FlexTensor; 2], Vec<[FlexTensor; 4]>) {
        let Shape {
            batch,
            time,
            input,
            hidden,
        } = self.shape;
        let directions = self.weights.len();
        let gradient = gradient.to_contiguous();
        let (y, final_cell) = values(&gradient).split_at(time * batch * directions * hidden);
        let mut c = vec![0.0; directions * batch * hidden];
        for (row, from) in final_cell.chunks_exact(hidden.max(1)).enumerate() {
            let (b, direction) = (row / directions, row % directions);
            c[(direction * batch + b) * hidden..][..hidden].copy_from_slice(from);
        }
        let h = vec![0.0; c.len()];
        let gradients = lstm::backward(
            self.shape,
            Order::TimeFirst,
            values(&self.x),
            &self.kernel_weights(),
            tape,
            lstm::OutputGradients {
                y,
                last: Some(lstm::State { h: &h, c: &c }),
            },
            wants_x,
        );
        let states = [gradients.h, gradients.c].map(|g| tensor(g, [directions, batch, hidden]));
        let weights = gradients.weights.into_iter().map(|w| {
            let bias = tensor(w.bias, [4 * hidden]);
            [
                tensor(w.input, [4 * hidden, input]),
                tensor(w.hidden, [4 * hidden, hidden]),
                bias.clone(),
                bias,
            ]
        });
        (
            gradients.x.map(|x| tensor(x, [time, batch, input])),
            states,
            weights.collect(),
        )
    }
}

/// Parents are the input, the initial states, then each direction's weights.
#[derive(Debug)]
struct LstmBackward;

impl<const PARENTS: usize> Backward<Flex, PARENTS> for LstmBackward {
    type State = (Call, Arc<lstm::Tape>);

    fn backward(
        self,
        ops: Ops<Self::State, PARENTS>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<Flex>(&ops.node);
        let (call, tape) = ops.state;
        let wants_x = ops.parents[0].is_some();
        let (x, states, weights) = call.backward(&tape, gradient, wants_x);
        let all = std::iter::once(x)
            .chain(states.map(Some))
            .chain(weights.into_iter().flatten().map(Some));
        for (node, gradient) in ops.parents.into_iter().zip(all) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

impl<C: CheckpointStrategy> RecurrentBackend for Autodiff<Flex, C> {
    fn lstm(
        x: FloatTensor<Self>,
        forward: LstmWeights<Self>,
        start: LstmStart<Self>,
        final_cell: bool,
    ) -> FloatTensor<Self> {
        let nodes = [
            x.node(),
            start.hidden.node(),
            start.cell.node(),
            forward.weight_ih.node(),
            forward.weight_hh.node(),
            forward.bias_ih.node(),
            forward.bias_hh.node(),
        ];
        let call = Call::new(
            x.into_primitive(),
            [forward.into_primitive()],
            start.into_primitive(),
            final_cell,
        );
        match LstmBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (output, tape) = call.forward(true);
                let tape = tape.expect("the kernel was told to keep it");
                prep.finish((call, Arc::new(tape)), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(call.forward(false).0),
        }
    }

    fn bidirectional_lstm(
        x: FloatTensor<Self>,
        forward: LstmWeights<Self>,
        reverse: LstmWeights<Self>,
        start: LstmStart<Self>,
        final_cell: bool,
    ) -> FloatTensor<Self> {
        let nodes = [
            x.node(),
            start.hidden.node(),
            start.cell.node(),
            forward.weight_ih.node(),
            forward.weight_hh.node(),
            forward.bias_ih.node(),
            forward.bias_hh.node(),
            reverse.weight_ih.node(),
            reverse.weight_hh.node(),
            reverse.bias_ih.node(),
            reverse.bias_hh.node(),
        ];
        let call = Call::new(
            x.into_primitive(),
            [forward.into_primitive(), reverse.into_primitive()],
            start.into_primitive(),
            final_cell,
        );
        match LstmBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => {
                let (output, tape) = call.forward(true);
                let tape = tape.expect("the kernel was told to keep it");
                prep.finish((call, Arc::new(tape)), output)
            }
            OpsKind::UnTracked(prep) => prep.finish(call.forward(false).0),
        }
    }
}

impl<C: CheckpointStrategy> LstmWeights<Autodiff<Flex, C>> {
    fn into_primitive(self) -> LstmWeights<Flex> {
        LstmWeights {
            weight_ih: self.weight_ih.into_primitive(),
            weight_hh: self.weight_hh.into_primitive(),
            bias_ih: self.bias_ih.into_primitive(),
            bias_hh: self.bias_hh.into_primitive(),
        }
    }
}

impl<C: CheckpointStrategy> LstmStart<Autodiff<Flex, C>> {
    fn into_primitive(self) -> LstmStart<Flex> {
        LstmStart {
            hidden: self.hidden.into_primitive(),
            cell: self.cell.into_primitive(),
        }
    }
}
