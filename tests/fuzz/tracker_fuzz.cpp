#include "protocol/base/assert.hpp"
#include "tests/fuzz/input.hpp"
#include "tracker/api/api.hpp"

/// A tracker with small limits and whatever is sent to it. Each line is a request: the first
/// character says from where and how much later, the rest is the body.
namespace ppsp::fuzz {
namespace {

using namespace tracker;

Limits small_limits()
{
    Limits limits;
    limits.peers_max = 6;
    limits.swarms_max = 4;
    limits.swarms_per_peer_max = 3;
    limits.peers_per_address_max = 3;
    limits.addresses_per_peer_max = 2;
    limits.requests_per_second_address = 20;
    limits.limited_addresses_max = 3;
    limits.limits_loopback = true;
    limits.replays_max = 4;
    limits.replay_bytes_max = 4096;
    return limits;
}

struct Asker {
    Endpoint source;
    Duration later;
};

Asker asker_of(char c)
{
    constexpr Duration waits[] = {0ms, 1ms, 1s, 30s, 200s};
    auto const number = static_cast<std::uint8_t>(c);
    constexpr std::uint32_t first_address = 0xc6336401; // 198.51.100.1
    return {Endpoint::v4(first_address + number % 5, static_cast<std::uint16_t>(6778 + number % 3)),
            waits[number / 5 % 5]};
}

void check_limits(Service const& service, Limits const& limits)
{
    PPSP_ASSERT(service.registry().peer_count() <= limits.peers_max);
    PPSP_ASSERT(service.registry().swarm_count() <= limits.swarms_max);
    PPSP_ASSERT(service.replays().size() <= limits.replays_max);
    PPSP_ASSERT(service.replays().byte_count() <= limits.replay_bytes_max);
}

void check_reply(ApiReply const& reply)
{
    PPSP_ASSERT(reply.body.size() <= ppstp::response_size_max);
    auto const response = ppstp::parse_response(reply.body);
    PPSP_ASSERT(response.has_value());
    PPSP_ASSERT(reply.status == ppstp::http_status(response->error));
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    Input input(data, size);
    Limits limits = small_limits();
    limits.strict = input.flag();
    Api api(TimePoint{}, limits, std::nullopt, Rng{1});
    TimePoint now{1s};
    auto script = text_of(input.rest());
    for (int requests = 0; !script.empty() && requests < 64; ++requests) {
        auto const line = script.substr(0, script.find('\n'));
        script.remove_prefix(std::min(line.size() + 1, script.size()));
        if (line.empty()) {
            continue;
        }
        Asker const asker = asker_of(line.front());
        now += asker.later;
        check_reply(
            api.handle(now, {"POST", "/ppstp", ppstp::media_type, line.substr(1), asker.source}));
        check_limits(api.service(), limits);
    }
    api.tick(now);
    static_cast<void>(api.handle(now, {"GET", "/status", {}, {}, {}}));
    static_cast<void>(api.handle(now, {"GET", "/metrics", {}, {}, {}}));
    return 0;
}

} // namespace ppsp::fuzz
