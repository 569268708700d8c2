// Gateway: what the HTTP door serves: the models by name, and whether it takes new requests.
//
// Promise: find(name) knows each model by its id. Names are added before serving starts.
// Errors: find: kNotFound with the names there are.
// Threads: add before serving; the rest from any thread.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "serve/served_model.h"

namespace hangar {

class Gateway {
 public:
  void add(std::unique_ptr<ServedModel> model) { models_.push_back(std::move(model)); }
  Result<ServedModel*> find(std::string_view name) const;
  const std::vector<std::unique_ptr<ServedModel>>& models() const { return models_; }
  // After drain() new generations are refused with kUnavailable.
  void drain();
  bool draining() const { return draining_.load(); }

 private:
  std::vector<std::unique_ptr<ServedModel>> models_;
  std::atomic<bool> draining_{false};
};

}  // namespace hangar
