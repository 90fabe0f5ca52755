#pragma once

#include "peer/policy/home_substreams.hpp"
#include "peer/policy/substream.hpp"
#include "protocol/base/time.hpp"

#include <array>
#include <cstdint>
#include <utility>
#include <vector>

namespace ppsp::peer {

/// Who gets new units pushed. Each place carries one substream to one child; who asks while all are
/// taken is told with a HAVE instead of DATA and finds another parent. A child that passes more on
/// takes the place of one that passes on less: contribution earns position (design decision 7).
class UploadSlots {
public:
    /// A child that got nothing for that long loses its place: three units of its substream.
    static constexpr Duration idle_max = std::chrono::milliseconds{1500};
    /// At most one child per that time loses its place to one that passes more on. It is short
    /// because it decides how fast a swarm comes together: in the first seconds nobody has proven
    /// anything, and who came first holds the places.
    static constexpr Duration preemption_gap = std::chrono::milliseconds{100};
    /// And so often a source spreads its places over equals, for which there is no hurry.
    static constexpr Duration spread_gap = std::chrono::milliseconds{700};
    /// A child that lost its place is served on for that long, three units of its substream: it
    /// finds another parent before it misses anything, and so do those behind it.
    static constexpr Duration grace = std::chrono::milliseconds{1300};
    /// How much more than a child somebody must pass on to take its place: places should not
    /// change hands over what a few receipts more or less say.
    static constexpr double preemption_gain = 3.0;
    /// Most places, whatever the uplink: what 60 neighbours can use.
    static constexpr std::uint32_t places_max = 60 * substreams;
    /// Children without a place that are still served: the longest one gives way.
    static constexpr std::size_t leavers_max = 64;

    /// Those of a source: equally many in all substreams, and among equals they go to different
    /// neighbours, for the sake of first copies.
    [[nodiscard]] static UploadSlots of_source() { return UploadSlots{{}, true}; }
    explicit UploadSlots(HomeSubstreams const& homes) : UploadSlots(homes, false) {}

    /// Places over all substreams: uplink / rate of one substream; `neighbours` could use them.
    void set_budget(TimePoint now, std::uint32_t places, std::size_t neighbours);
    [[nodiscard]] std::uint32_t budget() const { return budget_; }
    /// Whether a unit of the substream is pushed to `peer`; takes or keeps a place if so. `rank`
    /// says how much the peer passes on, in any unit.
    [[nodiscard]] bool admit(TimePoint now, PeerKey peer, std::uint32_t substream, double rank);
    /// Whether the neighbour has a place in the substream.
    [[nodiscard]] bool holds(PeerKey peer, std::uint64_t substream) const;
    /// Whether it is served: it has a place, or lost it less than `grace` ago.
    [[nodiscard]] bool serves(TimePoint now, PeerKey peer, std::uint64_t substream) const;
    /// The same in any substream.
    [[nodiscard]] bool serves(TimePoint now, PeerKey peer) const;
    /// Places of a substream at most: of a source an equal share, else as its homes say.
    [[nodiscard]] std::uint32_t limit(std::uint32_t substream) const;
    /// Whether the node means to pass the substream on: a source does that with all.
    [[nodiscard]] bool passes_on(std::uint32_t substream) const;
    /// Which substreams come to us, only those can be passed on; and which of them from the source.
    void note_fed(TimePoint now, SubstreamSet fed, SubstreamSet firsthand)
    {
        homes_.note_fed(now, fed, firsthand);
    }
    /// Somebody asked in vain.
    void note_refused(std::uint32_t substream) { homes_.note_refused(substream); }
    /// Places that a neighbour has over all substreams.
    [[nodiscard]] std::uint32_t places_of(PeerKey peer) const;
    /// Who lost a place since the last call, to be told at once.
    struct Notice {
        PeerKey peer;
        std::uint32_t substream;
    };
    [[nodiscard]] std::vector<Notice> take_notices() { return std::exchange(notices_, {}); }
    void release(PeerKey peer);
    void release(PeerKey peer, std::uint32_t substream);
    [[nodiscard]] std::uint32_t free(TimePoint now) const;
    /// How many others would get a place in the substream.
    [[nodiscard]] std::uint32_t room(TimePoint now, std::uint32_t substream);

private:
    UploadSlots(HomeSubstreams const& homes, bool spread) : spread_(spread), homes_(homes)
    {
        homes_.set(budget_, 0);
    }

    struct Child {
        PeerKey peer;
        TimePoint used;
        double rank;
    };
    /// A child without a place that is still served.
    struct Leaver {
        PeerKey peer;
        std::uint32_t substream;
        TimePoint until;
    };
    void forget_idle(TimePoint now);
    void give_notice(TimePoint now, PeerKey peer, std::uint32_t substream);
    [[nodiscard]] bool leaves(TimePoint now, PeerKey peer, std::uint64_t substream) const;
    [[nodiscard]] std::uint32_t taken() const;
    bool preempt(TimePoint now, PeerKey peer, std::uint32_t substream, double rank);

    bool spread_;
    HomeSubstreams homes_;
    std::uint32_t budget_ = 4 * substreams;
    std::array<std::vector<Child>, substreams> children_;
    std::vector<Leaver> leavers_;
    std::vector<Notice> notices_;
    TimePoint last_preemption_{};
};

} // namespace ppsp::peer
