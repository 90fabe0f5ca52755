#include "peer/shell/log_events.hpp"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace ppsp::peer {
namespace {

/// Enough of a swarm id to tell two channels apart in a log.
std::string short_name(SwarmId const& swarm)
{
    constexpr std::size_t shown = 4;
    std::size_t const from = swarm.size() > shown ? 1 : 0;
    return to_hex(Bytes{swarm}.subspan(from).first(std::min(shown, swarm.size() - from)));
}

char const* to_text(BanReason reason)
{
    switch (reason) {
    case BanReason::bad_chunks:
        return "chunks with a wrong hash";
    case BanReason::bad_signatures:
        return "wrong signatures";
    case BanReason::bad_messages:
        return "malformed messages";
    case BanReason::broken_word:
        return "announced what did not come, or sent what nothing proved";
    }
    return "unknown";
}

double to_ms(Duration duration)
{
    return static_cast<double>(duration.count()) / 1000.0;
}

struct Writer {
    std::string swarm;

    void operator()(UnitCompleted const&) const {}
    void operator()(UnitRescued const& event) const
    {
        spdlog::debug("{}: unit {} came from a {}", swarm, event.unit,
                      event.tier == StorageTier::cache ? "cache" : "CDN");
    }
    void operator()(NeighbourOpened const& event) const
    {
        spdlog::debug("{}: talking to {}{}", swarm, event.endpoint.text(),
                      event.is_source ? " (source)" : "");
    }
    void operator()(NeighbourClosed const& event) const
    {
        spdlog::debug("{}: no longer talking to {}: {}", swarm, event.endpoint.text(), event.why);
    }
    void operator()(NeighbourBanned const& event) const
    {
        spdlog::warn("{}: banned {} for {}", swarm, event.endpoint.text(), to_text(event.reason));
    }
    void operator()(PlayoutStarted const& event) const
    {
        spdlog::info("{}: playing from unit {}, {:.0f} ms after joining", swarm, event.unit,
                     to_ms(event.startup));
    }
    void operator()(PlayoutStalled const& event) const
    {
        spdlog::warn("{}: stalled at unit {}: {}", swarm, event.unit, event.cause);
    }
    void operator()(PlayoutResumed const& event) const
    {
        spdlog::info("{}: playing again after {:.0f} ms", swarm, to_ms(event.stalled_for));
    }
    void operator()(PlayoutSkipped const& event) const
    {
        spdlog::warn("{}: gave up on units {} to {}", swarm, event.from, event.to);
    }
    void operator()(RecordingCompleted const&) const { spdlog::info("{}: whole", swarm); }
    void operator()(RecordingFailed const&) const
    {
        spdlog::error("{}: what came could not be written", swarm);
    }
};

} // namespace

void LogEvents::on_event(TimePoint /*now*/, SwarmId const& swarm, Event const& event)
{
    // Nobody watching the log: do not build names for nothing.
    if (spdlog::get_level() == spdlog::level::off || std::holds_alternative<UnitCompleted>(event)) {
        return;
    }
    std::visit(Writer{short_name(swarm)}, event);
}

bool start_logging(std::string const& level)
{
    auto const parsed = spdlog::level::from_str(level);
    if (parsed == spdlog::level::off && level != "off") {
        return false;
    }
    auto logger = std::make_shared<spdlog::logger>(
        "ppsp", std::make_shared<spdlog::sinks::stderr_color_sink_mt>());
    logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
    logger->set_level(parsed);
    spdlog::set_default_logger(std::move(logger));
    return true;
}

} // namespace ppsp::peer
