// What a SampleRow does to logits before temperature, for backends that compute on the host.
//
// Promise: adjust_logits applies bias, repetition, presence and frequency penalties and bans, in
//   this order; ids outside the vocabulary are ignored. adjusts() is false where it would change
//   nothing.
// Threads: pure functions.
#pragma once

#include <span>

#include "backend/sampling.h"

namespace hangar {

bool adjusts(const SampleRow& row);
void adjust_logits(std::span<float> logits, const SampleRow& row);

}  // namespace hangar
