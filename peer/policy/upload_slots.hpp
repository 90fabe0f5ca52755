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

/// Who gets new units pushed. Each substream has a few children; who asks while its places are
/// taken is told with a HAVE instead of DATA and finds another parent.
class UploadSlots {
public:
    /// A child that asked for nothing for that long loses its place.
    static constexpr Duration idle_max = std::chrono::seconds{2};
    /// At most one child per that time loses its place to a poorer one.
    static constexpr Duration preemption_gap = std::chrono::milliseconds{500};

    explicit UploadSlots(std::uint32_t children_per_unit_max)
        : children_max_(children_per_unit_max), budget_(children_per_unit_max * substreams)
    {}

    /// Places over all substreams: uplink / rate of one substream.
    void set_budget(std::uint32_t places);
    /// Whether a unit of the substream is pushed to `peer`; takes or keeps a place if so.
    [[nodiscard]] bool admit(TimePoint now, PeerKey peer, std::uint32_t substream);
    /// Whether the neighbour has a place in the substream.
    [[nodiscard]] bool holds(PeerKey peer, std::uint32_t substream) const;
    /// Places of a substream.
    [[nodiscard]] std::uint32_t limit(std::uint32_t substream) const;
    /// Places that a neighbour has over all substreams.
    [[nodiscard]] std::uint32_t places_of(PeerKey peer) const;
    void release(PeerKey peer);
    [[nodiscard]] std::uint32_t free(TimePoint now) const;

private:
    struct Child {
        PeerKey peer;
        TimePoint used;
    };
    void forget_idle(TimePoint now, std::uint32_t substream);
    bool preempt(TimePoint now, PeerKey peer, std::uint32_t substream);

    std::uint32_t children_max_;
    std::uint32_t budget_;
    std::array<std::vector<Child>, substreams> children_;
    TimePoint last_preemption_{};
};

} // namespace ppsp::peer
