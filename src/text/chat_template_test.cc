// Whole templates: against Jinja2's own output, at the limits, and refused ones.
#include "text/chat_template.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>
#include <thread>

namespace hangar {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

boost::json::object read_golden() {
  std::ifstream file(std::string(HANGAR_SOURCE_DIR) + "/tests/data/templates/golden.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return boost::json::parse(text).as_object();
}

Error error_of(std::string_view source, boost::json::object context = {},
               const TemplateLimits& limits = {}) {
  const auto parsed = ChatTemplate::parse(source);
  if (!parsed) return parsed.error();
  const auto text = parsed->render(context, 0, limits);
  if (text) {
    ADD_FAILURE() << source.substr(0, 200) << " gave: " << text->substr(0, 200);
    return {};
  }
  return text.error();
}

// Each case is our own template; Jinja2, set up as transformers does, made the expected text.
TEST(ChatTemplate, RendersAsJinja2Does) {
  const boost::json::object golden = read_golden();
  const std::int64_t now = golden.at("now").as_int64();
  const auto& contexts = golden.at("contexts").as_array();
  std::size_t rendered = 0;
  std::size_t failed = 0;
  for (const auto& entry : golden.at("cases").as_array()) {
    const auto& test = entry.as_object();
    const std::string_view source = test.at("template").as_string();
    SCOPED_TRACE(std::string(test.at("name").as_string()) + ": " + std::string(source));
    const auto& context =
        contexts.at(static_cast<std::size_t>(test.at("context").as_int64())).as_object();
    const auto parsed = ChatTemplate::parse(source);
    if (test.contains("expected")) {
      ASSERT_TRUE(parsed) << parsed.error().message;
      const auto text = parsed->render(context, now);
      ASSERT_TRUE(text) << text.error().message;
      EXPECT_EQ(*text, std::string_view(test.at("expected").as_string()));
      ++rendered;
      continue;
    }
    ++failed;
    const std::string_view kind = test.at("fails").as_string();
    if (kind == "parse") {
      ASSERT_FALSE(parsed);
      EXPECT_THAT(parsed.error().message, StartsWith("template line "));
      continue;
    }
    if (!parsed) continue;  // what Jinja2 finds while rendering, we may find at load
    const auto text = parsed->render(context, now);
    ASSERT_FALSE(text);
    if (kind == "raise") {
      EXPECT_EQ(text.error().message, std::string_view(test.at("words").as_string()));
      EXPECT_EQ(text.error().code, ErrorCode::kInvalidArgument);
    } else {
      EXPECT_THAT(text.error().message, StartsWith("template line "));
    }
    if (test.contains("words")) {
      EXPECT_THAT(text.error().message, HasSubstr(std::string(test.at("words").as_string())));
    }
  }
  EXPECT_GT(rendered, 200U);
  EXPECT_GT(failed, 60U);
}

TEST(ChatTemplate, RefusesAtLoadWithTheLine) {
  struct Case {
    std::string_view source, words;
    ErrorCode code;
  };
  for (const Case& bad : std::initializer_list<Case>{
           {"\n{% include 'x' %}", "line 2: unknown tag 'include'", ErrorCode::kUnsupported},
           {"a\n\n{{ x | nope }}", "line 3: no filter named 'nope'", ErrorCode::kUnsupported},
           {"{{ x is nope }}", "line 1: no test named 'nope'", ErrorCode::kUnsupported},
           {"{% if x %}{% for y in z %}{{ y | nope }}{% endfor %}{% endif %}",
            "no filter named 'nope'", ErrorCode::kUnsupported},
           {"{% if x %}{% set y | nope %}{% endset %}{% endif %}", "no filter named 'nope'",
            ErrorCode::kUnsupported},
           {"{% if x %}\n", "line 1: the block is not closed", ErrorCode::kCorrupt},
           {"{{ 1 +\n}}", "line 2: expected an expression", ErrorCode::kCorrupt},
           {"{% break %}", "stands outside a loop", ErrorCode::kCorrupt},
           {"{% set loop = 1 %}", "can't assign to 'loop'", ErrorCode::kCorrupt}}) {
    const auto parsed = ChatTemplate::parse(bad.source);
    ASSERT_FALSE(parsed) << bad.source;
    EXPECT_THAT(parsed.error().message, HasSubstr(std::string(bad.words)));
    EXPECT_EQ(parsed.error().code, bad.code) << bad.source;
  }
}

// What Jinja2 finds out only where it gets there: right inside an `if`, and functions.
TEST(ChatTemplate, RefusesSomeThingsOnlyWhereTheyAreUsed) {
  const auto render = [](std::string_view source) {
    return ChatTemplate::parse(source).value().render({}).value();
  };
  EXPECT_EQ(
      render("{% if false %}{{ 1 | nope }}{% elif false and 1 is nope %}{% else %}b{% endif %}"
             "{{ 'c' if true else 1 | nope }}"),
      "bc");
  EXPECT_EQ(render("{% if false %}{{ nope(1) }}{% endif %}a"), "a");
  EXPECT_THAT(error_of("{% if true %}{{ 1 | nope }}{% endif %}").message,
              HasSubstr("No filter named 'nope' found."));
  EXPECT_THAT(error_of("{{ nope(1) }}").message, HasSubstr("'nope' is undefined"));
}

TEST(ChatTemplate, FollowsJinja2sOddities) {
  const auto render = [](std::string_view source) {
    return ChatTemplate::parse(source).value().render({{"s", "given"}}).value();
  };
  // A loop none of whose rounds came to its end goes on with `else`.
  EXPECT_EQ(render("{% for x in [1, 2] %}{{ x }}{% break %}{% else %}e{% endfor %}"), "1e");
  EXPECT_EQ(render("{% for x in [1, 2] %}{% if x == 1 %}{% continue %}{% endif %}{{ x }}{% else %}"
                   "e{% endfor %}"),
            "2");
  // A name that a scope sets before it reads it is undefined in the scopes inside until then.
  EXPECT_EQ(render("{% for x in [1] %}{{ s }}{% endfor %}{% set s = 'new' %}{{ s }}"), "new");
  EXPECT_EQ(render("{{ s }}{% for x in [1] %}{{ s }}{% endfor %}{% set s = 'new' %}{{ s }}"),
            "givengivennew");
  EXPECT_EQ(
      render("{% for x in [1] %}{{ s }}{% endfor %}{% if true %}{% set s = 'new' %}{% endif %}"
             "{{ s }}"),
      "givennew");
  EXPECT_EQ(render("{{ 'ﬁn'|capitalize }} {{ 'ŉ'|upper }}"), "Fin ʼN");
  EXPECT_THAT(error_of("{{ none[1:] }}").message, HasSubstr("not subscriptable"));
  EXPECT_THAT(error_of("{{ {}[1:] }}").message, HasSubstr("unhashable type: 'slice'"));
  EXPECT_THAT(error_of("{% filter length %}ab{% endfilter %}").message,
              HasSubstr("expected str instance, int found"));
  EXPECT_EQ(render("{{ '%s' % [1] }}|{{ [1, 2]|truncate(5) }}"), "[1]|[1, 2]");
  EXPECT_EQ(render("{{ 'a' % missing }}|{{ 'b' % [1] }}"), "a|b");
}

TEST(ChatTemplate, NamesTheLineOfARenderError) {
  EXPECT_EQ(error_of("a\n{{ 1 +\n 'x' }}").message,
            "template line 2: unsupported operand type(s) for +: 'int' and 'str'");
  EXPECT_THAT(error_of("\n\n{{ q.x }}").message, HasSubstr("line 3: 'q' is undefined"));
  EXPECT_EQ(error_of("\n{{ raise_exception('Just this') }}").message, "Just this");
}

TEST(ChatTemplate, HostileTemplatesEndInAnError) {
  TemplateLimits limits;  // smaller than the defaults, so that the test is quick
  limits.steps = 1'000'000;
  limits.output_bytes = 1U << 20U;
  limits.memory_bytes = 16U << 20U;
  for (const std::string_view source : {
           "{{ 'x' * 10**9 }}",
           "{{ [1] * 10**12 }}",
           "{{ range(10**12) }}",
           "{% set ns = namespace(l=[1]) %}{% for i in range(99) %}{% set ns.l = ns.l + ns.l %}{% "
           "endfor %}",
           "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = ns.s ~ ns.s %}{% "
           "endfor %}",
           "{% set ns = namespace(s='x') %}{% for i in range(99) %}{% set ns.s = [ns.s, ns.s] %}{% "
           "endfor %}"
           "{{ ns.s }}",
           "{% set ns = namespace(l=[]) %}{% for i in range(999) %}{% set ns.l = [ns.l] %}{% "
           "endfor %}",
           "{% set ns = namespace(l={}) %}{% for i in range(999) %}{% set ns.l = {'a': ns.l} %}{% "
           "endfor %}",
           "{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}",
           "{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}",
           "{% macro f(x) %}{{ caller() }}{% call f(1) %}{% endcall %}{% endmacro %}{% call f(1) "
           "%}{% endcall %}",
           "{% for x in [1] recursive %}{{ loop([1]) }}{% endfor %}",
           "{% for a in range(99999) %}{% for b in range(99999) %}{% for c in range(99999) %}{% "
           "endfor %}"
           "{% endfor %}{% endfor %}",
           "{% for a in range(99999) %}{% for b in range(99999) %}aaaaaaaa{% endfor %}{% endfor %}",
           "{{ '%999999999d' % 1 }}",
           "{{ '%.999999999f' % 1.5 }}",
           "{{ '{:>99999999999}'.format('x') }}",
           "{{ 'x'.center(10**12) }}",
           "{{ 'x'.ljust(10**17) }}",
           "{{ 'x' | indent(10**12) }}",
           "{{ [1] | tojson(indent=10**12) }}",
           "{{ ('x' * 10**6).replace('x', 'y' * 10**6) }}",
           "{{ ('x' * 10**6).join('y' * 10**6) }}",
           "{{ [1] | batch(10**15, 0) | list }}",
           "{{ [1] | slice(10**15) | list }}",
           "{% set ns = namespace(t=(1,)) %}{% for i in range(99) %}{% set ns.t = (ns.t, ns.t) "
           "%}{% endfor %}"
           "{{ {ns.t: 1} }}",
           "{% set a = namespace(v=[1]) %}{% set b = namespace(v=[1]) %}{% for i in range(99) %}"
           "{% set a.v = [a.v, a.v] %}{% set b.v = [b.v, b.v] %}{% endfor %}{{ a.v == b.v }}",
       }) {
    const Error error = error_of(source, {}, limits);
    EXPECT_EQ(error.code, ErrorCode::kResourceExhausted) << source << ": " << error.message;
  }
}

TEST(ChatTemplate, DeepNestingDoesNotExhaustTheStack) {
  const auto repeat = [](std::string_view text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += text;
    return out;
  };
  constexpr int kMany = 20'000;
  for (const std::string& source :
       {"{{ " + repeat("(", kMany) + "1" + repeat(")", kMany) + " }}",
        "{{ " + repeat("[", kMany) + repeat("]", kMany) + " }}",
        "{{ " + repeat("not ", kMany) + "1 }}", "{{ " + repeat("-", kMany) + "1 }}",
        "{{ 1" + repeat(" + 1", kMany) + " }}", "{{ x" + repeat(".y", kMany) + " }}",
        "{{ x" + repeat("|trim", kMany) + " }}", "{{ x" + repeat("()", kMany) + " }}",
        "{{ 1" + repeat(" if 1 else 1", kMany) + " }}", "{{ 1" + repeat(" if 1", kMany) + " }}",
        "{{ x" + repeat("[x", kMany) + repeat("]", kMany) + " }}",
        "{% set " + repeat("(", kMany) + "x" + repeat(")", kMany) + " = 1 %}",
        repeat("{% if 1 %}", kMany) + repeat("{% endif %}", kMany),
        "{% set x " + repeat("|trim", kMany) + " %}{% endset %}",
        "{{ x" + repeat(" is in x", kMany) + " }}"}) {
    const auto parsed = ChatTemplate::parse(source);
    ASSERT_FALSE(parsed) << source.substr(0, 30);
    EXPECT_EQ(parsed.error().code, ErrorCode::kResourceExhausted) << parsed.error().message;
  }
  // The deepest that is taken also renders.
  const std::string deep =
      "{{ " + repeat("(", 80) + "1" + repeat(" + 1", 200) + repeat(")", 80) + " }}";
  const auto parsed = ChatTemplate::parse(deep);
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(parsed->render({}).value(), "201");
}

TEST(ChatTemplate, LimitsAreTheCallers) {
  TemplateLimits limits;
  limits.output_bytes = 10;
  EXPECT_THAT(error_of("{{ 'x' * 11 }}", {}, limits).message, HasSubstr("more than 10 bytes"));
  limits = {};
  limits.steps = 100;
  EXPECT_THAT(error_of("{% for i in range(99) %}{% endfor %}", {}, limits).message,
              HasSubstr("more than 100 steps"));
  limits = {};
  limits.memory_bytes = 100'000;
  EXPECT_THAT(error_of("{{ 'x' * 100001 }}", {}, limits).message, HasSubstr("bytes of memory"));
  boost::json::value nested;
  for (int i = 0; i < 300; ++i) nested = boost::json::array{nested};
  EXPECT_THAT(error_of("x", {{"a", nested}}).message, HasSubstr("nests deeper than 200"));
  EXPECT_THAT(error_of("x", {{"a", 18446744073709551615U}}).message, HasSubstr("64 bits"));
}

TEST(ChatTemplate, OneTemplateServesManyThreads) {
  const auto parsed = ChatTemplate::parse(
      "{% macro m(x) %}<{{ x | upper }}>{% endmacro %}{% for i in l %}{{ m('a' ~ i) }}{% endfor "
      "%}");
  ASSERT_TRUE(parsed);
  std::vector<std::string> results(4);
  std::vector<std::thread> threads;
  for (std::string& result : results) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) result = parsed->render({{"l", {1, 2, 3}}}).value();
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::string& result : results) EXPECT_EQ(result, "<A1><A2><A3>");
}

TEST(ChatTemplate, ReadsJsonThatDeepSeeksTemplatesCarry) {
  const auto parsed = ChatTemplate::parse("{% set a = x | from_json %}{{ a.k[1] }}");
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->render({{"x", R"({"k": [1, "two"]})"}}).value(), "two");
  EXPECT_THAT(error_of("{{ '{' | from_json }}").message, HasSubstr("from_json"));
}

TEST(ChatTemplate, KeepsItsSource) {
  auto first = ChatTemplate::parse("a\n").value();
  const ChatTemplate moved = std::move(first);
  EXPECT_EQ(moved.source(), "a\n");
  EXPECT_EQ(moved.render({}).value(), "a");
}

}  // namespace
}  // namespace hangar
