// BlockCopy: one KV block's keys and values, all layers, to another block. Here because sched/, kv/
// and backend/ all speak of it and model/ must see none of the first two.
//
// Promise: of a list of copies each is made after the ones before it.
// Threads: values.
#pragma once

#include <cstdint>

namespace hangar {

struct BlockCopy {
  std::int32_t from = 0;
  std::int32_t to = 0;
};

}  // namespace hangar
