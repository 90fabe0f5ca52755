#include "tracker/api/service.hpp"

#include "protocol/integrity/membership.hpp"
#include "tracker/select/choose.hpp"

#include <algorithm>
#include <set>

namespace ppsp::tracker {
namespace {

using ppstp::ErrorCode;
using ppstp::Response;
using ppstp::SwarmResult;

/// Renewed when half of it is over; protects against hosts that were members once.
constexpr std::chrono::seconds membership_lifetime{3600};

Response refuse(ErrorCode code, std::string_view reason)
{
    Response response;
    response.error = code;
    response.reason = reason;
    return response;
}

Response refuse(RegistryError error)
{
    switch (error) {
    case RegistryError::too_many_peers:
        return refuse(ErrorCode::unavailable, "the tracker is full");
    case RegistryError::too_many_from_address:
        return refuse(ErrorCode::unavailable, "too many peers from this address");
    case RegistryError::id_in_use:
        break;
    }
    return refuse(ErrorCode::forbidden, "the peer id is in use from another address");
}

Response refuse(ActionOutcome const& outcome, bool is_all_listed)
{
    if (outcome.hit_limit) {
        return refuse(ErrorCode::unavailable, "the tracker has no room for another swarm");
    }
    if (!is_all_listed) {
        return refuse(ErrorCode::forbidden, "the swarm is not on this tracker's allow-list");
    }
    return refuse(ErrorCode::forbidden, outcome.verdict.reason);
}

/// What would count double if it were carried out twice.
bool is_replayable(ppstp::Request const& request)
{
    auto const* report = std::get_if<ppstp::StatReport>(&request.body);
    return std::holds_alternative<ppstp::Connect>(request.body) ||
           (report != nullptr && !report->receipts.empty());
}

std::set<std::string> swarms_of(ppstp::StatReport const& report)
{
    std::set<std::string> swarms;
    auto const note = [&](auto const& entries) {
        for (auto const& entry : entries) {
            swarms.insert(entry.swarm_id);
        }
    };
    note(report.stream_stats);
    note(report.content_maps);
    note(report.peer_status);
    note(report.receipts);
    note(report.neighbours);
    return swarms;
}

} // namespace

Service::Service(Limits const& limits, std::optional<AllowList> allow_list, Rng rng)
    : limits_(limits), allow_list_(std::move(allow_list)), rng_(rng), registry_(limits_),
      replays_(limits_),
      address_rate_(limits_.requests_per_second_address, limits_.limited_addresses_max)
{}

Answer Service::handle(TimePoint now, std::string_view body, Endpoint const& source)
{
    registry_.expire(now);
    auto const request = ppstp::parse_request(body);
    auto const type = request ? request->body.index() : request_type_count - 1;
    Response response;
    if (!request) {
        response = refuse(request.error().code, request.error().reason);
        response.transaction_id = request.error().transaction_id;
    } else if (is_over_rate(now, source, registry_.find_peer(request->peer_id))) {
        ++counters_.rate_limited;
        response = refuse(ErrorCode::unavailable, "too many requests, come back later");
        response.transaction_id = request->transaction_id;
    } else {
        bool const is_kept = is_replayable(*request);
        auto const* known =
            is_kept ? replays_.find(now, request->peer_id, request->transaction_id, body) : nullptr;
        if (known != nullptr) {
            ++counters_.replays;
            ++counters_.requests[type][0];
            return {ErrorCode::none, *known};
        }
        response = dispatch({now, source, registry_.find_peer(request->peer_id)}, *request);
        response.transaction_id = request->transaction_id;
        if (is_kept && response.error == ErrorCode::none) {
            replays_.store(now, request->peer_id, request->transaction_id, body,
                           ppstp::to_json(response));
        }
    }
    ++counters_.requests[type][static_cast<std::size_t>(response.error)];
    return {response.error, ppstp::to_json(response)};
}

bool Service::is_over_rate(TimePoint now, Endpoint const& source, PeerIndex peer)
{
    bool const is_limited = source.scope() != AddressScope::loopback || limits_.limits_loopback;
    if (is_limited && !address_rate_.take(now, source)) {
        return true;
    }
    // Only requests from the peer's own address use up its share.
    return peer != no_peer && registry_.peer(peer).source.same_address(source) &&
           !registry_.peer(peer).requests.take(now, limits_.requests_per_second_peer);
}

Response Service::dispatch(Caller caller, ppstp::Request const& request)
{
    if (auto const* connect = std::get_if<ppstp::Connect>(&request.body)) {
        return answer(caller, request.peer_id, *connect);
    }
    // RFC 7846 §2.3.2 B.
    if (caller.peer == no_peer) {
        return refuse(ErrorCode::forbidden, "the peer is not registered, CONNECT first");
    }
    if (!registry_.peer(caller.peer).source.same_address(caller.source)) {
        return refuse(ErrorCode::forbidden,
                      "the peer is registered from another address, CONNECT first");
    }
    if (auto const* find = std::get_if<ppstp::Find>(&request.body)) {
        return answer(caller, *find);
    }
    return answer(caller, std::get<ppstp::StatReport>(request.body));
}

std::vector<ppstp::SwarmAction>
Service::allowed_by_list(std::vector<ppstp::SwarmAction> const& actions) const
{
    auto allowed = actions;
    std::erase_if(allowed, [this](ppstp::SwarmAction const& action) {
        return allow_list_ && action.action == ppstp::Action::join &&
               !allow_list_->contains(action.swarm_id);
    });
    return allowed;
}

Response Service::answer(Caller const& caller, std::string const& peer_id,
                         ppstp::Connect const& connect)
{
    auto const actions = allowed_by_list(connect.swarm_actions);
    bool const is_all_listed = actions.size() == connect.swarm_actions.size();
    if (actions.empty()) {
        return refuse(ActionOutcome{}, is_all_listed);
    }
    auto const peer =
        registry_.register_peer(caller.now, peer_id, caller.source, connect.peer_addresses);
    if (!peer) {
        return refuse(peer.error());
    }
    auto const outcome = registry_.connect(caller.now, *peer, actions);
    if (!outcome.verdict.is_valid) {
        return refuse(outcome, is_all_listed);
    }
    Response response;
    response.peer_address = seen_address(caller.source, connect);
    Caller const registered{caller.now, caller.source, *peer};
    for (auto const& action : connect.swarm_actions) {
        auto const found = std::find(actions.begin(), actions.end(), action);
        auto const position = static_cast<std::size_t>(found - actions.begin());
        if (found != actions.end() && outcome.verdict.allowed[position]) {
            response.swarm_results.push_back(joined(registered, action, connect.peer_num));
        } else {
            SwarmResult refused;
            refused.swarm_id = action.swarm_id;
            refused.result = 1;
            response.swarm_results.push_back(refused);
        }
    }
    return response;
}

SwarmResult Service::joined(Caller const& caller, ppstp::SwarmAction const& action,
                            std::optional<ppstp::PeerNumber> const& wish)
{
    SwarmResult result;
    result.swarm_id = action.swarm_id;
    if (action.action == ppstp::Action::leave) {
        return result; // the peer may be gone from the registry by now
    }
    auto const member = registry_.find_member(caller.peer, action.swarm_id);
    if (member && wish && wish->upload_bandwidth_kbps) {
        registry_.claim_uplink(*member, *wish->upload_bandwidth_kbps);
    }
    // RFC 7846 §4.1.1: a LEECH gets a list, a SEEDER if it asks for one.
    if (action.peer_mode == ppstp::PeerMode::leech || wish) {
        add_peers(caller, result, wish);
    }
    add_live(caller.now, result);
    add_membership(caller, result);
    return result;
}

void Service::add_peers(Caller const& caller, SwarmResult& result,
                        std::optional<ppstp::PeerNumber> const& wish)
{
    Asker asker;
    asker.peer = caller.peer;
    asker.swarm = *registry_.find_swarm(result.swarm_id);
    asker.count = wish ? wish->peer_count : peer_count_default;
    result.peers = choose_peers(registry_, asker, caller.now, rng_);
    result.has_peer_group = true;
}

void Service::add_live(TimePoint now, SwarmResult& result) const
{
    if (auto const swarm = registry_.find_swarm(result.swarm_id)) {
        result.live = registry_.swarm(*swarm).edge.reported(now);
    }
}

/// For the address that the connection comes from: that is routable back, so that nobody gets a
/// certificate for a host of others (RFC 7574 §12.2.2). The port is the peer's word.
void Service::add_membership(Caller const& caller, SwarmResult& result) const
{
    auto const swarm_id = from_hex(result.swarm_id);
    auto const& addresses = registry_.peer(caller.peer).addresses;
    auto const own = std::ranges::find_if(addresses, [&](ListedAddress const& address) {
        return !address.is_local && address.endpoint.same_address(caller.source);
    });
    if (issuer_ && swarm_id && own != addresses.end()) {
        UnixMicros const utc = issuer_->utc_at_zero + caller.now.time_since_epoch().count();
        result.membership =
            ppstp::MembershipGrant{issuer_->key.swarm_id(),
                                   integrity::issue_membership(issuer_->key, own->endpoint,
                                                               *swarm_id, utc, membership_lifetime),
                                   static_cast<std::uint32_t>(membership_lifetime.count())};
    }
}

void Service::add_proven(std::vector<ppstp::Neighbours> const& asked, SwarmResult& result) const
{
    auto const swarm = registry_.find_swarm(result.swarm_id);
    for (auto const& neighbours : asked) {
        if (neighbours.swarm_id != result.swarm_id || !swarm) {
            continue;
        }
        for (auto const& endpoint : neighbours.endpoints) {
            auto const kbps = registry_.proven_kbps(*swarm, endpoint);
            if (kbps > 0 && result.proven.size() < ppstp::proven_max) {
                result.proven.push_back({endpoint, kbps});
            }
        }
    }
}

Response Service::answer(Caller const& caller, ppstp::Find const& find)
{
    if (!registry_.find_member(caller.peer, find.swarm_id)) {
        return refuse(ErrorCode::forbidden, "the peer is not in this swarm"); // trap P8
    }
    registry_.touch(caller.now, caller.peer);
    Response response;
    SwarmResult result;
    result.swarm_id = find.swarm_id;
    add_peers(caller, result, find.peer_num);
    add_live(caller.now, result);
    add_membership(caller, result);
    response.swarm_results.push_back(std::move(result));
    return response;
}

Response Service::answer(Caller const& caller, ppstp::StatReport const& report)
{
    auto swarms = swarms_of(report);
    if (swarms.empty()) { // a keep-alive speaks for all swarms of the peer
        for (auto const member : registry_.peer(caller.peer).memberships) {
            swarms.insert(*registry_.swarm(registry_.member(member).swarm).id);
        }
    }
    Response response;
    bool is_any_known = false;
    for (auto const& swarm_id : swarms) {
        SwarmResult result;
        result.swarm_id = swarm_id;
        result.result = registry_.find_member(caller.peer, swarm_id) ? 0 : 1;
        is_any_known = is_any_known || result.result == 0;
        response.swarm_results.push_back(std::move(result));
    }
    if (!is_any_known) {
        return refuse(ErrorCode::forbidden, "the peer is in none of these swarms");
    }
    if (response.swarm_results.size() > ppstp::swarm_actions_max) {
        return refuse(ErrorCode::bad_request, "too many swarms in one report");
    }
    registry_.touch(caller.now, caller.peer);
    take_report(caller, report);
    for (auto& result : response.swarm_results) {
        if (result.result == 0) {
            add_live(caller.now, result);
            add_proven(report.neighbours, result);
        }
    }
    return response;
}

void Service::take_report(Caller const& caller, ppstp::StatReport const& report)
{
    for (auto const& map : report.content_maps) {
        if (auto const member = registry_.find_member(caller.peer, map.swarm_id)) {
            registry_.report(caller.now, *member, map);
        }
    }
    for (auto const& status : report.peer_status) {
        if (auto const member = registry_.find_member(caller.peer, status.swarm_id)) {
            registry_.report(*member, status);
        }
    }
    for (auto const& receipt : report.receipts) {
        if (registry_.find_member(caller.peer, receipt.swarm_id)) {
            registry_.report(caller.now, caller.peer, receipt);
        }
    }
}

} // namespace ppsp::tracker
