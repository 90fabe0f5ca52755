#include "tests/sim/tracker_talk.hpp"

#include "peer/shell/backoff.hpp"
#include "peer/shell/tracker_answer.hpp"

namespace ppsp::sim {
namespace {

constexpr std::uint32_t peers_wanted = 25;

} // namespace

TrackerTalk::TrackerTalk(std::string swarm_id, std::uint32_t number, Endpoint own, peer::Role role,
                         Rng rng, bool tells_uplinks)
    : swarm_id_(std::move(swarm_id)), own_(own), role_(role), rng_(rng),
      candidates_("", [](Endpoint const&) { return true; }), reports_(swarm_id_),
      tells_uplinks_(tells_uplinks)
{
    std::string const digits = std::to_string(number);
    peer_id_ = std::string(40 - digits.size(), '0') + digits;
    candidates_ = peer::Candidates{peer_id_, [](Endpoint const&) { return true; }};
}

std::string TrackerTalk::to_body(decltype(ppstp::Request::body) body) const
{
    return ppstp::to_json(ppstp::Request{std::to_string(rng_.next()), peer_id_, std::move(body)});
}

ppstp::PeerNumber TrackerTalk::wish() const
{
    ppstp::PeerNumber number;
    number.peer_count = peers_wanted;
    return number;
}

std::optional<std::string> TrackerTalk::request(TimePoint now, peer::SwarmFigures const& figures)
{
    if (waiting_ || now < deadline()) {
        return std::nullopt;
    }
    waiting_ = true;
    finding_ = false;
    if (!registered_) {
        ppstp::Connect connect;
        auto const mode =
            role_ == peer::Role::source ? ppstp::PeerMode::seeder : ppstp::PeerMode::leech;
        connect.swarm_actions = {{swarm_id_, ppstp::Action::join, mode}};
        connect.peer_num = wish();
        ppstp::PeerAddress address;
        address.endpoint = own_;
        connect.peer_addresses = {address};
        return to_body(std::move(connect));
    }
    if (find_wanted_ && now >= find_not_before_) {
        find_wanted_ = false;
        finding_ = true;
        find_not_before_ = now + peer::jittered(rng_, timers_.find_interval_min, 0.2);
        return to_body(ppstp::Find{swarm_id_, wish()});
    }
    content_at_ = now + peer::jittered(rng_, timers_.content_interval, 0.2);
    if (now < report_at_) {
        return to_body(reports_.content_only(figures));
    }
    report_at_ = now + peer::jittered(rng_, timers_.report_interval, 0.2);
    return to_body(tells_uplinks_ ? reports_.full(figures) : reports_.content_only(figures));
}

std::string TrackerTalk::leave() const
{
    ppstp::Connect connect;
    connect.swarm_actions = {{swarm_id_, ppstp::Action::leave, ppstp::PeerMode::leech}};
    return to_body(std::move(connect));
}

void TrackerTalk::on_answer(TimePoint now, std::string const* body,
                            std::vector<peer::Input>& inputs)
{
    waiting_ = false;
    auto const response = body == nullptr ? std::nullopt : [&]() -> std::optional<ppstp::Response> {
        auto parsed = ppstp::parse_response(*body);
        return parsed ? std::optional{*std::move(parsed)} : std::nullopt;
    }();
    if (!response || response->error != ppstp::ErrorCode::none) {
        find_wanted_ = find_wanted_ || finding_;
        registered_ = registered_ && response.has_value() == false;
        Duration const limit = std::min<Duration>(
            timers_.retry_max, timers_.retry_first * (1 << std::min(failures_, 10U)));
        ++failures_;
        Duration const pause{rng_.between(0, limit.count())};
        connect_at_ = now + pause;
        find_not_before_ = std::max(find_not_before_, now + pause);
        report_at_ = std::max(report_at_, now + pause);
        content_at_ = std::max(content_at_, now + pause);
        return;
    }
    failures_ = 0;
    if (!registered_) {
        registered_ = true;
        report_at_ = now + peer::jittered(rng_,
                                          role_ == peer::Role::viewer ? timers_.report_first
                                                                      : timers_.report_interval,
                                          0.2);
        content_at_ = now;
    }
    auto const swarm = *from_hex(swarm_id_);
    for (ppstp::SwarmResult const& result : response->swarm_results) {
        auto endpoints = candidates_.choose(result.peers, {own_});
        bool const is_alone = endpoints.empty() && role_ == peer::Role::viewer && finding_;
        find_wanted_ = find_wanted_ || is_alone; // nobody there yet
        inputs.emplace_back(peer::CandidatesFound{swarm, std::move(endpoints)});
        auto proven = peer::uplinks_of(swarm, result);
        if (!proven.peers.empty()) {
            inputs.emplace_back(std::move(proven));
        }
        if (result.live && role_ == peer::Role::viewer) {
            inputs.emplace_back(peer::edge_of(swarm, *result.live));
        }
    }
}

TimePoint TrackerTalk::deadline() const
{
    if (!registered_) {
        return connect_at_;
    }
    TimePoint next = report_at_;
    if (find_wanted_) {
        next = std::min(next, find_not_before_);
    }
    if (role_ == peer::Role::source) {
        next = std::min(next, content_at_);
    }
    return next;
}

} // namespace ppsp::sim
