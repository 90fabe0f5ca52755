#include "peer/decade/fair_shares.hpp"

#include <algorithm>

namespace ppsp::peer {
namespace {

constexpr std::int64_t micros_per_second = 1'000'000;

std::int64_t bytes_in(std::uint64_t rate_bps, Duration time)
{
    return static_cast<std::int64_t>(static_cast<double>(rate_bps) / 8.0 *
                                     static_cast<double>(time.count()) / micros_per_second);
}

} // namespace

FairShares::Bucket::Bucket(std::optional<std::uint64_t> rate) : rate_bps(rate)
{
    if (rate_bps) {
        rate_bps = std::max<std::uint64_t>(*rate_bps, 8);
        burst_bytes = std::max(bytes_in(*rate_bps, burst), burst_bytes_min);
    }
}

void FairShares::Bucket::refill(TimePoint now)
{
    if (!rate_bps) {
        return;
    }
    if (is_fresh) {
        is_fresh = false;
        refilled_at = now;
        credit_bytes = burst_bytes;
        return;
    }
    auto const passed = std::min<Duration>(now - refilled_at, std::chrono::hours{1});
    auto const earned = bytes_in(*rate_bps, passed);
    if (earned > 0) { // else the fraction of a byte is not lost
        credit_bytes = std::min(credit_bytes + earned, burst_bytes);
        refilled_at = now;
    }
}

void FairShares::Bucket::take(std::uint64_t bytes)
{
    if (rate_bps) {
        credit_bytes -= static_cast<std::int64_t>(bytes);
    }
}

TimePoint FairShares::Bucket::opens_at() const
{
    if (is_open()) {
        return refilled_at;
    }
    auto const missing = static_cast<double>(1 - credit_bytes) * 8.0 * micros_per_second;
    // One microsecond more: rounding must not wake anybody in vain.
    return refilled_at +
           Duration{static_cast<std::int64_t>(missing / static_cast<double>(*rate_bps)) + 1};
}

FairShares::Flow& FairShares::flow_of(TimePoint now, Account const& account)
{
    forget_idle_flows(now);
    auto [place, is_new] = flows_.try_emplace(account.id);
    auto& flow = place->second;
    if (is_new) {
        flow.bucket = Bucket(account.rate_bps);
    }
    flow.weight = std::max(account.weight, 1U);
    flow.bucket.refill(now);
    return flow;
}

void FairShares::forget_idle_flows(TimePoint now)
{
    if (flows_.size() < idle_accounts_max) {
        return;
    }
    for (auto& [id, flow] : flows_) {
        flow.bucket.refill(now);
    }
    std::erase_if(flows_, [](auto const& entry) {
        auto const& bucket = entry.second.bucket;
        bool const owes = bucket.rate_bps && bucket.credit_bytes < bucket.burst_bytes;
        return entry.second.wishes.empty() && !owes;
    });
}

bool FairShares::ask(TimePoint now, Account const& account, std::uint64_t bytes, Ticket ticket)
{
    total_.refill(now);
    auto& flow = flow_of(now, account);
    Wish const wish{ticket, bytes, std::max(virtual_time_, flow.finish)};
    flow.finish = wish.start + static_cast<double>(bytes) / flow.weight;
    bool const is_first = flow.wishes.empty() && (waiting_ == 0 || !total_.rate_bps);
    if (is_first && total_.is_open() && flow.bucket.is_open()) {
        charge(flow, wish);
        return true;
    }
    flow.wishes.push_back(wish);
    ++waiting_;
    return false;
}

void FairShares::charge(Flow& flow, Wish const& wish)
{
    total_.take(wish.bytes);
    flow.bucket.take(wish.bytes);
    virtual_time_ = std::max(virtual_time_, wish.start);
}

FairShares::Flow* FairShares::next_flow()
{
    Flow* best = nullptr;
    for (auto& [id, flow] : flows_) {
        bool const may = !flow.wishes.empty() && flow.bucket.is_open();
        if (may && (best == nullptr || flow.wishes.front().start < best->wishes.front().start)) {
            best = &flow;
        }
    }
    return best;
}

std::vector<FairShares::Ticket> FairShares::grant(TimePoint now)
{
    std::vector<Ticket> granted;
    total_.refill(now);
    for (auto& [id, flow] : flows_) {
        flow.bucket.refill(now);
    }
    while (waiting_ > 0 && total_.is_open()) {
        auto* const flow = next_flow();
        if (flow == nullptr) {
            break;
        }
        auto const wish = flow->wishes.front();
        flow->wishes.pop_front();
        --waiting_;
        charge(*flow, wish);
        granted.push_back(wish.ticket);
    }
    return granted;
}

std::optional<TimePoint> FairShares::deadline() const
{
    std::optional<TimePoint> earliest;
    for (auto const& [id, flow] : flows_) {
        if (!flow.wishes.empty()) {
            auto const at = flow.bucket.opens_at();
            earliest = earliest ? std::min(*earliest, at) : at;
        }
    }
    return earliest ? std::optional(std::max(*earliest, total_.opens_at())) : std::nullopt;
}

void FairShares::cancel(Ticket ticket)
{
    for (auto& [id, flow] : flows_) {
        waiting_ -= std::erase_if(flow.wishes,
                                  [ticket](Wish const& wish) { return wish.ticket == ticket; });
    }
}

} // namespace ppsp::peer
