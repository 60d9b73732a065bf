//! The kernels as operators of burn: one node of the autodiff graph per layer.
//!
//! The pattern has four parts: types of tensors that derive `ExtensionType`; the trait [`RecurrentBackend`], whose
//! attribute generates its implementation for `Dispatch`; the implementation for `Flex`, which calls a kernel; and the
//! one for `Autodiff`, which calls it too and registers a [`Backward`] with what the kernel kept. The modules `lstm` and
//! `gru` say how a call looks to their kernels; all else is the same for both.

use std::fmt::Debug;
use std::sync::Arc;

use burn::backend::autodiff::{
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, NodeGuard, Ops, OpsKind},
};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, DispatchDevice, ExtensionType, Flex, backend_extension};
use burn::tensor::{DType, Tensor, TensorData};

use super::kernel::Shape;
use super::kernel::direction::{WeightGradients, Weights};

mod gru;
mod lstm;

/// Parameters of one direction, as [`Weights`].
#[derive(ExtensionType)]
pub struct DirectionWeights<B: Backend> {
    pub weight_ih: FloatTensor<B>,
    pub weight_hh: FloatTensor<B>,
    pub bias_ih: FloatTensor<B>,
    pub bias_hh: FloatTensor<B>,
}

/// Parameters of a layer.
#[derive(ExtensionType)]
pub enum LayerWeights<B: Backend> {
    Forward(#[extension_type] DirectionWeights<B>),
    /// From the first frame to the last, and back
    Both(
        #[extension_type] DirectionWeights<B>,
        #[extension_type] DirectionWeights<B>,
    ),
}

/// What an LSTM starts from, `[directions, batch, hidden]` each.
#[derive(ExtensionType)]
pub struct LstmStart<B: Backend> {
    pub hidden: FloatTensor<B>,
    pub cell: FloatTensor<B>,
}

/// Operators of recurrent layers.
///
/// The input is `[time, batch, input]`, the output `[time, batch, directions · hidden]`, differentiable with respect to all
/// tensors.
#[backend_extension(Flex, Autodiff)]
pub trait RecurrentBackend: Backend {
    /// With `final_cell`, the output has one more row: the final cell states, differentiable too.
    fn lstm(
        x: FloatTensor<Self>,
        #[extension_type] weights: LayerWeights<Self>,
        #[extension_type] start: LstmStart<Self>,
        final_cell: bool,
    ) -> FloatTensor<Self>;

    /// `start` is `[directions, batch, hidden]`.
    fn gru(
        x: FloatTensor<Self>,
        #[extension_type] weights: LayerWeights<Self>,
        start: FloatTensor<Self>,
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

/// A kind of recurrent layer.
trait Cell: Clone + Debug + Send + Sync + 'static {
    /// What the kernel keeps for the gradients
    type Tape: Debug + Send + Sync + 'static;

    /// The output of the operator, and the tape if `keep` is set.
    fn forward(&self, call: &Call, keep: bool) -> (FlexTensor, Option<Self::Tape>);

    /// From the gradient of the output.
    fn backward(
        &self,
        call: &Call,
        tape: &Self::Tape,
        gradient: &[f32],
        wants_x: bool,
    ) -> CallGradients;
}

/// The tensors of one call, contiguous.
#[derive(Clone, Debug)]
struct Call {
    shape: Shape,
    x: FlexTensor,
    /// Initial states
    start: Vec<FlexTensor>,
    /// Input weights, hidden weights, input bias, hidden bias of each direction
    weights: Vec<[FlexTensor; 4]>,
}

/// Gradients of a [`Call`]'s tensors, that of the input only if it was asked for.
struct CallGradients {
    x: Option<Vec<f32>>,
    start: Vec<Vec<f32>>,
    weights: Vec<WeightGradients>,
}

fn values(tensor: &FlexTensor) -> &[f32] {
    tensor
        .as_slice()
        .expect("the operator takes contiguous tensors of f32 only")
}

fn tensor<const D: usize>(values: Vec<f32>, shape: [usize; D]) -> FlexTensor {
    FlexTensor::from_data(TensorData::new(values, shape))
}

impl<B: Backend> DirectionWeights<B> {
    fn into_array(self) -> [FloatTensor<B>; 4] {
        [self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh]
    }
}

impl<B: Backend> LayerWeights<B> {
    fn into_arrays(self) -> Vec<[FloatTensor<B>; 4]> {
        match self {
            Self::Forward(forward) => vec![forward.into_array()],
            Self::Both(forward, reverse) => vec![forward.into_array(), reverse.into_array()],
        }
    }
}

impl Call {
    fn new(x: FlexTensor, start: Vec<FlexTensor>, weights: Vec<[FlexTensor; 4]>) -> Self {
        let [time, batch, input] = x.layout().shape().dims();
        let [_, hidden] = weights[0][1].layout().shape().dims();
        let contiguous = |tensor: FlexTensor| tensor.to_contiguous();
        Self {
            shape: Shape {
                batch,
                time,
                input,
                hidden,
            },
            x: contiguous(x),
            start: start.into_iter().map(contiguous).collect(),
            weights: (weights.into_iter())
                .map(|weights| weights.map(contiguous))
                .collect(),
        }
    }

