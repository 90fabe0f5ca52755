#include "protocol/congestion/ledbat.hpp"

#include <algorithm>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>
#include <rapidcheck.h>

// Needs the two above.
#include <rapidcheck/gtest.h>

namespace ppsp::congestion {
namespace {

constexpr std::uint32_t mss_bytes = 1000;

struct Event {
    enum class Kind { ack, loss, timeout };
    Kind kind = Kind::ack;
    std::int64_t wait_us = 0;
    std::vector<std::int64_t> delays_us;
    std::size_t acked = 0;
    std::size_t flight = 0;
    std::int64_t rtt_us = 0;
};

std::ostream& operator<<(std::ostream& out, Event const& event)
{
    return out << "{kind " << static_cast<int>(event.kind) << " after " << event.wait_us
               << " us, acked " << event.acked << " of " << event.flight << ", rtt " << event.rtt_us
               << " us, " << event.delays_us.size() << " samples}";
}

rc::Gen<Event> any_event(rc::Gen<std::int64_t> const& delay)
{
    using rc::gen::inRange;
    auto const kind = rc::gen::weightedElement<Event::Kind>(
        {{8, Event::Kind::ack}, {1, Event::Kind::loss}, {1, Event::Kind::timeout}});
    return rc::gen::build<Event>(
        rc::gen::set(&Event::kind, kind),
        rc::gen::set(&Event::wait_us, inRange<std::int64_t>(0, 90'000'000)),
        rc::gen::set(&Event::delays_us, rc::gen::container<std::vector<std::int64_t>>(delay)),
        rc::gen::set(&Event::acked, inRange<std::size_t>(0, 20'000)),
        rc::gen::set(&Event::flight, inRange<std::size_t>(0, 200'000)),
        rc::gen::set(&Event::rtt_us, inRange<std::int64_t>(0, 2'000'000)));
}

rc::Gen<std::vector<Event>> events_with(rc::Gen<std::int64_t> const& delay)
{
    return rc::gen::container<std::vector<Event>>(any_event(delay));
}

LedbatConfig any_config()
{
    LedbatConfig config;
    config.mss_bytes = mss_bytes;
    config.init_window_mss = *rc::gen::inRange<std::uint32_t>(2, 100);
    config.target = Duration{*rc::gen::inRange<std::int64_t>(1, 100'001)};
    config.gain = *rc::gen::inRange(1, 101) / 100.0;
    config.base_history_minutes = *rc::gen::inRange<std::uint32_t>(1, 11);
    config.current_filter_max = *rc::gen::inRange<std::uint32_t>(1, 9);
    config.slow_start = *rc::gen::arbitrary<bool>();
    config.rtt_guard_targets = *rc::gen::element(0.0, 4.0);
    return config;
}

void apply(Ledbat& ledbat, Event const& event, TimePoint now, std::int64_t offset_us = 0)
{
    Duration const rtt{event.rtt_us};
    std::vector<Duration> delays;
    for (std::int64_t const delay_us : event.delays_us) {
        delays.emplace_back(delay_us + offset_us);
    }
    switch (event.kind) {
    case Event::Kind::ack:
        ledbat.on_ack(now, delays, event.acked, event.flight, rtt);
        break;
    case Event::Kind::loss:
        ledbat.on_loss(now, rtt);
        break;
    case Event::Kind::timeout:
        ledbat.on_timeout(now);
        break;
    }
}

RC_GTEST_PROP(LedbatProperty, the_window_keeps_its_bounds_whatever_a_peer_reports, ())
{
    LedbatConfig const config = any_config();
    Ledbat ledbat{config};
    TimePoint now{};
    double const window_min = config.min_window_mss * static_cast<double>(mss_bytes);
    for (Event const& event : *events_with(rc::gen::arbitrary<std::int64_t>())) {
        now += Duration{event.wait_us};
        apply(ledbat, event, now);
        RC_ASSERT(ledbat.window_bytes() >= mss_bytes);
        RC_ASSERT(ledbat.queuing_delay() >= Duration::zero());
        RC_ASSERT(ledbat.off_target() <= 1.0);
        if (event.kind == Event::Kind::ack) {
            double const headroom =
                ledbat.in_slow_start()
                    ? std::max<double>(mss_bytes, static_cast<double>(event.acked))
                    : config.allowed_increase_mss * mss_bytes;
            double const cap = static_cast<double>(event.flight) + headroom;
            RC_ASSERT(ledbat.window_bytes() <= std::max(cap, window_min));
            RC_ASSERT(ledbat.window_bytes() >= window_min);
        }
    }
}

RC_GTEST_PROP(LedbatProperty, an_ack_grows_the_window_by_no_more_than_tcp_would, ())
{
    LedbatConfig config = any_config();
    config.slow_start = false;
    Ledbat ledbat{config};
    TimePoint now{};
    double const window_min = config.min_window_mss * static_cast<double>(mss_bytes);
    for (Event const& event : *events_with(rc::gen::arbitrary<std::int64_t>())) {
        now += Duration{event.wait_us};
        double const before = ledbat.window_bytes();
        apply(ledbat, event, now);
        double const reno = static_cast<double>(event.acked) * mss_bytes / before;
        RC_ASSERT(ledbat.window_bytes() <= std::max(before + reno * 1.000001, window_min));
    }
}

RC_GTEST_PROP(LedbatProperty, losses_halve_at_most_once_per_round_trip, ())
{
    LedbatConfig const config = any_config();
    Ledbat ledbat{config};
    Duration const rtt{*rc::gen::inRange<std::int64_t>(1, 1'000'000)};
    double const initial = ledbat.window_bytes();
    double const window_min = config.min_window_mss * static_cast<double>(mss_bytes);
    TimePoint now{};
    TimePoint next_halving{};
    double expected = initial;
    for (auto const wait_us : *rc::gen::container<std::vector<std::int64_t>>(
             rc::gen::inRange<std::int64_t>(0, 500'000))) {
        now += Duration{wait_us};
        if (now >= next_halving) {
            expected = std::max(expected / 2.0, window_min);
            next_halving = now + rtt;
        }
        ledbat.on_loss(now, rtt);
        RC_ASSERT(ledbat.window_bytes() == expected);
    }
}

RC_GTEST_PROP(LedbatProperty, the_offset_between_two_clocks_does_not_matter, ())
{
    constexpr std::int64_t century_us = 3'155'760'000'000'000;
    LedbatConfig const config = any_config();
    auto const offset_us = *rc::gen::inRange<std::int64_t>(-century_us, century_us);
    Ledbat ledbat{config};
    Ledbat shifted{config};
    TimePoint now{};
    for (Event const& event : *events_with(rc::gen::inRange<std::int64_t>(0, 3'000'000))) {
        now += Duration{event.wait_us};
        apply(ledbat, event, now);
        apply(shifted, event, now, offset_us);
        RC_ASSERT(shifted.queuing_delay() == ledbat.queuing_delay());
        RC_ASSERT(shifted.window_bytes() == ledbat.window_bytes());
    }
}

RC_GTEST_PROP(LedbatProperty, the_base_is_the_minimum_of_the_remembered_minutes, ())
{
    LedbatConfig const config = any_config();
    Ledbat ledbat{config};
    TimePoint now{};
    std::vector<std::pair<std::int64_t, std::int64_t>> seen; // minute, delay
    for (Event const& event : *events_with(rc::gen::inRange<std::int64_t>(-1'000'000, 1'000'000))) {
        now += Duration{event.wait_us};
        std::int64_t const minute = now.time_since_epoch().count() / 60'000'000;
        apply(ledbat, event, now);
        if (event.kind != Event::Kind::ack || event.delays_us.empty()) {
            continue;
        }
        for (std::int64_t const delay_us : event.delays_us) {
            seen.emplace_back(minute, delay_us);
        }
        std::erase_if(seen, [&](auto const& entry) {
            return minute - entry.first >= config.base_history_minutes;
        });
        auto const smallest =
            std::ranges::min_element(seen, {}, [](auto const& entry) { return entry.second; });
        RC_ASSERT(ledbat.base_delay().count() == smallest->second);
    }
}

// ---- the fair algorithm ------------------------------------------------------------------------

struct Step {
    Event event;
    std::uint32_t filled = 0; ///< of the window before it is in flight, per mille
};

std::ostream& operator<<(std::ostream& out, Step const& step)
{
    return out << step.filled << " per mille in flight " << step.event;
}

/// Events as close together as those of a transfer: seconds with a full window make a flow bulk,
/// and slowdowns begin and end.
rc::Gen<std::vector<Step>> transfer_with(rc::Gen<std::int64_t> const& delay)
{
    using rc::gen::inRange;
    auto const event = rc::gen::build<Event>(
        rc::gen::set(
            &Event::kind,
            rc::gen::weightedElement<Event::Kind>(
                {{50, Event::Kind::ack}, {2, Event::Kind::loss}, {1, Event::Kind::timeout}})),
        rc::gen::set(&Event::wait_us, inRange<std::int64_t>(0, 150'000)),
        rc::gen::set(&Event::delays_us,
                     rc::gen::resize(4, rc::gen::container<std::vector<std::int64_t>>(
                                            rc::gen::resize(rc::kNominalSize, delay)))),
        rc::gen::set(&Event::acked, inRange<std::size_t>(0, 20'000)),
        rc::gen::set(&Event::rtt_us, inRange<std::int64_t>(1'000, 200'000)));
    auto const step = rc::gen::build<Step>(
        rc::gen::set(&Step::event, event),
        rc::gen::set(&Step::filled, rc::gen::weightedOneOf<std::uint32_t>(
                                        {{9, inRange<std::uint32_t>(900, 1001)},
                                         {1, inRange<std::uint32_t>(0, 1001)}})));
    return rc::gen::resize(600, rc::gen::container<std::vector<Step>>(step));
}

LedbatConfig any_fair_config()
{
    LedbatConfig config = any_config();
    config.algorithm = Algorithm::fair;
    config.forgive_link_loss = *rc::gen::arbitrary<bool>();
    config.fills_after = Duration{*rc::gen::inRange<std::int64_t>(0, 4'000'000)};
    return config;
}

/// A peer may report any delays.
rc::Gen<std::int64_t> plausible_or_any_delay()
{
    return rc::gen::weightedOneOf<std::int64_t>(
        {{9, rc::gen::inRange<std::int64_t>(0, 200'000)}, {1, rc::gen::arbitrary<std::int64_t>()}});
}

RC_GTEST_PROP(FairLedbatProperty, the_window_keeps_within_what_was_in_flight_and_above_the_minimum,
              ())
{
    LedbatConfig const config = any_fair_config();
    Ledbat ledbat{config};
    TimePoint now{};
    double const window_min = config.min_window_mss * static_cast<double>(mss_bytes);
    double most_in_flight = ledbat.window_bytes();
    double widest = ledbat.window_bytes();
    double headroom = config.allowed_increase_mss * mss_bytes;
    for (Step step : *transfer_with(plausible_or_any_delay())) {
        now += Duration{step.event.wait_us};
        double const before = ledbat.window_bytes();
        step.event.flight = static_cast<std::size_t>(before * step.filled / 1000);
        most_in_flight = std::max(most_in_flight, static_cast<double>(step.event.flight));
        headroom = std::max(headroom, static_cast<double>(step.event.acked));
        apply(ledbat, step.event, now);
        double const after = ledbat.window_bytes();
        RC_ASSERT(after >= mss_bytes);
        RC_ASSERT(after <= most_in_flight + headroom);
        RC_ASSERT(ledbat.queuing_delay() >= Duration::zero());
        // Small windows aim at up to half a target more, and nobody at more than RFC 6817 §2.5 has.
        RC_ASSERT(ledbat.target_delay(now) <= std::min(config.target * 3 / 2, Duration{100'000}));
        if (step.event.kind == Event::Kind::ack) {
            RC_ASSERT(after >= window_min);
            // No faster than TCP's slow start, but for a window that was there before a slowdown.
            double const acked = static_cast<double>(step.event.acked);
            RC_ASSERT(after <= std::max({before + acked * 1.000001, window_min, widest}));
        } else {
            RC_ASSERT(after <= before);
        }
        widest = std::max(widest, after);
    }
}

RC_GTEST_PROP(FairLedbatProperty, the_offset_between_two_clocks_does_not_matter, ())
{
    constexpr std::int64_t century_us = 3'155'760'000'000'000;
    LedbatConfig const config = any_fair_config();
    auto const offset_us = *rc::gen::inRange<std::int64_t>(-century_us, century_us);
    Ledbat ledbat{config};
    Ledbat shifted{config};
    TimePoint now{};
    for (Step step : *transfer_with(rc::gen::inRange<std::int64_t>(0, 200'000))) {
        now += Duration{step.event.wait_us};
        step.event.flight = static_cast<std::size_t>(ledbat.window_bytes() * step.filled / 1000);
        apply(ledbat, step.event, now);
        apply(shifted, step.event, now, offset_us);
        RC_ASSERT(shifted.queuing_delay() == ledbat.queuing_delay());
        RC_ASSERT(shifted.window_bytes() == ledbat.window_bytes());
    }
}

} // namespace
} // namespace ppsp::congestion
