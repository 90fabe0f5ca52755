#include "tracker/select/choose.hpp"

#include "tracker/select/walk.hpp"

#include <algorithm>
#include <cmath>

namespace ppsp::tracker {
namespace {

/// Candidates looked at per place: enough to miss weak ones, few enough not to send everybody to
/// the same strong ones.
constexpr std::size_t candidates_per_place = 3;

/// Up to so many visible members per SEEDER each of them is told about it: a source that keeps 3
/// streams of uplink and a few dozen conversations can choose among these itself.
constexpr std::size_t members_per_seeder_max = 64;
/// Members that an asker is compared with in a larger swarm: enough to tell the upper tenth from
/// the middle, and a small part of what an answer costs.
constexpr std::size_t rank_sample = 32;
/// The upper decile of the sample may be told the source: what it sends first goes to those who
/// pass most on (design.md §5.1).
constexpr std::size_t rank_max = rank_sample / 10;

struct Families {
    bool v4 = false;
    bool v6 = false;
};

Families families_of(Peer const& peer)
{
    Families families;
    auto const note = [&](Endpoint const& endpoint) {
        (endpoint.is_v4() ? families.v4 : families.v6) = true;
    };
    note(peer.source);
    for (auto const& address : peer.addresses) {
        note(address.endpoint);
    }
    return families;
}

/// The next unit that the asker lacks, or for a newcomer where decoding can begin.
std::optional<ChunkId> wanted_chunk(Member const& asker, LiveEdge const& edge, TimePoint now)
{
    auto const newest = edge.newest_at(now);
    if (asker.holding && newest) {
        auto const next = asker.holding->newest_at(now, edge.chunks_per_second()) +
                          asker.holding->chunks_per_unit();
        return std::min(next, *newest);
    }
    auto const reported = edge.reported(now);
    return reported && reported->random_access ? reported->random_access : newest;
}

class Choice {
public:
    Choice(Registry const& registry, Asker const& asker, TimePoint now, Rng& rng)
        : registry_(registry), swarm_(registry.swarm(asker.swarm)), asker_(asker),
          self_(registry.peer(asker.peer)), families_(families_of(self_)), now_(now), rng_(rng)
    {
        for (auto const index : self_.memberships) {
            if (registry.member(index).swarm == asker.swarm) {
                wanted_ = wanted_chunk(registry.member(index), swarm_.edge, now);
            }
        }
        may_have_seeder_ = !is_seeder_scarce() || is_among_the_ablest();
    }

    [[nodiscard]] bool may_have_seeder() const { return may_have_seeder_; }

    void take_seeder()
    {
        auto const seeders = swarm_.tier(Tier::seeder);
        take_best(examine(seeders, candidates_per_place), 1);
    }

    void take_random(std::size_t count)
    {
        Walk walk(swarm_.visible_count(), rng_);
        auto const until = std::min(asker_.count, chosen_.size() + count);
        for (std::size_t steps = 4 * asker_.count + 16; steps > 0 && chosen_.size() < until;
             --steps) {
            auto const position = walk.next();
            if (!position) {
                break;
            }
            auto const member = swarm_.visible(*position);
            bool const is_kept_back =
                registry_.member(member).tier == Tier::seeder && !may_have_seeder_;
            if (!is_kept_back && is_usable(member)) {
                chosen_.push_back(member);
            }
        }
    }

    void take_able(std::size_t count)
    {
        std::vector<Scored> candidates;
        for (auto const tier : {Tier::near, Tier::mid, Tier::unknown, Tier::far}) {
            auto const wanted = candidates_per_place * count;
            if (candidates.size() < wanted) {
                auto const more = examine(swarm_.tier(tier), wanted - candidates.size());
                candidates.insert(candidates.end(), more.begin(), more.end());
            }
        }
        take_best(std::move(candidates), count);
    }

    [[nodiscard]] std::size_t missing() const { return asker_.count - chosen_.size(); }
    [[nodiscard]] bool is_empty() const { return chosen_.empty(); }

    [[nodiscard]] std::vector<ppstp::PeerInfo> infos() const
    {
        std::vector<ppstp::PeerInfo> infos;
        for (auto const member : chosen_) {
            append_infos(registry_.member(member), infos);
        }
        return infos;
    }

private:
    struct Scored {
        double score = 0;
        MemberIndex member{};
    };

    [[nodiscard]] bool is_seeder_scarce() const
    {
        auto const seeders = swarm_.tier(Tier::seeder).size();
        return seeders > 0 && swarm_.visible_count() > members_per_seeder_max * seeders;
    }

    /// Whether few of a sample upload more than the asker, as far as proven. Chance decides among
    /// equals, so that a source is told to some where nobody has proven anything yet.
    [[nodiscard]] bool is_among_the_ablest()
    {
        auto const own = self_.uplink.proven_kbps();
        std::size_t better = 0;
        std::size_t equal = 0;
        // Not a walk: its steps are even, and neighbours in the list may be alike.
        for (std::size_t i = 0; i < rank_sample; ++i) {
            auto const position = static_cast<std::size_t>(rng_.below(swarm_.visible_count()));
            auto const owner = registry_.member(swarm_.visible(position)).peer;
            auto const kbps = registry_.peer(owner).uplink.proven_kbps();
            better += kbps > own;
            equal += kbps == own && owner != asker_.peer;
        }
        return better + rng_.below(equal + 1) <= rank_max;
    }

