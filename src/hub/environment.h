// What the environment says about hubs, by the variables of Hugging Face's own tools.
//
// Promise: HF_ENDPOINT; the token from HF_TOKEN, HUGGING_FACE_HUB_TOKEN or the file HF_TOKEN_PATH
//   (else $HF_HOME/token, else ~/.cache/huggingface/token), unless HF_HUB_DISABLE_IMPLICIT_TOKEN
//   says no; HF_HUB_OFFLINE; HF_HUB_DOWNLOAD_TIMEOUT in seconds. Proxies are libcurl's to read.
// Errors: kInvalidArgument for a timeout that is no number, kIo for a token file that is there but
//   cannot be read.
// Threads: pure but for reading the token's file. The token is never to be shown or logged.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "base/result.h"

namespace hangar::hub {

struct HubEnvironment {
  std::string endpoint = "https://huggingface.co";  // no '/' at its end
  std::string token;                                // "" for none
  bool offline = false;
  std::int64_t stall_us = 30'000'000;
};

Result<HubEnvironment> hub_environment(const std::map<std::string, std::string>& environment,
                                       const std::filesystem::path& home);
std::string without_slash(std::string endpoint);

}  // namespace hangar::hub
