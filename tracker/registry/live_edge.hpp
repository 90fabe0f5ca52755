#pragma once

#include "tracker/registry/holding.hpp"

#include <vector>

namespace ppsp::tracker {

/// Where a stream is, from what peers say they hold. A single liar must not move it: a claim
/// counts when a second claimant confirms it, or when nobody else claims anything.
class LiveEdge {
public:
    /// `claimant` names who cannot easily be two: an address, or on private networks a peer.
    void claim(std::uint64_t claimant, bool is_seeder, Holding const& holding);
    /// Forgets claims of those who went silent.
    void expire(TimePoint now, Duration age_max);

    [[nodiscard]] bool is_known() const { return best_.has_value(); }
    /// As reported, with the time since; nullopt if nobody reported.
    [[nodiscard]] std::optional<ppstp::LiveEdge> reported(TimePoint now) const;
    /// Newest chunk by now, assuming that the stream goes on at its measured speed.
    [[nodiscard]] std::optional<ChunkId> newest_at(TimePoint now) const;
    /// 0 until it could be measured, and for recordings.
    [[nodiscard]] double chunks_per_second() const { return chunks_per_second_; }

private:
    struct Claim {
        std::uint64_t claimant = 0;
        bool is_seeder = false;
        ChunkId newest{};
        std::uint32_t chunks_per_unit = 1;
        std::optional<ChunkId> random_access;
        TimePoint reported;
    };
    static constexpr std::size_t claims_max = 16;

    [[nodiscard]] ChunkId projected(Claim const& claim, TimePoint now) const;
    [[nodiscard]] bool is_confirmed(Claim const& claim, TimePoint now) const;
    [[nodiscard]] std::optional<Claim> choose(TimePoint now) const;
    void accept(std::optional<Claim> const& claim);
    void measure(Claim const& claim);

    std::vector<Claim> claims_; ///< at most claims_max
    std::optional<Claim> best_;
    std::optional<Claim> measured_from_;
    double chunks_per_second_ = 0;
};

} // namespace ppsp::tracker
