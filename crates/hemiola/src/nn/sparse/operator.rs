//! The product as a differentiable operator of burn's CPU backend, and in burn's own operations for other devices.

use burn::backend::autodiff::{
    Autodiff,
    checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
    grads::Gradients,
    ops::{Backward, Ops, OpsKind},
};
use burn::backend::flex::FlexTensor;
use burn::backend::tensor::FloatTensor;
use burn::backend::{Backend, Dispatch, Flex, TensorMetadata, backend_extension};
use burn::tensor::{DType, Device, IndexingUpdateOp, Int, Tensor, TensorData};

use super::SparseMatrix;

#[backend_extension(Flex, Autodiff)]
trait SparseBackend: Backend {
    fn sparse_product(matrix: SparseMatrix, dense: FloatTensor<Self>) -> FloatTensor<Self>;
}

impl SparseMatrix {
    /// This matrix times `dense` [columns, width]: [rows, width], differentiable with respect to `dense`.
    ///
    /// # Panics
    /// If `dense` has another number of rows than this has columns.
    pub fn product(&self, dense: Tensor<2>) -> Tensor<2> {
        let [rows, _] = dense.dims();
        assert_eq!(rows, self.rows.width, "rows of the dense matrix");
        let on_processor = dense.device().without_autodiff() == Device::flex();
        if !on_processor || dense.dtype() != DType::F32 {
            return self.product_plain(dense);
        }
        Tensor::from_dispatch(<Dispatch as SparseBackend>::sparse_product(
            self.clone(),
            dense.into_dispatch(),
        ))
    }

    /// [`Self::product`] by gathering and scattering.
    fn product_plain(&self, dense: Tensor<2>) -> Tensor<2> {
        let device = dense.device();
        let [rows, width] = [self.columns.width, dense.dims()[1]];
        let entries = &self.rows.entries;
        let len = [entries.len()];
        let zeros = Tensor::zeros([rows, width], &device);
        if entries.is_empty() {
            return zeros;
        }
        let indices =
            |values: Vec<i64>| Tensor::<1, Int>::from_data(TensorData::new(values, len), &device);
        let from = indices(
            entries
                .iter()
                .map(|&(column, _)| i64::from(column))
                .collect(),
        );
        let starts = self.rows.starts.windows(2).enumerate();
        let to = starts.flat_map(|(row, ends)| (ends[0]..ends[1]).map(move |_| row as i64));
        let to = indices(to.collect());
        let values: Vec<f32> = entries.iter().map(|&(_, value)| value).collect();
        let values = Tensor::<1>::from_data(TensorData::new(values, len), &device);
        let terms = dense.select(0, from) * values.unsqueeze_dim::<2>(1); // [entries, width]
        zeros.select_assign(0, to, terms, IndexingUpdateOp::Add)
    }
}

fn product(matrix: &SparseMatrix, dense: &FlexTensor) -> FlexTensor {
    let dense = dense.to_contiguous();
    let [_, width] = dense.shape().dims();
    let values = dense
        .as_slice()
        .expect("a contiguous tensor of f32, which its caller has checked");
    let [rows, _] = matrix.shape();
    FlexTensor::from_data(TensorData::new(matrix.times(values, width), [rows, width]))
}

impl SparseBackend for Flex {
    fn sparse_product(matrix: SparseMatrix, dense: FlexTensor) -> FlexTensor {
        product(&matrix, &dense)
    }
}

#[derive(Debug)]
struct ProductGradient;

impl Backward<Flex, 1> for ProductGradient {
    type State = SparseMatrix;

    fn backward(self, ops: Ops<Self::State, 1>, gradients: &mut Gradients, _: &mut Checkpointer) {
        let gradient = gradients.consume::<Flex>(&ops.node);
        let [of_dense] = ops.parents;
        if let Some(node) = of_dense {
            gradients.register::<Flex>(node.id, product(&ops.state.transposed(), &gradient));
        }
    }
}

impl<C: CheckpointStrategy> SparseBackend for Autodiff<Flex, C> {
    fn sparse_product(matrix: SparseMatrix, dense: FloatTensor<Self>) -> FloatTensor<Self> {
        let prepared = ProductGradient
            .prepare::<C>([dense.node()])
            .compute_bound()
            .stateful();
        let output = product(&matrix, &dense.into_primitive());
        match prepared {
            OpsKind::Tracked(prepared) => prepared.finish(matrix, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }
}

#[cfg(test)]
mod tests {
    use burn::tensor::{Distribution, Tolerance};

    use super::*;
    use crate::nn::sparse::tests::entries;

    #[test]
    fn the_operator_agrees_with_burns_own_operations() {
        let device = Device::flex().autodiff();
        for (shape, number, width) in [([3, 5], 9, 1), ([40, 23], 150, 17)] {
            let matrix = SparseMatrix::new(shape, &entries(shape, number));
            let dense = Tensor::<2>::random([width, shape[1]], Distribution::Default, &device);
            let outcome = |plain: bool| {
                let dense = dense.clone().require_grad();
                // A transposed view: the operator must not take it for row-major.
                let view = dense.clone().transpose();
                let product = match plain {
                    true => matrix.product_plain(view),
                    false => matrix.product(view),
                };
                let gradients = product.clone().powi_scalar(2).sum().backward();
                let gradient = dense.grad(&gradients).expect("a gradient");
                [product, gradient].map(Tensor::into_data)
            };
            for (found, expected) in outcome(false).iter().zip(&outcome(true)) {
                found.assert_approx_eq::<f32>(expected, Tolerance::absolute(1e-4));
            }
        }
    }
}
