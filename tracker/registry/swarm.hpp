#pragma once

#include "tracker/registry/live_edge.hpp"
#include "tracker/registry/peer.hpp"
#include "tracker/registry/slab.hpp"

#include <array>
#include <span>

namespace ppsp::tracker {

using Members = Slab<Member, MemberIndex>;

/// The members of a swarm by tier. All changes are O(1): a removed member's place is taken by the
/// last of its tier.
class Swarm {
public:
    void add(Members& members, MemberIndex member, Tier tier);
    void remove(Members& members, MemberIndex member);
    void move(Members& members, MemberIndex member, Tier tier);

    [[nodiscard]] std::span<MemberIndex const> tier(Tier tier) const
    {
        return tiers_[static_cast<std::size_t>(tier)];
    }
    [[nodiscard]] std::size_t size() const { return size_; }
    /// Members that may be told to others.
    [[nodiscard]] std::size_t visible_count() const;
    /// The `position`th of those; tiers one after the other.
    [[nodiscard]] MemberIndex visible(std::size_t position) const;

    std::string const* id = nullptr; ///< lives in the registry's map
    LiveEdge edge;
    std::uint32_t seeder_count = 0; ///< hidden ones included

private:
    std::array<std::vector<MemberIndex>, tier_count> tiers_;
    std::size_t size_ = 0;
};

} // namespace ppsp::tracker