    fn x(&self) -> &[f32] {
        values(&self.x)
    }

    fn weights(&self) -> Vec<Weights<'_>> {
        let weights = self.weights.iter();
        weights
            .map(|[input, hidden, input_bias, hidden_bias]| Weights {
                input: values(input),
                hidden: values(hidden),
                input_bias: values(input_bias),
                hidden_bias: values(hidden_bias),
            })
            .collect()
    }

    fn directions(&self) -> usize {
        self.weights.len()
    }

    /// Gradients as tensors, in the order of the node's parents.
    fn tensors(&self, gradients: CallGradients) -> Vec<Option<FlexTensor>> {
        let Shape {
            batch,
            time,
            input,
            hidden,
        } = self.shape;
        let mut tensors = vec![gradients.x.map(|x| tensor(x, [time, batch, input]))];
        for state in gradients.start {
            tensors.push(Some(tensor(state, [self.directions(), batch, hidden])));
        }
        for weights in gradients.weights {
            let rows = weights.input_bias.len();
            tensors.extend([
                Some(tensor(weights.input, [rows, input])),
                Some(tensor(weights.hidden, [rows, hidden])),
                Some(tensor(weights.input_bias, [rows])),
                Some(tensor(weights.hidden_bias, [rows])),
            ]);
        }
        tensors
    }
}

/// The gradients of a call of a cell. Parents are the input, the initial states, then each direction's weights.
#[derive(Debug)]
struct CellBackward<C>(C);

impl<C: Cell, const PARENTS: usize> Backward<Flex, PARENTS> for CellBackward<C> {
    type State = (Call, Arc<C::Tape>);

    fn backward(
        self,
        ops: Ops<Self::State, PARENTS>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let (call, tape) = ops.state;
        let wants_x = ops.parents[0].is_some();
        let gradients = self.0.backward(&call, &tape, values(&gradient), wants_x);
        for (node, gradient) in ops.parents.into_iter().zip(call.tensors(gradients)) {
            if let (Some(node), Some(gradient)) = (node, gradient) {
                grads.register::<Flex>(node.id, gradient);
            }
        }
    }
}

/// A tensor of a graph, whatever its checkpointing strategy.
type Tracked = FloatTensor<Autodiff<Flex>>;

/// Calls a cell's kernel and joins it to the graph; `PARENTS` is the number of all tensors.
fn differentiable<C: Cell, S: CheckpointStrategy, const PARENTS: usize>(
    cell: C,
    x: Tracked,
    start: Vec<Tracked>,
    weights: Vec<[Tracked; 4]>,
) -> Tracked {
    let nodes: Vec<NodeGuard> = std::iter::once(&x)
        .chain(&start)
        .chain(weights.iter().flatten())
        .map(Tracked::node)
        .collect();
    let Ok(nodes) = <[NodeGuard; PARENTS]>::try_from(nodes) else {
        unreachable!("the caller counts its tensors");
    };
    let call = Call::new(
        x.into_primitive(),
        start.into_iter().map(Tracked::into_primitive).collect(),
        (weights.into_iter())
            .map(|weights| weights.map(Tracked::into_primitive))
            .collect(),
    );
    let backward = CellBackward(cell.clone());
    match backward.prepare::<S>(nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => {
            let (output, tape) = cell.forward(&call, true);
            let tape = tape.expect("the kernel was told to keep it");
            prep.finish((call, Arc::new(tape)), output)
        }
        OpsKind::UnTracked(prep) => prep.finish(cell.forward(&call, false).0),
    }
}

impl RecurrentBackend for Flex {
    fn lstm(
        x: FlexTensor,
        weights: LayerWeights<Self>,
        start: LstmStart<Self>,
        final_cell: bool,
    ) -> FlexTensor {
        let call = Call::new(x, vec![start.hidden, start.cell], weights.into_arrays());
        lstm::Lstm { final_cell }.forward(&call, false).0
    }

    fn gru(x: FlexTensor, weights: LayerWeights<Self>, start: FlexTensor) -> FlexTensor {
        let call = Call::new(x, vec![start], weights.into_arrays());
        gru::Gru.forward(&call, false).0
    }
}

impl<S: CheckpointStrategy> RecurrentBackend for Autodiff<Flex, S> {
    fn lstm(
        x: FloatTensor<Self>,
        weights: LayerWeights<Self>,
        start: LstmStart<Self>,
        final_cell: bool,
    ) -> FloatTensor<Self> {
        let (cell, start) = (lstm::Lstm { final_cell }, vec![start.hidden, start.cell]);
        let weights = weights.into_arrays();
        match weights.len() {
            1 => differentiable::<_, S, 7>(cell, x, start, weights),
            _ => differentiable::<_, S, 11>(cell, x, start, weights),
        }
    }

    fn gru(
        x: FloatTensor<Self>,
        weights: LayerWeights<Self>,
        start: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        let weights = weights.into_arrays();
        match weights.len() {
            1 => differentiable::<_, S, 6>(gru::Gru, x, vec![start], weights),
            _ => differentiable::<_, S, 10>(gru::Gru, x, vec![start], weights),
        }
    }
}
