#pragma once

#include "protocol/base/time.hpp"

#include <cstdint>

namespace ppsp::tracker {

/// Uplink that others testify to (design.md §5.7): what a peer says about itself decides nothing
/// as long as there are receipts.
class UplinkMeter {
public:
    /// One receiver vouches for at most this much in one report, so that a single accomplice
    /// cannot make a peer look like a data centre: 10 s of 20 Mbit/s.
    static constexpr std::uint64_t receipt_bytes_max = 25'000'000;

    void add_receipt(TimePoint now, std::uint64_t bytes);
    /// 0 = nobody testified yet.
    [[nodiscard]] std::uint32_t proven_kbps() const { return proven_kbps_; }

private:
    std::uint64_t bytes_ = 0;
    TimePoint since_;
    std::uint32_t proven_kbps_ = 0;
    bool is_started_ = false;
};

} // namespace ppsp::tracker
