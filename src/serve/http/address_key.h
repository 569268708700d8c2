// AddressKey: what counts as one client address: an IPv4 address, or an IPv6 network of 64 bits,
// since a client has all of that to choose from.
//
// Promise: equal for equal addresses, also for an IPv4 one mapped into IPv6.
// Threads: values.
#pragma once

#include <boost/asio/ip/address.hpp>
#include <cstdint>

namespace hangar {

using AddressKey = std::uint64_t;

inline AddressKey address_key(const boost::asio::ip::address& address) {
  namespace ip = boost::asio::ip;
  // Marked by a prefix that no IPv6 client has (::/8 is reserved).
  const auto of_v4 = [](const ip::address_v4& v4) { return (AddressKey{1} << 32U) | v4.to_uint(); };
  if (address.is_v4()) return of_v4(address.to_v4());
  const ip::address_v6 v6 = address.to_v6();
  if (v6.is_v4_mapped()) return of_v4(ip::make_address_v4(ip::v4_mapped, v6));
  AddressKey key = 0;
  const ip::address_v6::bytes_type bytes = v6.to_bytes();
  for (std::size_t i = 0; i < 8; ++i) key = (key << 8U) | bytes[i];
  return key;
}

}  // namespace hangar
