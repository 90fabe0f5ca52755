#pragma once

#include "protocol/base/endpoint.hpp"
#include "protocol/base/time.hpp"

#include <cstdint>
#include <vector>

namespace ppsp::tracker {

/// Lets `rate` requests a second through, and a burst of two seconds' worth.
class TokenBucket {
public:
    [[nodiscard]] bool take(TimePoint now, double rate);
    [[nodiscard]] TimePoint used() const { return used_; }

private:
    TimePoint used_;
    float tokens_ = 0;
    bool is_new_ = true;
};

/// One bucket per address, IPv6 by /64 since a host has that many addresses. The table has a fixed
/// size: where a set of four is full, the one that was used least lately is forgotten, so that a
/// flood from many addresses costs no memory and neither locks anybody out.
class AddressRateLimit {
public:
    AddressRateLimit(double rate, std::size_t addresses_max);

    [[nodiscard]] bool take(TimePoint now, Endpoint const& from);

private:
    struct Slot {
        std::uint64_t key = 0; ///< 0 = free
        TokenBucket bucket;
    };
    static constexpr std::size_t ways = 4;

    double rate_;
    std::vector<Slot> slots_;
};

/// The part of an address that one host owns: all of an IPv4 address, the /64 of an IPv6 one.
[[nodiscard]] std::uint64_t address_key(Endpoint const& endpoint);

} // namespace ppsp::tracker
