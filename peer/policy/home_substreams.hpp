#pragma once

#include "peer/policy/substream.hpp"
#include "protocol/base/rng.hpp"
#include "protocol/base/time.hpp"

#include <array>
#include <cstdint>

namespace ppsp::peer {

/// The substreams that a node passes on: a few of its own, and all of them to many children.
///
/// A node with places for f children in one substream makes a tree flatter than one with a place or
/// two in each: a viewer has fewer ancestors in each substream, so that it gets units sooner and
/// loses less when somebody leaves (interior nodes of one tree are leaves of the others:
/// SplitStream, Castro et al., SOSP 2003). Too few substreams are no good either: with h of them
/// the last of f children gets a unit 1/h of the time between two units of a substream after the
/// first one.
///
/// Which ones is drawn by each node for itself; places that stay free there are for all, so that
/// demand decides in the end. Who gets nothing of a home has nothing to pass on: the home moves.
/// What the source itself pushes is at home, as far as there are two places for each: a unit of
/// which it gives three copies goes nowhere if those who get them mean to pass others on.
class HomeSubstreams {
public:
    /// Homes of a node: that times the root of its places. 4 places 1, 8 places 2, 42 places 4.
    static constexpr double per_root = 0.62;
    /// So much more than an equal share one of them may have: demand is not equal.
    static constexpr double slack = 1.25;
    /// Places that stayed free for that long go to another substream.
    static constexpr Duration review_gap = std::chrono::seconds{1};
    /// A home of which nothing came for that long moves to a substream that comes. Longer than a
    /// branch usually takes to find another parent: if all left a substream that its source lost
    /// for a moment, nobody would pass it on when it is back.
    static constexpr Duration barren_max = std::chrono::seconds{3};

    /// All substreams are at home: the share of each is the same.
    HomeSubstreams();
    explicit HomeSubstreams(Rng rng);

    /// How many places there are, and how many neighbours that could each use one of a substream:
    /// where those are few, more substreams are needed to use all places.
    void set(std::uint32_t places, std::size_t neighbours);
    /// Which substreams somebody pushes to us, all while nothing was said, and which of them the
    /// source does.
    void note_fed(TimePoint now, SubstreamSet fed, SubstreamSet firsthand);
    /// Once in a while; `taken` = places in use. A home that brings nothing moves. Another
    /// substream is opened while places stay free, of those that come the one that was asked for
    /// most in vain; the last one is closed to newcomers when none is.
    void review(TimePoint now, std::uint32_t taken);
    void note_refused(std::uint32_t substream) { refused_[substream] += 1; }
    [[nodiscard]] bool contains(std::uint32_t substream) const;
    /// Most places of the substream; 0 while it is not open.
    [[nodiscard]] std::uint32_t limit(std::uint32_t substream) const;
    [[nodiscard]] std::uint32_t count() const { return homes_; }

private:
    using Order = std::array<std::uint32_t, substreams>;
    void resize();
    void take_firsthand();
    void leave_barren(TimePoint now);
    [[nodiscard]] Order::iterator most_wanted(Order::iterator first);

    Order order_{};
    std::array<double, substreams> refused_{}; ///< lately
    SubstreamSet fed_ = SubstreamSet{}.set();
    SubstreamSet firsthand_;
    std::array<TimePoint, substreams> barren_since_{}; ///< of those that are not fed
    std::uint32_t homes_by_places_ = substreams;
    std::uint32_t homes_ = substreams; ///< the first ones of `order_`
    std::uint32_t extra_ = 0;          ///< open beside them
    std::uint32_t places_ = 0;
    TimePoint full_at_{};
    TimePoint reviewed_{};
};

} // namespace ppsp::peer
