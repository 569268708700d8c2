// The passes over rows through the Backend, against the reference.
#include <algorithm>
#include <vector>

#include "backend/cuda/testing.h"

namespace hangar::cuda {
namespace {

using Values = std::vector<float>;

// The backend hands its operations to these passes.
class CudaElementwiseTest : public CudaOpsTest {
 protected:
  // What `run` gives on the card and on the reference.
  template <typename Run>
  void expect_same(const Run& run, float relative) {
    expect_near(run(*cuda_), run(*ref_), 1e-6F, relative);
  }
};

TEST_P(CudaElementwiseTest, NormsThroughTheBackend) {
  const Values x = random_floats(6 * 96, 2.0F);
  const TensorView whole = random_view(1, 96);
  const TensorView head = random_view(1, 32);
  expect_same(
      [&](Backend& backend) {
        const WeightPtr weight = backend.load_weight(whole, InputPrecision::kFast).value();
        const Activation out = make_empty(backend, 6, 96);
        backend.rms_norm(out, make(backend, 6, 96, x, ActivationPrecision::kFull), *weight, 1e-5F);
        return values_of(backend, out);
      },
      epsilon());
  expect_same(
      [&](Backend& backend) {
        const WeightPtr weight = backend.load_weight(head, InputPrecision::kFast).value();
        const Activation y = make(backend, 6, 96, x);
        backend.head_norm(y, 32, *weight, 1e-5F);
        return values_of(backend, y);
      },
      epsilon());
}

TEST_P(CudaElementwiseTest, PassesThroughTheBackend) {
  const Values x = random_floats(5 * 72, 2.0F);
  const Values y = random_floats(5 * 72);
  const TensorView b = random_view(1, 72);
  for (const ActivationPrecision precision :
       {ActivationPrecision::kFull, ActivationPrecision::kWork}) {
    expect_same(
        [&](Backend& backend) {
          const WeightPtr bias = backend.load_weight(b, InputPrecision::kFast).value();
          const Activation sum = make(backend, 5, 72, x, precision);
          backend.add(sum, make(backend, 5, 72, y));
          backend.add_bias(sum, *bias);
          backend.scale(sum, 0.75F);
          backend.softcap(sum, 3.0F);
          return values_of(backend, sum);
        },
        4.0F * epsilon());
  }
  for (const auto f : {GateFunction::kSilu, GateFunction::kGeluTanh, GateFunction::kGelu}) {
    expect_same(
        [&](Backend& backend) {
          const Activation out = make_empty(backend, 5, 72);
          backend.gate_mul(out, make(backend, 5, 72, x), make(backend, 5, 72, y), f);
          return values_of(backend, out);
        },
        epsilon());
  }
}

TEST_P(CudaElementwiseTest, RowsThroughTheBackend) {
  const Values x = random_floats(6 * 40);
  const Values y = random_floats(4 * 40);
  const TensorView table = float_view({6, 40}, x);
  const std::vector<std::int32_t> rows = {5, 0, 5, 2};
  const std::vector<float> weights = {0.5F, 2.0F, -1.25F, 3.0F};
  expect_same(
      [&](Backend& backend) {
        const WeightPtr weight = backend.load_weight(table, InputPrecision::kFast).value();
        const Activation out = make_empty(backend, 4, 40, ActivationPrecision::kFull);
        backend.embed(out, *weight, rows);
        return values_of(backend, out);
      },
      0.0F);
  expect_same(
      [&](Backend& backend) {
        const Activation out = make_empty(backend, 4, 40, ActivationPrecision::kFull);
        backend.gather_rows(out, make(backend, 6, 40, x, ActivationPrecision::kFull), rows);
        return values_of(backend, out);
      },
      0.0F);
  expect_same(
      [&](Backend& backend) {
        const Activation to = make(backend, 6, 40, x, ActivationPrecision::kFull);
        backend.scatter_add_rows(to, make(backend, 4, 40, y), rows, weights);
        return values_of(backend, to);
      },
      1e-5F);
}

TEST_P(CudaElementwiseTest, TopExpertsThroughTheBackend) {
  const Values scores = random_floats(7 * 16, 2.0F);
  const auto run = [&](Backend& backend, std::vector<std::int32_t>& ids) {
    Values weights(7 * 4);
    backend.top_experts(make(backend, 7, 16, scores, ActivationPrecision::kFull), 4, true, ids,
                        weights);
    return weights;
  };
  std::vector<std::int32_t> got_ids(7 * 4, -1);
  std::vector<std::int32_t> want_ids(7 * 4, -2);
  const Values got = run(*cuda_, got_ids);
  expect_near(got, run(*ref_, want_ids), 0.0F, 2e-6F);
  EXPECT_EQ(got_ids, want_ids);
}

INSTANTIATE_TEST_SUITE_P(WorkTypes, CudaElementwiseTest, kWorkTypes, work_type_name);

}  // namespace
}  // namespace hangar::cuda
