#include "peer/shell/cache_host.hpp"

#include "peer/shell/statistics_json.hpp"

#include <ctime>

namespace ppsp::peer {
namespace {

using SteadyClock = std::chrono::steady_clock;

TimePoint steady_now()
{
    return TimePoint(std::chrono::duration_cast<Duration>(SteadyClock::now().time_since_epoch()));
}

SteadyClock::time_point to_steady(TimePoint time)
{
    return SteadyClock::time_point(
        std::chrono::duration_cast<SteadyClock::duration>(time.time_since_epoch()));
}

FairShares::Account to_account(TokenAccount const& account)
{
    return {account.token.id, weight_of(account.token.priority), account.token.rate_bps};
}

} // namespace

CacheHost::CacheHost(net::io_context& context, Cache cache_state,
                     std::optional<std::uint64_t> total_bps, CacheTimeouts timeouts,
                     std::size_t connections_max)
    : context_(context), cache_(std::move(cache_state)), shares_(total_bps), grant_timer_(context),
      timeouts_(timeouts), connections_max_(connections_max), disk_(disk_threads)
{}

UnixSeconds CacheHost::now_s()
{
    return std::time(nullptr);
}

std::string const& CacheHost::date()
{
    auto const second = now_s();
    if (second != date_second_) {
        date_second_ = second;
        std::tm parts{};
        std::time_t const time = second;
        gmtime_r(&time, &parts);
        char text[64];
        date_.assign(text, std::strftime(text, sizeof text, "%a, %d %b %Y %H:%M:%S GMT", &parts));
    }
    return date_;
}

std::string CacheHost::metrics()
{
    std::string out;
    auto const add = [&out](std::string_view name, std::uint64_t value) {
        out.append("ppsp_cache_")
            .append(name)
            .append(" ")
            .append(std::to_string(value))
            .append("\n");
    };
    for (auto const& [name, value] : figures_of(cache_)) {
        add(name, value);
    }
    add("connections", connection_count());
    add("connections_total", counters_.connections);
    add("connections_displaced", counters_.displaced);
    add("connections_timed_out", counters_.timed_out);
    add("bad_requests", counters_.bad_requests);
    add("wire_bytes_in", counters_.bytes_in);
    add("wire_bytes_out", counters_.bytes_out);
    auto const usage = process_usage();
    add("rss_bytes", usage.rss_bytes);
    out.append("ppsp_cache_cpu_seconds ").append(std::to_string(usage.cpu_seconds)).append("\n");
    return out;
}

CacheHost::Connection::Connection(CacheHost& host, std::function<void()> close)
    : host_(host), close_(std::move(close)),
      place_(host.connections_.insert(host.connections_.end(), this))
{
    ++host_.counters_.connections;
    allow(host_.timeouts_.idle);
}

CacheHost::Connection::~Connection()
{
    host_.connections_.erase(place_);
}

void CacheHost::Connection::allow(std::chrono::milliseconds time)
{
    deadline_ = SteadyClock::now() + time;
}

void CacheHost::Connection::set_idle(bool is_idle)
{
    is_idle_ = is_idle;
    if (is_idle) {
        host_.connections_.splice(host_.connections_.end(), host_.connections_, place_);
    }
}

bool CacheHost::make_room()
{
    if (connections_.size() < connections_max_) {
        return true;
    }
    for (auto* connection : connections_) {
        if (connection->is_idle_) {
            ++counters_.displaced;
            connection->is_idle_ = false; // it goes as soon as the loop comes to it
            connection->close_();
            return true;
        }
    }
    return false;
}

void CacheHost::close_all()
{
    grant_timer_.cancel();
    for (auto* connection : connections_) {
        connection->close_();
    }
    for (auto& [ticket, timer] : turns_) {
        timer->cancel();
    }
}

void CacheHost::sweep()
{
    auto const now = SteadyClock::now();
    for (auto* connection : connections_) {
        if (connection->deadline_ < now) {
            ++counters_.timed_out;
            connection->deadline_ = SteadyClock::time_point::max();
            connection->close_();
        }
    }
}

bool CacheHost::is_limited(TokenAccount const* account) const
{
    return account != nullptr && shares_.limits(to_account(*account));
}

net::awaitable<void> CacheHost::await_turn(TokenAccount const* account, std::uint64_t bytes)
{
    auto const ticket = next_ticket_++;
    if (shares_.ask(steady_now(), to_account(*account), bytes, ticket)) {
        co_return;
    }
    // Never expires: a grant cancels it.
    net::steady_timer timer(context_, SteadyClock::time_point::max());
    turns_.emplace(ticket, &timer);
    schedule_grant();
    co_await timer.async_wait(net::use_tuple);
    turns_.erase(ticket);
    shares_.cancel(ticket); // it may have been the end of the server instead
}

void CacheHost::schedule_grant()
{
    auto const at = shares_.deadline();
    if (!at) {
        return;
    }
    grant_timer_.expires_at(to_steady(*at));
    grant_timer_.async_wait([this](boost::system::error_code const& error) {
        if (!error) {
            grant();
        }
    });
}

void CacheHost::grant()
{
    for (auto const ticket : shares_.grant(steady_now())) {
        auto const turn = turns_.find(ticket);
        if (turn != turns_.end()) {
            turn->second->cancel();
        }
    }
    schedule_grant();
}

} // namespace ppsp::peer
