#include "bench/words.h"

#include <array>

namespace hangar::bench {
namespace {

constexpr std::array<std::string_view, 256> kWords = {
    "time",     "people",    "year",       "way",      "day",        "man",         "thing",
    "woman",    "life",      "child",      "world",    "school",     "state",       "family",
    "student",  "group",     "country",    "problem",  "hand",       "part",        "place",
    "case",     "week",      "company",    "system",   "program",    "question",    "work",
    "number",   "night",     "point",      "home",     "water",      "room",        "mother",
    "area",     "money",     "story",      "fact",     "month",      "lot",         "right",
    "study",    "book",      "eye",        "job",      "word",       "business",    "issue",
    "side",     "kind",      "head",       "house",    "service",    "friend",      "father",
    "power",    "hour",      "game",       "line",     "end",        "member",      "law",
    "car",      "city",      "name",       "team",     "minute",     "idea",        "body",
    "back",     "parent",    "face",       "others",   "level",      "office",      "door",
    "health",   "person",    "art",        "history",  "party",      "result",      "change",
    "morning",  "reason",    "research",   "girl",     "moment",     "air",         "teacher",
    "force",    "education", "foot",       "boy",      "age",        "policy",      "music",
    "market",   "sense",     "nation",     "plan",     "college",    "interest",    "experience",
    "effect",   "use",       "class",      "control",  "field",      "development", "role",
    "effort",   "rate",      "heart",      "show",     "leader",     "light",       "voice",
    "wife",     "police",    "mind",       "price",    "report",     "decision",    "son",
    "view",     "town",      "road",       "arm",      "difference", "value",       "building",
    "action",   "season",    "society",    "tax",      "director",   "position",    "player",
    "record",   "paper",     "space",      "ground",   "form",       "event",       "matter",
    "center",   "couple",    "site",       "project",  "star",       "table",       "court",
    "oil",      "situation", "cost",       "industry", "figure",     "street",      "image",
    "phone",    "data",      "picture",    "practice", "piece",      "land",        "product",
    "doctor",   "wall",      "patient",    "worker",   "news",       "test",        "movie",
    "north",    "love",      "support",    "green",    "blue",       "red",         "black",
    "white",    "small",     "large",      "long",     "short",      "early",       "young",
    "old",      "high",      "low",        "good",     "great",      "new",         "first",
    "last",     "public",    "common",     "strong",   "simple",     "clear",       "hard",
    "full",     "ready",     "open",       "close",    "read",       "write",       "speak",
    "hear",     "learn",     "build",      "keep",     "hold",       "bring",       "begin",
    "run",      "move",      "live",       "believe",  "happen",     "include",     "continue",
    "set",      "lead",      "understand", "watch",    "follow",     "stop",        "create",
    "allow",    "add",       "spend",      "grow",     "walk",       "win",         "offer",
    "remember", "consider",  "appear",     "buy",      "wait",       "serve",       "send",
    "expect",   "stay",      "fall",       "cut",      "reach",      "remain",      "suggest",
    "raise",    "pass",      "sell",       "require",
};

}  // namespace

std::span<const std::string_view> common_words() {
  return kWords;
}

}  // namespace hangar::bench
