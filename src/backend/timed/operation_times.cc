#include "backend/timed/operation_times.h"

#include <algorithm>

namespace hangar {
namespace {

struct Names {
  std::string_view name;
  std::string_view key;
};

// In StepPart's order.
constexpr std::array<Names, kStepParts> kNames = {{
    {"q, k, v", "qkv"},
    {"attention output", "attention_out"},
    {"gate, up", "gate_up"},
    {"down", "down"},
    {"head", "head"},
    {"other products", "other_products"},
    {"attention", "attention"},
    {"rotary, KV written", "rope_kv"},
    {"norms", "norm"},
    {"elementwise", "elementwise"},
    {"embedding", "embedding"},
    {"sampling", "sampling"},
    {"reads and copies", "read"},
}};

struct Stem {
  std::string_view stem;
  StepPart part;
};

// What stands between "blk.N." and ".weight", or before ".weight" outside the layers.
constexpr std::array kStems = {
    Stem{"attn_q", StepPart::kQkv},
    Stem{"attn_k", StepPart::kQkv},
    Stem{"attn_v", StepPart::kQkv},
    Stem{"attn_qkv", StepPart::kQkv},
    Stem{"attn_output", StepPart::kAttentionOut},
    Stem{"ffn_gate", StepPart::kGateUp},
    Stem{"ffn_up", StepPart::kGateUp},
    Stem{"ffn_gate_exps", StepPart::kGateUp},
    Stem{"ffn_up_exps", StepPart::kGateUp},
    Stem{"ffn_down", StepPart::kDown},
    Stem{"ffn_down_exps", StepPart::kDown},
    Stem{"token_embd", StepPart::kHead},
    Stem{"output", StepPart::kHead},
};

}  // namespace

std::string_view step_part_name(StepPart part) {
  return kNames[static_cast<std::size_t>(part)].name;
}

std::string_view step_part_key(StepPart part) {
  return kNames[static_cast<std::size_t>(part)].key;
}

StepPart part_of_weight(std::string_view tensor_name) {
  if (tensor_name.starts_with("blk.")) {
    tensor_name.remove_prefix(4);
    tensor_name.remove_prefix(std::min(tensor_name.size(), tensor_name.find('.')));
    if (!tensor_name.empty()) tensor_name.remove_prefix(1);
  }
  // An expert's number may follow the stem: "ffn_up.7.weight".
  const std::string_view stem = tensor_name.substr(0, tensor_name.find('.'));
  for (const Stem& known : kStems) {
    if (known.stem == stem) return known.part;
  }
  return StepPart::kOther;
}

OperationTime& OperationTime::operator+=(const OperationTime& other) {
  calls += other.calls;
  ns += other.ns;
  waits_ns += other.waits_ns;
  bytes += other.bytes;
  multiply_adds += other.multiply_adds;
  return *this;
}

OperationTime OperationTimes::total() const {
  OperationTime sum;
  for (const OperationTime& part : parts) sum += part;
  return sum;
}

OperationTimes& OperationTimes::operator+=(const OperationTimes& other) {
  for (std::size_t i = 0; i < parts.size(); ++i) parts[i] += other.parts[i];
  return *this;
}

}  // namespace hangar
