#include "text/post_processor.h"

namespace hangar {
namespace {

TemplatePiece token_piece(TokenId id, std::int32_t type_id) {
  return {.kind = TemplatePiece::Kind::kToken, .token = id, .type_id = type_id};
}

void append(std::span<const TokenId> ids, std::int32_t type_id, Encoding& out) {
  out.ids.insert(out.ids.end(), ids.begin(), ids.end());
  out.type_ids.resize(out.ids.size(), type_id);
}

Status check_template(std::string_view name, std::span<const TemplatePiece> pieces,
                      std::size_t tokens, bool pair) {
  for (const TemplatePiece& piece : pieces) {
    if (piece.kind == TemplatePiece::Kind::kSequenceB && !pair) {
      return make_error(ErrorCode::kCorrupt,
                        "tokenizer: the template for one text names a second one");
    }
    if (piece.kind != TemplatePiece::Kind::kToken) continue;
    if (piece.token < 0 || static_cast<std::size_t>(piece.token) >= tokens) {
      return make_error(ErrorCode::kCorrupt,
                        "tokenizer: the template for {} names token {}, but there are {} tokens",
                        name, piece.token, tokens);
    }
  }
  return {};
}

}  // namespace

void wrap_in_bos_eos(bool add_bos, bool add_eos, TokenizerSpec& spec) {
  spec.single.clear();
  spec.pair.clear();
  if (!add_bos && !add_eos) return;
  for (const std::int32_t type_id : {0, 1}) {
    const auto kind =
        type_id == 0 ? TemplatePiece::Kind::kSequenceA : TemplatePiece::Kind::kSequenceB;
    if (add_bos) spec.pair.push_back(token_piece(*spec.bos, type_id));
    spec.pair.push_back({.kind = kind, .token = 0, .type_id = type_id});
    if (add_eos) spec.pair.push_back(token_piece(*spec.eos, type_id));
    if (type_id == 0) spec.single = spec.pair;
  }
}

bool begins_with_bos(const TokenizerSpec& spec) {
  return spec.bos && !spec.single.empty() &&
         spec.single.front().kind == TemplatePiece::Kind::kToken &&
         spec.single.front().token == *spec.bos;
}

Status check_templates(const TokenizerSpec& spec) {
  HANGAR_CHECK_OK(check_template("one text", spec.single, spec.tokens.size(), /*pair=*/false));
  return check_template("two texts", spec.pair, spec.tokens.size(), /*pair=*/true);
}

Encoding lay_out(std::span<const TemplatePiece> pieces, std::span<const TokenId> first,
                 const std::vector<TokenId>* second, bool add_special) {
  Encoding out;
  out.ids.reserve(first.size() + (second == nullptr ? 0 : second->size()) + pieces.size());
  if (pieces.empty()) {
    append(first, 0, out);
    if (second != nullptr) append(*second, 1, out);
    return out;
  }
  for (const TemplatePiece& piece : pieces) {
    switch (piece.kind) {
      case TemplatePiece::Kind::kSequenceA:
        append(first, piece.type_id, out);
        break;
      case TemplatePiece::Kind::kSequenceB:
        if (second != nullptr) append(*second, piece.type_id, out);
        break;
      case TemplatePiece::Kind::kToken:
        if (add_special) append(std::span(&piece.token, 1), piece.type_id, out);
        break;
    }
  }
  return out;
}

}  // namespace hangar
