#include "peer/channel/peer_availability.hpp"
#include "protocol/base/rng.hpp"
#include "tests/support/properties.hpp"

#include <set>

namespace ppsp::peer {
namespace {

constexpr std::uint64_t universe = 64;

/// The same promises, kept the slow way: one element per chunk.
class Model {
public:
    explicit Model(std::uint64_t window) : window_(window) {}
    void add(ChunkRange chunks)
    {
        for (auto id = to_number(chunks.first); id <= to_number(chunks.last); ++id) {
            ids_.insert(id);
        }
        std::uint64_t const newest = ids_.empty() ? 0 : *ids_.rbegin();
        std::erase_if(ids_, [&](std::uint64_t id) { return newest - id >= window_; });
    }
    [[nodiscard]] std::size_t count_in(ChunkRange part) const
    {
        return static_cast<std::size_t>(std::distance(ids_.lower_bound(to_number(part.first)),
                                                      ids_.upper_bound(to_number(part.last))));
    }
    [[nodiscard]] std::size_t size() const { return ids_.size(); }

private:
    std::uint64_t window_;
    std::set<std::uint64_t> ids_;
};

ChunkRange any_range()
{
    auto const a = *rc::gen::inRange<std::uint64_t>(0, universe);
    auto const b = *rc::gen::inRange<std::uint64_t>(0, universe);
    return {ChunkId{std::min(a, b)}, ChunkId{std::max(a, b)}};
}

RC_GTEST_PROP(PeerAvailabilityProperty, behaves_like_a_set_of_chunks_cut_to_the_window, ())
{
    auto const window = *rc::gen::oneOf(rc::gen::inRange<std::uint64_t>(0, universe),
                                        rc::gen::just(wire::discard_window_all));
    PeerAvailability has{window};
    Model model{window};
    int const steps = *rc::gen::inRange(0, 24);
    for (int i = 0; i < steps; ++i) {
        auto const announced = any_range();
        RC_ASSERT(has.add(announced));
        model.add(announced);
        RC_ASSERT(has.chunks().chunk_count() == model.size());
        RC_ASSERT(has.empty() == (model.size() == 0));
        auto const part = any_range();
        RC_ASSERT(has.has(part) == (model.count_in(part) == part.count()));
        RC_ASSERT(has.has_any(part) == (model.count_in(part) > 0));
    }
}

RC_GTEST_PROP(PeerAvailabilityProperty, never_holds_more_intervals_than_its_limit,
              (std::uint64_t window, std::uint64_t seed))
{
    Rng rng{seed};
    PeerAvailability has{window};
    std::uint64_t next = 0;
    for (int i = 0; i < 1200; ++i) {
        next += 1 + rng.below(4);
        bool const had_room = has.chunks().interval_count() < PeerAvailability::intervals_max;
        RC_ASSERT(has.add(single(ChunkId{next})) == had_room);
        RC_ASSERT(has.chunks().interval_count() <= PeerAvailability::intervals_max);
    }
}

} // namespace
} // namespace ppsp::peer