    [[nodiscard]] bool is_reachable(Peer const& peer, ListedAddress const& address) const
    {
        bool const is_same_family = address.endpoint.is_v4() ? families_.v4 : families_.v6;
        if (!is_same_family) {
            return false;
        }
        if (address.is_local) {
            return peer.source.same_address(self_.source);
        }
        return !is_private(address.endpoint) || is_private(self_.source);
    }

    [[nodiscard]] bool is_usable(MemberIndex index)
    {
        auto const owner = registry_.member(index).peer;
        auto const& peer = registry_.peer(owner);
        if (owner == asker_.peer || peer.queue != Queue::active ||
            std::find(chosen_.begin(), chosen_.end(), index) != chosen_.end()) {
            return false;
        }
        return std::any_of(peer.addresses.begin(), peer.addresses.end(),
                           [&](auto const& address) { return is_reachable(peer, address); });
    }

    /// Looks at members of one tier until `count_max` usable ones are found, or twice as many seen.
    [[nodiscard]] std::vector<Scored> examine(std::span<MemberIndex const> tier,
                                              std::size_t count_max)
    {
        std::vector<Scored> found;
        Walk walk(tier.size(), rng_);
        for (std::size_t steps = 2 * count_max + 8; steps > 0 && found.size() < count_max;
             --steps) {
            auto const position = walk.next();
            if (!position) {
                break;
            }
            if (is_usable(tier[*position])) {
                found.push_back({score(registry_.member(tier[*position])), tier[*position]});
            }
        }
        return found;
    }

    [[nodiscard]] double score(Member const& member)
    {
        auto const& peer = registry_.peer(member.peer);
        bool const holds = wanted_ && member.holding &&
                           member.holding->holds(*wanted_, now_, swarm_.edge.chunks_per_second());
        auto const proven = peer.uplink.proven_kbps();
        // An unproven word counts for what a poor uplink would.
        auto const kbps = proven > 0 ? proven : std::min<std::uint32_t>(member.claimed_kbps, 1000);
        double const capacity = std::log2(1.0 + kbps / 500.0);
        double const slots = !member.has_status ? 0.5 : member.free_slots > 0 ? 1.0 : 0.0;
        return 4.0 * holds + std::min(capacity, 6.0) * 0.5 + 2.0 * slots + rng_.unit();
    }

    void take_best(std::vector<Scored> candidates, std::size_t count)
    {
        count = std::min({count, candidates.size(), missing()});
        std::partial_sort(candidates.begin(),
                          candidates.begin() + static_cast<std::ptrdiff_t>(count), candidates.end(),
                          [](Scored const& a, Scored const& b) { return a.score > b.score; });
        for (std::size_t i = 0; i < count; ++i) {
            chosen_.push_back(candidates[i].member);
        }
    }

    /// One address per family; an inside one where both are behind the same NAT.
    void append_infos(Member const& member, std::vector<ppstp::PeerInfo>& infos) const
    {
        Peer const& peer = registry_.peer(member.peer);
        for (bool const wants_v4 : {true, false}) {
            ListedAddress const* best = nullptr;
            for (auto const& address : peer.addresses) {
                bool const fits =
                    address.endpoint.is_v4() == wants_v4 && is_reachable(peer, address);
                if (fits && (best == nullptr || (address.is_local && !best->is_local))) {
                    best = &address;
                }
            }
            if (best != nullptr) {
                infos.push_back({*peer.id, best->to_peer_address(),
                                 peer.uplink.believable_kbps(member.claimed_kbps)});
            }
        }
    }

    Registry const& registry_;
    Swarm const& swarm_;
    Asker asker_;
    Peer const& self_;
    Families families_;
    TimePoint now_;
    Rng& rng_;
    std::optional<ChunkId> wanted_;
    bool may_have_seeder_ = false;
    std::vector<MemberIndex> chosen_;
};

} // namespace

std::vector<ppstp::PeerInfo> choose_peers(Registry const& registry, Asker const& asker,
                                          TimePoint now, Rng& rng)
{
    auto bounded = asker;
    bounded.count = std::min(asker.count, peer_count_max);
    Choice choice(registry, bounded, now, rng);
    if (bounded.count > 0) {
        if (choice.may_have_seeder()) {
            choice.take_seeder();
        }
        choice.take_random((bounded.count + 4) / 5);
        choice.take_able(choice.missing());
        choice.take_random(choice.missing()); // small swarms: whoever is left
        if (choice.is_empty()) {
            choice.take_seeder();
        }
    }
    return choice.infos();
}

} // namespace ppsp::tracker
