#include "formats/hf/post_processor.h"

#include <limits>
#include <map>
#include <optional>
#include <string>

#include "formats/hf/stage_fields.h"
#include "formats/hf/strict_json.h"

namespace hangar::hf {
namespace {

using boost::json::value;
using PieceKind = TemplatePiece::Kind;

constexpr TemplatePiece token_piece(TokenId token, std::int32_t type_id) {
  return {.kind = PieceKind::kToken, .token = token, .type_id = type_id};
}
constexpr TemplatePiece kTextA = {.kind = PieceKind::kSequenceA};
constexpr TemplatePiece kTextB = {.kind = PieceKind::kSequenceB, .type_id = 1};

std::optional<TokenId> as_id(const value& number) {
  const std::int64_t* id = number.if_int64();
  if (id == nullptr || *id < 0 || *id > std::numeric_limits<TokenId>::max()) return std::nullopt;
  return static_cast<TokenId>(*id);
}

// ["[SEP]", 102]
TokenId named_id(StageFields& fields, std::string_view name) {
  const boost::json::array& both = fields.array(name);
  if (both.size() == 2 && both[0].is_string()) {
    if (const std::optional<TokenId> id = as_id(both[1])) return *id;
  }
  fields.fail(ErrorCode::kCorrupt, name,
              fmt::format("{} found, [token, id] expected", brief(value(both))));
  return 0;
}

using SpecialIds = std::map<std::string, std::vector<TokenId>, std::less<>>;

// {"[CLS]": {"id": "[CLS]", "ids": [101], "tokens": ["[CLS]"]}}
SpecialIds special_ids(StageFields& fields) {
  SpecialIds special;
  const value* list = fields.value("special_tokens");
  if (list == nullptr || !list->is_object()) {
    fields.fail(ErrorCode::kCorrupt, "special_tokens",
                fmt::format("{} found, an object expected",
                            list == nullptr ? std::string("nothing") : brief(*list)));
    return special;
  }
  for (const auto& [name, token] : list->get_object()) {
    std::vector<TokenId>& ids = special[std::string(std::string_view(name))];
    const value* found = token.is_object() ? token.get_object().if_contains("ids") : nullptr;
    bool right = found != nullptr && found->is_array() && !found->get_array().empty();
    if (right) {
      for (const value& id : found->get_array()) {
        const std::optional<TokenId> one = as_id(id);
        right = right && one.has_value();
        ids.push_back(one.value_or(0));
      }
    }
    if (!right) {
      fields.fail(ErrorCode::kCorrupt, "special_tokens",
                  fmt::format("'{}' is {}, {{\"ids\": [...]}} expected", std::string_view(name),
                              brief(token)));
    }
  }
  return special;
}

// {"SpecialToken": {"id": "[CLS]", "type_id": 0}} or {"Sequence": {"id": "A", "type_id": 0}}
bool append_piece(const value& piece, const SpecialIds& special, std::vector<TemplatePiece>& out) {
  const boost::json::object* object = piece.if_object();
  if (object == nullptr || object->size() != 1 || !object->begin()->value().is_object()) {
    return false;
  }
  const std::string_view kind = object->begin()->key();
  const boost::json::object& fields = object->begin()->value().get_object();
  const value* id = fields.if_contains("id");
  const value* type = fields.if_contains("type_id");
  if (fields.size() != 2 || id == nullptr || !id->is_string() || type == nullptr) return false;
  const std::optional<std::int32_t> type_id = as_id(*type);
  if (!type_id) return false;
  const std::string_view name = id->get_string();
  if (kind == "SpecialToken") {
    const auto found = special.find(name);
    if (found == special.end()) return false;
    for (const TokenId token : found->second) out.push_back(token_piece(token, *type_id));
    return true;
  }
  if (kind != "Sequence" || (name != "A" && name != "B")) return false;
  out.push_back(
      {.kind = name == "A" ? PieceKind::kSequenceA : PieceKind::kSequenceB, .type_id = *type_id});
  return true;
}

std::vector<TemplatePiece> template_pieces(StageFields& fields, std::string_view name,
                                           const SpecialIds& special) {
  std::vector<TemplatePiece> pieces;
  for (const value& piece : fields.array(name)) {
    if (append_piece(piece, special, pieces)) continue;
    fields.fail(ErrorCode::kCorrupt, name,
                fmt::format("{} found, a special token of special_tokens or a sequence expected",
                            brief(piece)));
  }
  return pieces;
}

Status read_one(StageFields& fields, PostProcessor& out) {
  if (fields.type() == "TemplateProcessing") {
    const SpecialIds special = special_ids(fields);
    out.single = template_pieces(fields, "single", special);
    out.pair = template_pieces(fields, "pair", special);
  } else if (fields.type() == "BertProcessing") {
    const TokenId sep = named_id(fields, "sep");
    const TokenId cls = named_id(fields, "cls");
    out.single = {token_piece(cls, 0), kTextA, token_piece(sep, 0)};
    out.pair = {token_piece(cls, 0), kTextA, token_piece(sep, 0), kTextB, token_piece(sep, 1)};
  } else if (fields.type() == "RobertaProcessing") {
    const TokenId sep = named_id(fields, "sep");
    const TokenId cls = named_id(fields, "cls");
    fields.ignore("trim_offsets");
    fields.ignore("add_prefix_space");
    out.single = {token_piece(cls, 0), kTextA, token_piece(sep, 0)};
    out.pair = {token_piece(cls, 0),
                kTextA,
                token_piece(sep, 0),
                token_piece(sep, 0),
                {.kind = PieceKind::kSequenceB, .type_id = 0},
                token_piece(sep, 0)};
  } else if (fields.type() == "ByteLevel") {  // mends offsets, adds nothing
    fields.ignore("add_prefix_space");
    fields.ignore("trim_offsets");
    fields.ignore("use_regex");
  } else {
    return fields.unknown_type(
        "TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel, Sequence");
  }
  return fields.done();
}

// NOLINTNEXTLINE(misc-no-recursion): the JSON's own bound on nesting bounds it
Status read_any(const value& stage, const std::string& place, PostProcessor& out) {
  StageFields fields(stage, place);
  if (fields.type() == "Sequence") {
    const boost::json::array& stages = fields.array("processors");
    HANGAR_CHECK_OK(fields.done());
    for (std::size_t i = 0; i < stages.size(); ++i) {
      HANGAR_CHECK_OK(read_any(stages[i], element_place(place, "processors", i), out));
    }
    return {};
  }
  PostProcessor one;
  HANGAR_CHECK_OK(read_one(fields, one));
  if (one.single.empty() && one.pair.empty()) return {};
  if (!out.single.empty() || !out.pair.empty()) {
    return make_error(ErrorCode::kUnsupported,
                      "tokenizer.json: '{}': {} is a second one that adds tokens; one is supported",
                      place, fields.type());
  }
  out = std::move(one);
  return {};
}

}  // namespace

Result<PostProcessor> read_post_processor(const value& stage) {
  PostProcessor out;
  if (!stage.is_null()) HANGAR_CHECK_OK(read_any(stage, "post_processor", out));
  return out;
}

}  // namespace hangar::hf
