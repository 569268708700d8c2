#include "hub/http.h"

#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdlib>
#include <map>

#include "base/ascii.h"
#include "hub/curl_library.h"

namespace hangar::hub {
namespace {

constexpr int kMostRedirects = 10;
// Slower than this for stall_us is standing still.
constexpr long kSlowestBytesPerSecond = 512;
constexpr long kBufferBytes = 256L << 10U;

// Only what make_http_client made calls this: by then the library is here.
const CurlLibrary& curl() {
  return *curl_library();
}

struct UrlHandle {
  CURLU* url = curl().url();
  UrlHandle() = default;
  ~UrlHandle() { curl().url_cleanup(url); }
  UrlHandle(const UrlHandle&) = delete;
  UrlHandle& operator=(const UrlHandle&) = delete;
};

std::string url_part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl().url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return "";
  std::string out(text);
  curl().free(text);
  return out;
}

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}

// A program carried to another system may have been built to look elsewhere for certificates.
std::string certificate_file() {
  for (const char* name : {"CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}) {
    const char* value = std::getenv(name);
    if (value != nullptr && value[0] != '\0') return value;
  }
  constexpr std::array<const char*, 4> kUsual = {"/etc/ssl/certs/ca-certificates.crt",
                                                 "/etc/pki/tls/certs/ca-bundle.crt",
                                                 "/etc/ssl/ca-bundle.pem", "/etc/ssl/cert.pem"};
  for (const char* path : kUsual) {
    struct stat info{};
    if (::stat(path, &info) == 0) return path;
  }
  return "";
}

HttpEnd end_of(CURLcode code) {
  switch (code) {
    case CURLE_OK:
      return HttpEnd::kComplete;
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
      return HttpEnd::kUnreachable;
    case CURLE_OPERATION_TIMEDOUT:
      return HttpEnd::kStalled;
    case CURLE_WRITE_ERROR:
      return HttpEnd::kSinkStopped;
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_OUT_OF_MEMORY:
      return HttpEnd::kRefused;
    default:
      return HttpEnd::kBroken;
  }
}

// One request through all its redirects.
struct Transfer {
  CURL* easy = nullptr;
  HttpSink* sink = nullptr;
  curl_slist* headers = nullptr;
  HttpRequest request;
  std::string url;
  HttpHead head;
  int redirects = 0;
  bool head_given = false;
  bool redirecting = false;
  std::array<char, CURL_ERROR_SIZE> words{};

  Transfer() = default;
  ~Transfer() {
    if (easy != nullptr) curl().easy_cleanup(easy);
    curl().slist_free_all(headers);
  }
  Transfer(const Transfer&) = delete;
  Transfer& operator=(const Transfer&) = delete;

  void take_header(std::string_view line);
  bool give_head();
};

void Transfer::take_header(std::string_view line) {
  if (line.starts_with("HTTP/")) {
    // A new answer (after "100 Continue", a proxy's own, or a redirect).
    head.content_bytes = -1;
    head.etag.clear();
    head.content_range.clear();
    head.link.clear();
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  const std::string name = ascii_lower(line.substr(0, colon));
  const std::string value(trimmed(line.substr(colon + 1)));
  if (name == "etag") head.etag = value;
  if (name == "content-range") head.content_range = value;
  if (name == "link") head.link = value;
  if (name == "x-repo-commit") head.repo_commit = value;
  if (name == "x-linked-size") head.linked_size = value;
  if (name == "x-error-code") head.error_code = value;
  if (name == "x-error-message") head.error_message = value;
}

bool Transfer::give_head() {
  if (head_given) return true;
  head_given = true;
  long status = 0;
  curl().easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
  curl_off_t length = -1;
  curl().easy_getinfo(easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  curl_off_t wait_s = 0;
  curl().easy_getinfo(easy, CURLINFO_RETRY_AFTER, &wait_s);
  head.status = static_cast<int>(status);
  head.content_bytes = length;
  head.retry_after_us = std::clamp<std::int64_t>(wait_s, 0, 1'000'000'000) * 1'000'000;
  redirecting = status >= 300 && status < 400 && status != 304;
  return redirecting || sink->head(head);
}

std::size_t on_header(char* data, std::size_t size, std::size_t count, void* user) {
  static_cast<Transfer*>(user)->take_header({data, size * count});
  return size * count;
}

std::size_t on_body(char* data, std::size_t size, std::size_t count, void* user) {
  auto& transfer = *static_cast<Transfer*>(user);
  const std::size_t bytes = size * count;
  if (!transfer.give_head()) return 0;
  if (transfer.redirecting) return bytes;
  return transfer.sink->body({data, bytes}) ? bytes : 0;
}

class CurlClient : public HttpClient {
 public:
  CurlClient(HttpOptions options, CURLM* multi)
      : options_(std::move(options)), certificates_(certificate_file()), multi_(multi) {}
  ~CurlClient() override {
    for (auto& [easy, transfer] : running_) curl().multi_remove_handle(multi_, easy);
    running_.clear();
    curl().multi_cleanup(multi_);
  }

  Status start(const HttpRequest& request, HttpSink& sink) override {
    auto transfer = std::make_unique<Transfer>();
    transfer->request = request;
    transfer->url = request.url;
    transfer->sink = &sink;
    return launch(std::move(transfer));
  }

  void cancel(HttpSink& sink) override {
    std::erase_if(running_, [&](const auto& entry) {
      if (entry.second->sink != &sink) return false;
      curl().multi_remove_handle(multi_, entry.first);
      return true;
    });
  }

  Status step(std::int64_t wait_us) override {
    int left = 0;
    if (const CURLMcode code = curl().multi_perform(multi_, &left); code != CURLM_OK) {
      return make_error(ErrorCode::kInternal, "libcurl: {}", curl().multi_strerror(code));
    }
    if (finish_ended() > 0) return {};
    const auto wait_ms = static_cast<int>(std::clamp<std::int64_t>(wait_us / 1000, 1, 1000));
    curl().multi_poll(multi_, nullptr, 0, wait_ms, nullptr);
    return {};
  }

 private:
  Status launch(std::unique_ptr<Transfer> transfer) {
    transfer->easy = curl().easy_init();
    if (transfer->easy == nullptr) return make_error(ErrorCode::kInternal, "libcurl: no handle");
    const bool own = same_origin(transfer->url, options_.endpoint);
    transfer->head.from_endpoint = own;
    for (const std::string& header : transfer->request.headers) {
      transfer->headers = curl().slist_append(transfer->headers, header.c_str());
    }
    if (own && !options_.token.empty()) {
      transfer->headers = curl().slist_append(transfer->headers,
                                              ("Authorization: Bearer " + options_.token).c_str());
    }
    set_options(*transfer);
    CURL* easy = transfer->easy;
    if (const CURLMcode code = curl().multi_add_handle(multi_, easy); code != CURLM_OK) {
      return make_error(ErrorCode::kInternal, "libcurl: {}", curl().multi_strerror(code));
    }
    running_.emplace(easy, std::move(transfer));
    return {};
  }

  void set_options(Transfer& transfer) const {
    CURL* easy = transfer.easy;
    curl().easy_setopt(easy, CURLOPT_URL, transfer.url.c_str());
    curl().easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
    curl().easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
    curl().easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L);  // by hand: see next_hop
    curl().easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl().easy_setopt(easy, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
    curl().easy_setopt(easy, CURLOPT_USERAGENT, options_.user_agent.c_str());
    curl().easy_setopt(easy, CURLOPT_HTTPHEADER, transfer.headers);
    // To the proxy only what is for it.
    curl().easy_setopt(easy, CURLOPT_HEADEROPT, static_cast<long>(CURLHEADER_SEPARATE));
    curl().easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
    curl().easy_setopt(easy, CURLOPT_BUFFERSIZE, kBufferBytes);
    curl().easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
    curl().easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
                       static_cast<long>(options_.connect_us / 1000));
    curl().easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, kSlowestBytesPerSecond);
    curl().easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                       std::max(1L, static_cast<long>(options_.stall_us / 1'000'000)));
    if (!certificates_.empty()) curl().easy_setopt(easy, CURLOPT_CAINFO, certificates_.c_str());
    curl().easy_setopt(easy, CURLOPT_ERRORBUFFER, transfer.words.data());
    curl().easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
    curl().easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
    curl().easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
    curl().easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  }

  int finish_ended() {
    int finished = 0;
    int left = 0;
    while (const CURLMsg* message = curl().multi_info_read(multi_, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      const auto found = running_.find(message->easy_handle);
      curl().multi_remove_handle(multi_, message->easy_handle);
      std::unique_ptr<Transfer> transfer = std::move(found->second);
      running_.erase(found);
      ++finished;
      finish(std::move(transfer), code);
    }
    return finished;
  }

  void finish(std::unique_ptr<Transfer> transfer, CURLcode code) {
    HttpSink& sink = *transfer->sink;
    if (code == CURLE_OK && !transfer->give_head()) code = CURLE_WRITE_ERROR;
    if (code != CURLE_OK) {
      const char* words =
          transfer->words[0] != '\0' ? transfer->words.data() : curl().easy_strerror(code);
      sink.end({end_of(code), fmt::format("{}: {}", shown_url(transfer->url), words)});
      return;
    }
    if (!transfer->redirecting) {
      sink.end({HttpEnd::kComplete, ""});
      return;
    }
    const std::string from = shown_url(transfer->url);
    if (const Status followed = next_hop(std::move(transfer)); !followed) {
      sink.end({HttpEnd::kRefused, fmt::format("{}: {}", from, followed.error().message)});
    }
  }

  Status next_hop(std::unique_ptr<Transfer> old) {
    const char* target = nullptr;
    curl().easy_getinfo(old->easy, CURLINFO_REDIRECT_URL, &target);
    if (target == nullptr) {
      return make_error(ErrorCode::kUnavailable, "status {} without a place to go to",
                        old->head.status);
    }
    if (old->redirects >= kMostRedirects) {
      return make_error(ErrorCode::kUnavailable, "more than {} redirects", kMostRedirects);
    }
    if (ascii_lower(old->url).starts_with("https:") && !ascii_lower(target).starts_with("https:")) {
      return make_error(ErrorCode::kUnavailable, "a redirect from https to {} is not followed",
                        shown_url(target));
    }
    auto next = std::make_unique<Transfer>();
    next->request = std::move(old->request);
    next->sink = old->sink;
    next->url = target;
    next->redirects = old->redirects + 1;
    next->head.repo_commit = std::move(old->head.repo_commit);
    next->head.linked_size = std::move(old->head.linked_size);
    return launch(std::move(next));
  }

  HttpOptions options_;
  std::string certificates_;
  CURLM* multi_;
  std::map<CURL*, std::unique_ptr<Transfer>> running_;
};

Status check_options(const HttpOptions& options) {
  const UrlHandle url;
  const std::string scheme =
      curl().url_set(url.url, CURLUPART_URL, options.endpoint.c_str(), 0) == CURLUE_OK
          ? ascii_lower(url_part(url.url, CURLUPART_SCHEME))
          : "";
  if (scheme != "http" && scheme != "https") {
    return make_error(ErrorCode::kInvalidArgument,
                      "endpoint '{}': must be a URL such as https://huggingface.co",
                      shown_url(options.endpoint));
  }
  if (std::any_of(options.token.begin(), options.token.end(),
                  [](char c) { return c <= 0x20 || c > 0x7e; })) {
    return make_error(ErrorCode::kInvalidArgument,
                      "the hub's token (HF_TOKEN) holds spaces or other characters that no token "
                      "has");
  }
  return {};
}

}  // namespace

bool same_origin(const std::string& a, const std::string& b) {
  if (!curl_library()) return false;
  const UrlHandle left;
  const UrlHandle right;
  if (curl().url_set(left.url, CURLUPART_URL, a.c_str(), 0) != CURLUE_OK ||
      curl().url_set(right.url, CURLUPART_URL, b.c_str(), 0) != CURLUE_OK) {
    return false;
  }
  const auto origin = [](CURLU* url) {
    return ascii_lower(url_part(url, CURLUPART_SCHEME)) + "://" +
           ascii_lower(url_part(url, CURLUPART_HOST)) + ":" +
           url_part(url, CURLUPART_PORT, CURLU_DEFAULT_PORT);
  };
  return origin(left.url) == origin(right.url);
}

std::string shown_url(const std::string& text) {
  if (!curl_library()) return text.substr(0, text.find_first_of("?#@"));
  const UrlHandle url;
  if (curl().url_set(url.url, CURLUPART_URL, text.c_str(), 0) != CURLUE_OK) {
    return text.substr(0, text.find_first_of("?#@"));
  }
  for (const CURLUPart part : {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS,
                               CURLUPART_QUERY, CURLUPART_FRAGMENT}) {
    curl().url_set(url.url, part, nullptr, 0);
  }
  return url_part(url.url, CURLUPART_URL);
}

std::string url_encoded(std::string_view text, bool keep_slashes) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte < 0x80 && std::isalnum(byte) != 0) ||
                       std::string_view("-._~").find(c) != std::string_view::npos ||
                       (keep_slashes && c == '/');
    if (plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", byte);
    }
  }
  return out;
}

Result<std::unique_ptr<HttpClient>> make_http_client(HttpOptions options) {
  if (!curl_library()) return tl::unexpected<Error>(curl_library().error());
  HANGAR_CHECK_OK(check_options(options));
  CURLM* multi = curl().multi_init();
  if (multi == nullptr) return make_error(ErrorCode::kInternal, "libcurl: no multi handle");
  return std::make_unique<CurlClient>(std::move(options), multi);
}

}  // namespace hangar::hub
