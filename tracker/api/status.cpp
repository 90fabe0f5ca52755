#include "tracker/api/api.hpp"

#include "protocol/ppstp/json_writer.hpp"

#include <algorithm>
#include <string>

namespace ppsp::tracker {
namespace {

using ppstp::JsonWriter;

/// Members that are asked one by one; more would make the status page cost a swarm's size.
constexpr std::size_t holders_examined_max = 256;
constexpr std::array<std::uint64_t, 6> holder_distances{0, 4, 16, 64, 256, 1024};

std::uint64_t seconds_between(TimePoint from, TimePoint to)
{
    return static_cast<std::uint64_t>(std::max<std::int64_t>(
        0, std::chrono::duration_cast<std::chrono::seconds>(to - from).count()));
}

/// The largest swarms, largest first, by id where they are equal.
std::vector<SwarmIndex> largest_swarms(Registry const& registry)
{
    std::vector<SwarmIndex> swarms;
    for (auto const& [id, index] : registry.swarm_ids()) {
        swarms.push_back(index);
    }
    auto const count = std::min(swarms.size(), status_swarms_max);
    std::partial_sort(swarms.begin(), swarms.begin() + static_cast<std::ptrdiff_t>(count),
                      swarms.end(), [&](SwarmIndex a, SwarmIndex b) {
                          auto const& left = registry.swarm(a);
                          auto const& right = registry.swarm(b);
                          return left.size() != right.size() ? left.size() > right.size()
                                                             : *left.id < *right.id;
                      });
    swarms.resize(count);
    return swarms;
}

void write_live(JsonWriter& out, Swarm const& swarm, TimePoint now)
{
    auto const live = swarm.edge.reported(now);
    if (!live) {
        return;
    }
    out.key("live").begin_object().member("newest", to_number(live->newest));
    out.member("chunks_per_unit", std::uint64_t{live->chunks_per_unit});
    if (live->random_access) {
        out.member("random_access", to_number(*live->random_access));
    }
    out.member("age_ms", std::uint64_t{live->age_ms});
    out.member("chunks_per_second",
               static_cast<std::uint64_t>(swarm.edge.chunks_per_second() + 0.5));
    out.end_object();
}

void write_holders(JsonWriter& out, Registry const& registry, SwarmIndex index, TimePoint now)
{
    auto const& edge = registry.swarm(index).edge;
    auto const live = edge.reported(now);
    auto const newest = edge.newest_at(now);
    if (!live || !newest) {
        return;
    }
    out.member("holders_examined", std::uint64_t{std::min(holders_examined_max,
                                                          registry.swarm(index).visible_count())});
    out.key("holders").begin_array();
    for (auto const distance : holder_distances) {
        auto const chunks = distance * live->chunks_per_unit;
        if (chunks > to_number(*newest)) {
            break;
        }
        out.begin_object().member("units_behind", distance);
        out.member("peers", std::uint64_t{registry.holder_count(index, *newest - chunks, now,
                                                                holders_examined_max)});
        out.end_object();
    }
    out.end_array();
}

void write_swarm(JsonWriter& out, Registry const& registry, SwarmIndex index, TimePoint now)
{
    auto const& swarm = registry.swarm(index);
    auto const in_tier = [&](Tier tier) { return std::uint64_t{swarm.tier(tier).size()}; };
    out.begin_object().member("swarm_id", *swarm.id);
    out.member("peers", std::uint64_t{swarm.size()});
    out.member("seeders", std::uint64_t{swarm.seeder_count});
    out.member("leeches", std::uint64_t{swarm.size() - swarm.seeder_count});
    write_live(out, swarm, now);
    out.key("availability").begin_object();
    out.member("near_edge", in_tier(Tier::near)).member("mid", in_tier(Tier::mid));
    out.member("far", in_tier(Tier::far)).member("not_reported", in_tier(Tier::unknown));
    out.member("seeders", in_tier(Tier::seeder)).member("hidden", in_tier(Tier::hidden));
    write_holders(out, registry, index, now);
    out.end_object().end_object();
}

class MetricsText {
public:
    void head(std::string_view name, std::string_view type, std::string_view help)
    {
        out_.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ");
        out_.append(name).append(" ").append(type).append("\n");
    }
    void value(std::string_view name, std::string_view labels, std::uint64_t value)
    {
        out_.append(name).append(labels).append(" ").append(std::to_string(value)).append("\n");
    }
    void single(std::string_view name, std::string_view type, std::string_view help,
                std::uint64_t number)
    {
        head(name, type, help);
        value(name, "", number);
    }
    [[nodiscard]] std::string take() { return std::move(out_); }

private:
    std::string out_;
};

void add_requests(MetricsText& text, ServiceCounters const& counters)
{
    constexpr std::string_view name = "ppsp_tracker_requests_total";
    constexpr std::array<std::string_view, request_type_count> types{"CONNECT", "FIND",
                                                                     "STAT_REPORT", "unreadable"};
    text.head(name, "counter", "PPSTP requests by type and error code of the answer.");
    for (std::size_t type = 0; type < types.size(); ++type) {
        for (std::size_t error = 0; error < error_code_count; ++error) {
            auto const labels = "{type=\"" + std::string(types[type]) + "\",error=\"0" +
                                std::to_string(error) + "\"}";
            text.value(name, labels, counters.requests[type][error]);
        }
    }
}

} // namespace

std::string status_json(Service const& service, TimePoint started, TimePoint now)
{
    auto const& registry = service.registry();
    JsonWriter out;
    out.begin_object().member("uptime_s", seconds_between(started, now));
    out.member("peers", std::uint64_t{registry.peer_count()});
    out.member("swarm_count", std::uint64_t{registry.swarm_count()});
    out.key("swarms").begin_array();
    for (auto const index : largest_swarms(registry)) {
        write_swarm(out, registry, index, now);
    }
    out.end_array().end_object();
    return out.take();
}

std::string metrics_text(Service const& service, TimePoint started, TimePoint now)
{
    auto const& registry = service.registry();
    auto const& counters = service.counters();
    MetricsText text;
    text.single("ppsp_tracker_uptime_seconds", "gauge", "Time since the tracker began.",
                seconds_between(started, now));
    text.single("ppsp_tracker_peers", "gauge", "Registered peers.", registry.peer_count());
    text.single("ppsp_tracker_swarms", "gauge", "Swarms with at least one peer.",
                registry.swarm_count());
    text.single("ppsp_tracker_peers_expired_total", "counter",
                "Peers forgotten because a timer ran out.", registry.expired_count());
    text.single("ppsp_tracker_replays_total", "counter", "Repeated requests answered from memory.",
                counters.replays);
    text.single("ppsp_tracker_rate_limited_total", "counter",
                "Requests refused because they came too fast.", counters.rate_limited);
    add_requests(text, counters);
    return text.take();
}

} // namespace ppsp::tracker
