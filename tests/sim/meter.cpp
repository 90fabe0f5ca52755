#include "tests/sim/meter.hpp"

namespace ppsp::sim {

Meter::Meter(SimStream const& stream, MeasureWindow window, TimePoint joined, Duration unit)
    : stream_(&stream), window_(window), joined_(joined), opened_(joined), unit_(unit)
{
    window_.from = std::max(window_.from, joined + grace);
}

void Meter::on_event(TimePoint now, peer::SwarmId const&, peer::Event const& event)
{
    auto const* completed = std::get_if<peer::UnitCompleted>(&event);
    if (completed == nullptr) {
        return;
    }
    auto const cut = stream_->cut_at(completed->unit);
    if (!cut || *cut < window_.from || *cut >= window_.until) {
        return;
    }
    recent_.push_back({*cut, now - *cut});
    if (recent_.size() > 256) {
        settle(now - given_up);
    }
}

/// Units that were cut before `until` count for good.
void Meter::settle(TimePoint until)
{
    std::erase_if(recent_, [&](Completed const& one) {
        if (one.cut >= until) {
            return false;
        }
        if (one.delay < given_up) {
            delays_.add(static_cast<double>(one.delay.count()) /
                        static_cast<double>(unit_.count()));
            ++completed_;
        }
        return true;
    });
}

void Meter::close(TimePoint now, peer::SwarmStatistics const& figures)
{
    left_ = now;
    last_ = figures;
    closed_ = true;
    TimePoint const until = std::min(now - given_up, window_.until);
    settle(until);
    recent_.clear();
    if (until <= window_.from) {
        return;
    }
    // Units are cut on a grid from time zero of the simulation.
    auto const grid = [&](TimePoint at) {
        return (at.time_since_epoch() + unit_ - Duration{1}) / unit_;
    };
    auto const due = static_cast<std::uint64_t>(grid(until) - grid(window_.from));
    delays_.add_missing(due > completed_ ? due - completed_ : 0);
}

Second Meter::since_last(peer::SwarmStatistics const& figures)
{
    Second second;
    second.peers = 1;
    second.chunks_due = figures.chunks_due - second_.chunks_due;
    second.chunks_in_time = figures.chunks_in_time - second_.chunks_in_time;
    second.from_peers_bytes = figures.from_peers_bytes - second_.from_peers_bytes;
    second.from_source_bytes = figures.from_source_bytes - second_.from_source_bytes;
    second_ = figures;
    return second;
}

Duration Meter::mean_delay() const
{
    return Duration{static_cast<std::int64_t>(delays_.mean() * static_cast<double>(unit_.count()))};
}

} // namespace ppsp::sim
