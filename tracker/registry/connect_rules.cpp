#include "tracker/registry/connect_rules.hpp"

#include <algorithm>

namespace ppsp::tracker {
namespace {

using ppstp::Action;
using ppstp::PeerMode;
using ppstp::SwarmAction;

/// Follows the memberships while actions are judged one by one.
class Judge {
public:
    Judge(PeerState state, std::span<Membership const> memberships, Limits const& limits)
        : state_(state), memberships_(memberships.begin(), memberships.end()), limits_(limits)
    {}

    /// Empty = allowed.
    std::string_view leave(SwarmAction const& action)
    {
        auto const found = find(action.swarm_id);
        if (found == memberships_.end()) {
            return "LEAVE of a swarm that the peer is not in";
        }
        memberships_.erase(found);
        return {};
    }

    std::string_view join(SwarmAction const& action)
    {
        auto const found = find(action.swarm_id);
        if (found != memberships_.end()) {
            found->mode = action.peer_mode; // a refresh
            return {};
        }
        if (memberships_.size() >= limits_.swarms_per_peer_max) {
            return "too many swarms for one peer";
        }
        if (action.peer_mode == PeerMode::seeder && state_ == PeerState::tracking) {
            return "a SEEDER names its swarms when it registers";
        }
        if (action.peer_mode == PeerMode::leech && leech_count() >= limits_.leech_swarms_max) {
            return "a LEECH leaves its swarm before it joins another";
        }
        memberships_.push_back({action.swarm_id, action.peer_mode});
        return {};
    }

    [[nodiscard]] bool is_in_any_swarm() const { return !memberships_.empty(); }

private:
    std::vector<Membership>::iterator find(std::string const& swarm_id)
    {
        return std::find_if(memberships_.begin(), memberships_.end(),
                            [&](Membership const& known) { return known.swarm_id == swarm_id; });
    }
    [[nodiscard]] std::size_t leech_count() const
    {
        return static_cast<std::size_t>(
            std::count_if(memberships_.begin(), memberships_.end(),
                          [](Membership const& known) { return known.mode == PeerMode::leech; }));
    }

    PeerState state_;
    std::vector<Membership> memberships_;
    Limits const& limits_;
};

bool has_leave(std::span<SwarmAction const> actions)
{
    return std::any_of(actions.begin(), actions.end(),
                       [](auto const& action) { return action.action == Action::leave; });
}

bool has_new_seeder(ConnectVerdict const& verdict, std::span<SwarmAction const> actions)
{
    for (std::size_t i = 0; i < actions.size(); ++i) {
        if (!verdict.allowed[i] && actions[i].action == Action::join &&
            actions[i].peer_mode == PeerMode::seeder) {
            return true;
        }
    }
    return false;
}

} // namespace

ConnectVerdict judge_connect(PeerState state, std::span<Membership const> memberships,
                             std::span<SwarmAction const> actions, Limits const& limits)
{
    ConnectVerdict verdict;
    verdict.allowed.assign(actions.size(), false);
    if (state == PeerState::start && has_leave(actions)) {
        verdict.reason = "LEAVE from a peer that is not registered";
        return verdict;
    }
    Judge judge(state, memberships, limits);
    auto const apply = [&](std::size_t i, std::string_view complaint) {
        verdict.allowed[i] = complaint.empty();
        verdict.is_valid = verdict.is_valid || complaint.empty();
        if (verdict.reason.empty()) {
            verdict.reason = complaint;
        }
    };
    // A channel change may name JOIN before LEAVE (Table 6), so leaving comes first.
    for (std::size_t i = 0; i < actions.size(); ++i) {
        if (actions[i].action == Action::leave) {
            apply(i, judge.leave(actions[i]));
        }
    }
    for (std::size_t i = 0; i < actions.size(); ++i) {
        if (actions[i].action == Action::join) {
            apply(i, judge.join(actions[i]));
        }
    }
    bool const is_expelled =
        limits.strict && state == PeerState::tracking && has_new_seeder(verdict, actions);
    if (is_expelled) {
        verdict.allowed.assign(actions.size(), false);
        verdict.is_valid = false;
        return verdict;
    }
    verdict.next = judge.is_in_any_swarm() ? PeerState::tracking : PeerState::terminate;
    return verdict;
}

} // namespace ppsp::tracker
