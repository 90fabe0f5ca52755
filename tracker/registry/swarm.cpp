#include "tracker/registry/swarm.hpp"

namespace ppsp::tracker {

void Swarm::add(Members& members, MemberIndex member, Tier tier)
{
    auto& list = tiers_[static_cast<std::size_t>(tier)];
    members[member].tier = tier;
    members[member].position = static_cast<std::uint32_t>(list.size());
    list.push_back(member);
    ++size_;
}

void Swarm::remove(Members& members, MemberIndex member)
{
    auto& list = tiers_[static_cast<std::size_t>(members[member].tier)];
    auto const position = members[member].position;
    list[position] = list.back();
    members[list[position]].position = position;
    list.pop_back();
    --size_;
}

void Swarm::move(Members& members, MemberIndex member, Tier tier)
{
    if (members[member].tier != tier) {
        remove(members, member);
        add(members, member, tier);
    }
}

std::size_t Swarm::visible_count() const
{
    return size_ - tiers_[static_cast<std::size_t>(Tier::hidden)].size();
}

MemberIndex Swarm::visible(std::size_t position) const
{
    for (auto const& list : tiers_) {
        if (position < list.size()) {
            return list[position];
        }
        position -= list.size();
    }
    PPSP_ASSERT(false); // position was not below visible_count()
}

} // namespace ppsp::tracker
