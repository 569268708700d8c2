// llama_logits: llama.cpp's own logits for given token ids, so that make_golden.py can measure how
// far llama.cpp stands from the reference on the same prompts. Linked against the peer that
// bench/peers/llama_cpp.sh builds; no part of Hangar.
//
// usage: llama_logits MODEL THREADS < requests > logits
// A request is one line, "id id id | position position": the prompt is computed in one batch, and
// for
// each position the vocabulary's logits are written as raw float32. A line "text ..." (with \n and
// \\ escaped) is tokenized instead and its ids are written as int32 after their count.
#include <llama.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace {

std::string unescaped(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) {
      ++i;
      out += text[i] == 'n' ? '\n' : text[i];
    } else {
      out += text[i];
    }
  }
  return out;
}

void write_ids(const llama_vocab* vocab, const std::string& text) {
  std::vector<llama_token> ids(text.size() + 8);
  const std::int32_t n =
      llama_tokenize(vocab, text.data(), static_cast<std::int32_t>(text.size()), ids.data(),
                     static_cast<std::int32_t>(ids.size()), false, true);
  if (n < 0) std::exit(4);
  std::fwrite(&n, sizeof(n), 1, stdout);
  std::fwrite(ids.data(), sizeof(llama_token), static_cast<std::size_t>(n), stdout);
}

void write_logits(llama_context* context, int vocabulary, const std::string& line) {
  const std::size_t bar = line.find('|');
  std::istringstream ids_text(line.substr(0, bar));
  std::istringstream positions_text(line.substr(bar + 1));
  std::vector<llama_token> ids;
  for (llama_token id = 0; ids_text >> id;) ids.push_back(id);
  std::set<int> positions;
  for (int position = 0; positions_text >> position;) positions.insert(position);

  llama_memory_clear(llama_get_memory(context), true);
  llama_batch batch = llama_batch_init(static_cast<std::int32_t>(ids.size()), 0, 1);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    batch.token[i] = ids[i];
    batch.pos[i] = static_cast<llama_pos>(i);
    batch.n_seq_id[i] = 1;
    batch.seq_id[i][0] = 0;
    batch.logits[i] = positions.count(static_cast<int>(i)) != 0 ? 1 : 0;
  }
  batch.n_tokens = static_cast<std::int32_t>(ids.size());
  if (llama_decode(context, batch) != 0) std::exit(5);
  for (const int position : positions) {
    std::fwrite(llama_get_logits_ith(context, position), sizeof(float),
                static_cast<std::size_t>(vocabulary), stdout);
  }
  llama_batch_free(batch);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  llama_log_set([](ggml_log_level, const char*, void*) {}, nullptr);
  llama_backend_init();
  llama_model* model = llama_model_load_from_file(argv[1], llama_model_default_params());
  if (model == nullptr) return 3;
  llama_context_params params = llama_context_default_params();
  params.n_ctx = 1024;
  params.n_batch = 1024;
  params.n_threads = std::atoi(argv[2]);
  params.n_threads_batch = params.n_threads;
  llama_context* context = llama_init_from_model(model, params);
  const llama_vocab* vocab = llama_model_get_vocab(model);
  for (std::string line; std::getline(std::cin, line);) {
    if (line.rfind("text ", 0) == 0) {
      write_ids(vocab, unescaped(line.substr(5)));
    } else {
      write_logits(context, llama_vocab_n_tokens(vocab), line);
    }
  }
  std::fflush(stdout);
  llama_free(context);
  llama_model_free(model);
  return 0;
}
