#pragma once

#include "protocol/base/time.hpp"

#include <array>
#include <cstdint>
#include <vector>

namespace ppsp::peer {

/// A neighbour as policies know it: the number of our channel to it.
enum class PeerKey : std::uint32_t {};

/// The stream is split by unit number into substreams that are subscribed to one by one
/// (design decision 5).
inline constexpr std::uint32_t substreams = 8;

/// Who gets new units pushed. Each place carries one substream to one child; who asks while all are
/// taken is told with a HAVE instead of DATA and finds another parent. A child that passes more on
/// takes the place of one that passes on less: contribution earns position (design decision 7).
class UploadSlots {
public:
    /// A child that got nothing for that long loses its place: three units of its substream.
    static constexpr Duration idle_max = std::chrono::milliseconds{1500};
    /// At most one child per that time loses its place to another.
    static constexpr Duration preemption_gap = std::chrono::milliseconds{700};
    /// How much more than a child somebody must pass on to take its place: places should not
    /// change hands over what a few receipts more or less say.
    static constexpr double preemption_gain = 2.0;
    /// Most places, whatever the uplink: what 60 neighbours can use.
    static constexpr std::uint32_t places_max = 60 * substreams;

    /// With `spread` places among equals go to different neighbours: a source's first copies.
    explicit UploadSlots(bool spread = false) : spread_(spread) {}

    /// Places over all substreams: uplink / rate of one substream.
    void set_budget(std::uint32_t places);
    [[nodiscard]] std::uint32_t budget() const { return budget_; }
    /// Whether a unit of the substream is pushed to `peer`; takes or keeps a place if so. `rank`
    /// says how much the peer passes on, in any unit.
    [[nodiscard]] bool admit(TimePoint now, PeerKey peer, std::uint32_t substream, double rank);
    /// Whether the neighbour has a place in the substream.
    [[nodiscard]] bool holds(PeerKey peer, std::uint64_t substream) const;
    /// Places of a substream at most: an equal share of all and, without `spread`, a quarter more.
    /// Many children of one substream wait for each other, few are hard to find when the others are
    /// full.
    [[nodiscard]] std::uint32_t limit(std::uint32_t substream) const;
    /// Places that a neighbour has over all substreams.
    [[nodiscard]] std::uint32_t places_of(PeerKey peer) const;
    void release(PeerKey peer);
    void release(PeerKey peer, std::uint32_t substream);
    [[nodiscard]] std::uint32_t free(TimePoint now) const;
    /// Whether somebody new would get a place in the substream.
    [[nodiscard]] bool has_free(TimePoint now, std::uint64_t substream);

private:
    struct Child {
        PeerKey peer;
        TimePoint used;
        double rank;
    };
    void forget_idle(TimePoint now);
    [[nodiscard]] std::uint32_t taken() const;
    bool preempt(TimePoint now, PeerKey peer, std::uint32_t substream, double rank);

    bool spread_;
    std::uint32_t budget_ = 4 * substreams;
    std::array<std::vector<Child>, substreams> children_;
    TimePoint last_preemption_{};
};

} // namespace ppsp::peer
