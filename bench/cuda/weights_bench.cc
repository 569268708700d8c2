// Weights of 4 bits on their way to strips and back, in the shape of Llama-3-8B's gate and up.
//
// The bound is each stored number read once and each made one written once.
#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <vector>

#include "backend/cuda/int4_pack.h"
#include "bench_support.h"

namespace hangar::cuda::bench {
namespace {

constexpr std::int64_t kRows = 28672;
constexpr std::int64_t kColumns = 4096;

struct Stored {
  const char* name;
  DType type;
  Int4Form form;
};
constexpr Stored kStored[] = {
    {"pack Q4_0", DType::kQ4_0, Int4Form::kZero32},
    {"pack Q4_1", DType::kQ4_1, Int4Form::kMin32},
    {"pack Q4_K", DType::kQ4_K, Int4Form::kSuper32},
    {"pack INT4_G32", DType::kInt4G32, Int4Form::kZero128},
};

struct Form {
  const char* quantize;
  const char* unpack;
  Int4Form form;
};
constexpr Form kForms[] = {
    {"quantize zero128", "unpack zero128", Int4Form::kZero128},
    {"quantize zero32", "unpack zero32", Int4Form::kZero32},
    {"quantize min32", "unpack min32", Int4Form::kMin32},
    {"quantize super32", "unpack super32", Int4Form::kSuper32},
};

std::vector<void*> pieces(CardMemory& memory, std::size_t count, std::size_t bytes) {
  std::vector<void*> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back(memory.take(bytes));
  return all;
}

std::size_t strip_bytes(Int4Form form) {
  return static_cast<std::size_t>(int4_bytes(form, kRows, kColumns));
}

void measure(Bench& bench, const char* name, std::size_t read_bytes, std::size_t written_bytes,
             std::size_t turns, const Bench::Call& call) {
  Case c{.group = "weights",
         .name = name,
         .shape = fmt::format("{} x {}", kRows, kColumns),
         .work = {}};
  c.work.read_bytes = static_cast<double>(read_bytes);
  c.work.written_bytes = static_cast<double>(written_bytes);
  bench.measure(c, turns, call);
}

void pack(Bench& bench, const Stored& stored) {
  if (!bench.wants("weights", stored.name)) return;
  CardMemory memory;
  const std::size_t in_bytes = row_bytes(stored.type, kColumns) * std::size_t{kRows};
  const std::size_t turns = bench.cold_copies(in_bytes);
  const std::vector<void*> in = pieces(memory, turns, in_bytes);
  const std::vector<void*> out = pieces(memory, turns, strip_bytes(stored.form));
  measure(bench, stored.name, in_bytes, strip_bytes(stored.form), turns,
          [&](const Launch& launch, std::size_t t) {
            pack_int4(launch, stored.form, out[t], in[t], stored.type, kRows, kColumns);
          });
}

void quantize_and_unpack(Bench& bench, const Form& form) {
  const bool quantizes = bench.wants("weights", form.quantize);
  const bool unpacks = bench.wants("weights", form.unpack);
  if (!quantizes && !unpacks) return;
  CardMemory memory;
  const std::size_t dense_bytes = std::size_t{kRows} * kColumns * 2;
  const std::size_t turns = bench.cold_copies(dense_bytes);
  const auto dense = memory.activations(turns, kRows, kColumns, bench.options().type, 0.02F);
  const std::vector<void*> strips = pieces(memory, turns, strip_bytes(form.form));
  if (quantizes) {
    measure(bench, form.quantize, dense_bytes, strip_bytes(form.form), turns,
            [&](const Launch& launch, std::size_t t) {
              quantize_int4(launch, form.form, strips[t], dense[t]);
            });
  }
  if (!unpacks) return;
  measure(bench, form.unpack, strip_bytes(form.form), dense_bytes, turns,
          [&](const Launch& launch, std::size_t t) {
            unpack_int4(launch, dense[t], form.form, strips[t]);
          });
}

}  // namespace

void weights_benchmarks(Bench& bench) {
  for (const Stored& stored : kStored) pack(bench, stored);
  for (const Form& form : kForms) quantize_and_unpack(bench, form);
}

}  // namespace hangar::cuda::bench
