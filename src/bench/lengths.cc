#include "bench/lengths.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

namespace hangar::bench {
namespace {

std::optional<double> number(std::string_view text) {
  double value = 0.0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

std::optional<double> whole(std::string_view text) {
  const auto value = number(text);
  if (!value || *value != std::floor(*value)) return std::nullopt;
  return value;
}

bool is_length(double value) {
  return value >= 1.0 && value <= LengthDistribution::kMostTokens;
}

}  // namespace

LengthDistribution LengthDistribution::fixed(std::int32_t tokens) {
  LengthDistribution made;
  made.first_ = tokens;
  made.text_ = fmt::format("fixed:{}", tokens);
  return made;
}

Result<LengthDistribution> LengthDistribution::parse(std::string_view text) {
  const auto refuse = [&] {
    return make_error(ErrorCode::kInvalidArgument,
                      "'{}' is no length: fixed:N, uniform:A-B, normal:MEAN,SD or "
                      "lognormal:MEAN,SD, in tokens, from 1 to {}",
                      text, kMostTokens);
  };
  const std::size_t colon = text.find(':');
  const std::string_view name = colon == std::string_view::npos ? "fixed" : text.substr(0, colon);
  const std::string_view rest = colon == std::string_view::npos ? text : text.substr(colon + 1);

  LengthDistribution made;
  if (name == "fixed") {
    const auto tokens = whole(rest);
    if (!tokens || !is_length(*tokens)) return refuse();
    return fixed(static_cast<std::int32_t>(*tokens));
  }
  const bool uniform = name == "uniform";
  const std::size_t cut = rest.find(uniform ? '-' : ',');
  if (cut == std::string_view::npos) return refuse();
  const auto first = uniform ? whole(rest.substr(0, cut)) : number(rest.substr(0, cut));
  const auto second = uniform ? whole(rest.substr(cut + 1)) : number(rest.substr(cut + 1));
  if (!first || !second || !is_length(*first)) return refuse();
  if (uniform) {
    if (!is_length(*second) || *second < *first) return refuse();
    made.kind_ = Kind::kUniform;
  } else if (name == "normal" || name == "lognormal") {
    if (*second < 0.0 || *second > kMostTokens) return refuse();
    made.kind_ = name == "normal" ? Kind::kNormal : Kind::kLogNormal;
  } else {
    return refuse();
  }
  made.first_ = *first;
  made.second_ = *second;
  made.text_ = text;
  return made;
}

std::int32_t LengthDistribution::sample(Random& random) const {
  double value = first_;
  switch (kind_) {
    case Kind::kFixed:
      break;
    case Kind::kUniform:
      value += static_cast<double>(random.below(static_cast<std::uint64_t>(second_ - first_) + 1));
      break;
    case Kind::kNormal:
      value += second_ * random.normal();
      break;
    case Kind::kLogNormal: {
      // exp(N(mu, sigma)) has this mean and deviation.
      const double sigma_squared = std::log1p((second_ / first_) * (second_ / first_));
      const double mu = std::log(first_) - sigma_squared / 2.0;
      value = std::exp(mu + std::sqrt(sigma_squared) * random.normal());
      break;
    }
  }
  return static_cast<std::int32_t>(
      std::clamp(std::round(value), 1.0, static_cast<double>(kMostTokens)));
}

}  // namespace hangar::bench
