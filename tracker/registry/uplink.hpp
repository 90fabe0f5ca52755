#pragma once

#include "protocol/base/time.hpp"

#include <algorithm>
#include <cstdint>

namespace ppsp::tracker {

/// What one receiver may vouch for, over all senders and however many receipts it writes, so that a
/// single accomplice cannot make a peer look like a data centre.
class ReceiptBudget {
public:
    /// In one report interval: 10 s of 20 Mbit/s.
    static constexpr std::uint64_t receipt_bytes_max = 25'000'000;

    /// As many of `bytes` as the receiver may still vouch for, if each counts `weight` times.
    [[nodiscard]] std::uint64_t take(TimePoint now, std::uint64_t bytes, double weight);

private:
    double left_ = receipt_bytes_max;
    TimePoint filled_;
};

/// Uplink that others testify to (design.md §5.7): what a peer says about itself decides nothing
/// as long as there are receipts.
class UplinkMeter {
public:
    UplinkMeter() = default;
    /// No receipt can cover a time before the peer became known.
    explicit UplinkMeter(TimePoint known_since) : since_(known_since) {}

    void add_receipt(TimePoint now, ReceiptBudget& receiver, std::uint64_t bytes);
    /// 0 = nobody testified yet. From the first receipt on a value that grows as further receivers
    /// report; after `measure_span` all have, and it is measured again and again.
    [[nodiscard]] std::uint32_t proven_kbps() const { return proven_kbps_; }
    /// Who has proven something is believed up to `belief_max` times as much on its word: a capable
    /// peer that nobody has fed yet could not prove what it can do. 0 without any proof.
    [[nodiscard]] std::uint32_t believable_kbps(std::uint32_t claimed_kbps) const
    {
        auto const most = std::uint64_t{proven_kbps_} * belief_max;
        return static_cast<std::uint32_t>(
            std::max<std::uint64_t>(proven_kbps_, std::min<std::uint64_t>(claimed_kbps, most)));
    }
    static constexpr std::uint32_t belief_max = 8;

private:
    std::uint64_t bytes_ = 0; ///< since `since_`
    TimePoint since_;
    std::uint32_t proven_kbps_ = 0;
    bool is_measured_ = false;
};

} // namespace ppsp::tracker
