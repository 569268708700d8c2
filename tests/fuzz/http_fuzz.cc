// Fuzz target: the bytes of HTTP requests, as the server reads, routes and parses them, but without
// sockets: RequestReader, the routes and the JSON bodies behind them, over a model that answers
// 'x'.
//
// The first byte says in what steps the rest is fed, so that cuts inside a line are found too.
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "serve/gateway.h"
#include "serve/http/request_reader.h"
#include "serve/http/response_text.h"
#include "serve/routes.h"
#include "serve/testing/mock_engine.h"
#include "serve/testing/mock_tokenizer.h"

namespace hangar {
namespace {

// Without a chat template: templates have a fuzz target of their own.
Gateway& gateway() {
  static Gateway* const made = [] {
    spdlog::set_level(spdlog::level::off);
    auto* door = new Gateway;
    door->add(std::make_unique<ServedModel>(
        "mock", std::make_unique<MockTokenizer>(), ChatTemplates(),
        std::make_unique<MockEngine>(MockEngine::Options{.scripts = {MockEngine::bytes("x")}})));
    return door;
  }();
  return *made;
}

void require(bool holds) {
  if (!holds) std::abort();
}

void answer(const HttpRequest& request) {
  HandlerResult result = handle_request(gateway(), request);
  const auto* response = std::get_if<HttpResponse>(&result);
  if (response == nullptr) return;  // a generation, dropped at once
  require(response->status >= 200 && response->status < 600);
  ResponseFraming framing;
  framing.content_length = response->body.size();
  framing.request_id = request.request_id;
  // Nothing of the request may break out of the answer's header.
  const std::string head = response_head(*response, framing);
  require(head.find("\r\n\r\n") == head.size() - 4);
}

void run(std::string_view bytes, std::size_t step) {
  using State = RequestReader::State;
  constexpr std::size_t kMaxHeaderBytes = 4096;
  constexpr std::size_t kMaxBodyBytes = 16384;
  std::string input;
  auto reader = std::make_unique<RequestReader>(kMaxHeaderBytes, kMaxBodyBytes);
  while (!bytes.empty()) {
    const std::size_t count = std::min(step, bytes.size());
    input += bytes.substr(0, count);
    bytes.remove_prefix(count);
    for (bool again = true; again;) {
      const std::size_t used = reader->feed(input);
      require(used <= input.size());
      input.erase(0, used);
      again = false;
      if (reader->state() == State::kFailed) {
        require(reader->failure_status() >= 400 && !reader->failure().empty());
        return;
      }
      if (reader->state() != State::kDone) continue;
      const HttpRequest request = reader->take();
      require(request.body.size() <= kMaxBodyBytes);
      answer(request);
      if (!reader->keep_alive()) return;
      reader = std::make_unique<RequestReader>(kMaxHeaderBytes, kMaxBodyBytes);
      again = !input.empty();
    }
  }
}

}  // namespace
}  // namespace hangar

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = data[0] == 0 ? size : data[0];
  hangar::run({reinterpret_cast<const char*>(data) + 1, size - 1}, step);
  return 0;
}
