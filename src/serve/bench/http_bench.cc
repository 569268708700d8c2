#include "serve/bench/http_bench.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>
#include <chrono>
#include <ctime>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "serve/bench/client_loop.h"
#include "serve/bench/instant_engine.h"
#include "serve/gateway.h"
#include "serve/http/server.h"
#include "text/byte_spelling.h"

namespace hangar {
namespace {

constexpr std::int32_t kContextTokens = 1 << 20;
constexpr const char* kModelName = "instant";

double process_cpu_s() {
  timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

void sleep_s(double seconds) {
  std::this_thread::sleep_for(std::chrono::duration<double>(seconds));
}

// The processors this process may use: the first one for the front end, the rest for the clients.
class Processors {
 public:
  explicit Processors(bool pin) {
    CPU_ZERO(&all_);
    pinned_ = ::sched_getaffinity(0, sizeof(all_), &all_) == 0 && CPU_COUNT(&all_) > 1 && pin;
    if (!pinned_) return;
    clients_ = all_;
    CPU_ZERO(&front_end_);
    for (int i = 0; i < CPU_SETSIZE; ++i) {
      if (!CPU_ISSET(i, &all_)) continue;
      CPU_SET(i, &front_end_);
      CPU_CLR(i, &clients_);
      break;
    }
  }
  // For the calling thread and those it starts.
  void use_front_end() const { use(front_end_); }
  void use_clients() const { use(clients_); }
  void use_all() const { use(all_); }
  std::size_t client_threads() const {
    return pinned_ ? static_cast<std::size_t>(CPU_COUNT(&clients_)) : 1;
  }

 private:
  void use(const cpu_set_t& set) const {
    if (pinned_) static_cast<void>(::sched_setaffinity(0, sizeof(set), &set));
  }

  bool pinned_ = false;
  cpu_set_t all_{}, front_end_{}, clients_{};
};

std::string post_request(const boost::json::object& body) {
  const std::string text = boost::json::serialize(body);
  return "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n"
         "Content-Type: application/json\r\nAuthorization: Bearer none\r\nContent-Length: " +
         std::to_string(text.size()) + "\r\n\r\n" + text;
}

std::string chat_request(const HttpBenchOptions& options, bool stream) {
  std::string text = "Tell me about the hangars of large airships.";
  while (static_cast<std::int32_t>(text.size()) < options.prompt_bytes) text += " And then more.";
  text.resize(static_cast<std::size_t>(options.prompt_bytes));
  boost::json::object message;
  message["role"] = "user";
  message["content"] = text;
  boost::json::object body;
  body["model"] = kModelName;
  body["messages"] = boost::json::array{message};
  body["max_tokens"] = options.output_tokens;
  body["temperature"] = 0.7;
  body["stream"] = stream;
  return post_request(body);
}

struct Test {
  std::string name;
  std::string request;
  std::string must_hold;
};

HttpBenchResult summed(const Test& test, std::vector<Result<ClientLoopResult>>& parts) {
  HttpBenchResult result;
  result.test = test.name;
  std::vector<std::uint32_t> latencies_us;
  for (Result<ClientLoopResult>& part : parts) {
    if (!part) {
      ++result.errors;
      result.first_error = part.error().message;
      continue;
    }
    result.answers += part->answers;
    result.errors += part->errors;
    if (!part->first_error.empty()) result.first_error = part->first_error;
    result.clients_cpu_s += part->cpu_s;
    latencies_us.insert(latencies_us.end(), part->latencies_us.begin(), part->latencies_us.end());
  }
  if (latencies_us.empty()) return result;
  const auto at = [&](double share) {
    const auto index =
        static_cast<std::size_t>(share * static_cast<double>(latencies_us.size() - 1));
    const auto place = latencies_us.begin() + static_cast<std::ptrdiff_t>(index);
    std::nth_element(latencies_us.begin(), place, latencies_us.end());
    return static_cast<double>(*place) / 1000.0;
  };
  result.p50_ms = at(0.5);
  result.p99_ms = at(0.99);
  result.max_ms = at(1.0);
  return result;
}

HttpBenchResult run_test(const Test& test, std::uint16_t port, std::int32_t connections,
                         const Processors& processors, const HttpBenchOptions& options) {
  const auto threads_wanted =
      std::min<std::size_t>(processors.client_threads(), static_cast<std::size_t>(connections));
  std::atomic<bool> count{false}, stop{false};
  std::vector<Result<ClientLoopResult>> parts(threads_wanted, ClientLoopResult{});
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < threads_wanted; ++i) {
    threads.emplace_back([&, i] {
      processors.use_clients();
      ClientLoopOptions client;
      client.port = port;
      const auto share = static_cast<std::int32_t>(threads_wanted);
      client.connections =
          connections / share + (static_cast<std::int32_t>(i) < connections % share ? 1 : 0);
      client.request = test.request;
      client.must_hold = test.must_hold;
      parts[i] = run_client_loop(client, count, stop);
    });
  }
  sleep_s(options.warm_up_seconds);
  const double cpu_before_s = process_cpu_s();
  const std::int64_t begin_us = steady_now_us();
  count = true;
  sleep_s(options.seconds);
  const double cpu_s = process_cpu_s() - cpu_before_s;
  const std::int64_t end_us = steady_now_us();
  stop = true;
  for (std::thread& thread : threads) thread.join();
  HttpBenchResult result = summed(test, parts);
  result.connections = connections;
  result.seconds = static_cast<double>(end_us - begin_us) * 1e-6;
  result.front_end_cpu_s = std::max(cpu_s - result.clients_cpu_s, 0.0);
  return result;
}

}  // namespace

Result<std::unique_ptr<const Tokenizer>> make_byte_tokenizer() {
  TokenizerSpec spec;
  spec.model_name = "bytes";
  for (int byte = 0; byte < 256; ++byte) {
    const char character = static_cast<char>(byte);
    spec.tokens.push_back(spell_bytes({&character, 1}));
  }
  PreTokenizerSpec bytes;
  bytes.kind = PreTokenizerKind::kByteLevel;
  spec.pre_tokenizers.push_back(bytes);
  DecoderSpec decoder;
  decoder.kind = DecoderKind::kByteLevel;
  spec.decoders.push_back(decoder);
  return make_tokenizer(std::move(spec));
}

Result<ChatTemplates> make_chatml_templates() {
  const std::vector<ChatTemplateSource> sources{
      {"default",
       "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + "
       "message['content'] + '<|im_end|>' + '\n' }}{% endfor %}"
       "{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"}};
  return ChatTemplates::parse(sources);
}

Result<std::vector<HttpBenchResult>> run_http_bench(std::unique_ptr<const Tokenizer> tokenizer,
                                                    ChatTemplates templates,
                                                    const HttpBenchOptions& options) {
  const Processors processors(options.pin);
  // Threads that are started from here on are the front end's.
  processors.use_front_end();
  const std::vector<TokenId> answer =
      tokenizer->encode(" A hangar is a house for aircraft, wide and without pillars.",
                        {.add_special = false, .parse_special = false});
  const std::int32_t vocabulary = tokenizer->vocabulary();
  Gateway gateway;
  gateway.add(std::make_unique<ServedModel>(
      kModelName, std::move(tokenizer), std::move(templates),
      std::make_unique<InstantEngine>(answer, kContextTokens, vocabulary)));
  HttpServerOptions http;
  http.port = 0;
  HANGAR_TRY(const std::unique_ptr<HttpServer> server, HttpServer::listen(http, gateway));
  std::thread server_thread([&] { server->run(); });

  const std::vector<Test> tests{
      {"models", "GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "\"list\""},
      {"chat", chat_request(options, false), "\"finish_reason\":\"length\""},
      {"chat, streamed", chat_request(options, true), "data: [DONE]"}};
  std::vector<HttpBenchResult> results;
  for (const Test& test : tests) {
    for (const std::int32_t connections : options.connections) {
      results.push_back(run_test(test, server->port(), connections, processors, options));
    }
  }
  server->abort();
  server_thread.join();
  processors.use_all();
  return results;
}

}  // namespace hangar
