#include "tests/bottleneck/cases.hpp"

#include "protocol/base/assert.hpp"

#include <algorithm>
#include <numeric>

namespace ppsp::bottleneck {
namespace {

/// Means over [from, until).
struct Window {
    double link_share = 0;
    double queue_ms = 0;
    double jain = 0;
    std::vector<double> mbps;
};

Window window_of(Bottleneck const& link, Duration from, Duration until)
{
    Window result;
    auto const first = static_cast<std::size_t>(from / 100ms);
    auto const end = std::min(static_cast<std::size_t>(until / 100ms), link.tenths().size());
    double packets = 0;
    for (std::size_t i = first; i < end; ++i) {
        Tenth const& tenth = link.tenths()[i];
        result.mbps.resize(std::max(result.mbps.size(), tenth.bytes.size()));
        for (std::size_t j = 0; j < tenth.bytes.size(); ++j) {
            result.mbps[j] += static_cast<double>(tenth.bytes[j]);
        }
        result.queue_ms += tenth.queue_ms * tenth.packets;
        packets += tenth.packets;
    }
    double const seconds = static_cast<double>(end - first) / 10.0;
    double sum = 0;
    double squares = 0;
    for (double& rate : result.mbps) {
        rate *= 8e-6 / seconds;
        sum += rate;
        squares += rate * rate;
    }
    result.link_share = sum * 1e6 / link.config().rate_bps;
    result.queue_ms /= std::max(packets, 1.0);
    result.jain = sum * sum / (static_cast<double>(result.mbps.size()) * squares);
    return result;
}

double target_ms(CaseSetup const& setup)
{
    return static_cast<double>(setup.ledbat.target.count()) / 1e3;
}

Bottleneck link_of(CaseSetup const& setup, LinkConfig config = {})
{
    config.hiccup_max = setup.hiccup_max;
    return Bottleneck{config, setup.seed};
}

std::unique_ptr<Conversation> bulk(CaseSetup const& setup)
{
    return std::make_unique<ChunkConversation>(setup.ledbat, Supply{});
}

Figures alone(CaseSetup const& setup, LinkConfig const& config, Duration from = 20s,
              Duration until = 60s)
{
    Bottleneck link = link_of(setup, config);
    link.add(bulk(setup), 0s);
    link.run_until(until);
    Window const window = window_of(link, from, until);
    return {{"link_share", window.link_share},
            {"mbps", window.mbps[0]},
            {"queue_ms", window.queue_ms},
            {"queue_per_target", window.queue_ms / target_ms(setup)}};
}

Figures alone_large_queue(CaseSetup const& setup)
{
    return alone(setup, {});
}

Figures alone_small_queue(CaseSetup const& setup)
{
    return alone(setup, {.queue = setup.ledbat.target / 2});
}

Figures alone_rtt_20(CaseSetup const& setup)
{
    return alone(setup, {.there = 10ms, .back = 10ms});
}

Figures alone_rtt_100(CaseSetup const& setup)
{
    return alone(setup, {.there = 50ms, .back = 50ms});
}

Figures alone_50_mbit_rtt_100(CaseSetup const& setup)
{
    return alone(setup, {.rate_bps = 50e6, .there = 50ms, .back = 50ms}, 10s, 60s);
}

Figures random_loss(CaseSetup const& setup)
{
    return alone(setup, {.queue = 100ms, .loss = 0.01}, 10s, 60s);
}

Figures against_cubic(CaseSetup const& setup, Duration queue, bool we_first)
{
    auto const run = [&](bool with_us) {
        Bottleneck link = link_of(setup, {.queue = queue});
        link.add(std::make_unique<CubicConversation>(), we_first ? 20s : 0s);
        if (with_us) {
            link.add(bulk(setup), we_first ? 0s : 20s);
        }
        link.run_until(100s);
        return window_of(link, 40s, 100s);
    };
    Window const alone = run(false);
    Window const both = run(true);
    return {{"cubic_share", both.mbps[0] / alone.mbps[0]},
            {"cubic_alone_mbps", alone.mbps[0]},
            {"ours_mbps", both.mbps[1]},
            {"queue_ms", both.queue_ms}};
}

Figures before_cubic(CaseSetup const& setup)
{
    return against_cubic(setup, 200ms, true);
}

Figures after_cubic(CaseSetup const& setup)
{
    return against_cubic(setup, 200ms, false);
}

Figures before_cubic_50_ms(CaseSetup const& setup)
{
    return against_cubic(setup, 50ms, true);
}

Figures after_cubic_50_ms(CaseSetup const& setup)
{
    return against_cubic(setup, 50ms, false);
}

Figures late_comers(CaseSetup const& setup, int flows, Duration gap, LinkConfig const& config)
{
    Bottleneck link = link_of(setup, config);
    for (int i = 0; i < flows; ++i) {
        link.add(bulk(setup), i * gap);
    }
    Duration const from = (flows - 1) * gap + 30s;
    link.run_until(from + 60s);
    Window const window = window_of(link, from, from + 60s);
    Figures figures{{"jain", window.jain},
                    {"link_share", window.link_share},
                    {"queue_ms", window.queue_ms},
                    {"queue_per_target", window.queue_ms / target_ms(setup)}};
    for (std::size_t i = 0; i < window.mbps.size(); ++i) {
        figures.emplace_back("mbps_" + std::to_string(i), window.mbps[i]);
    }
    return figures;
}

Figures two_late(CaseSetup const& setup)
{
    return late_comers(setup, 2, 20s, {});
}

Figures four_late(CaseSetup const& setup)
{
    return late_comers(setup, 4, 20s, {});
}

Figures eight_late(CaseSetup const& setup)
{
    return late_comers(setup, 8, 20s, {});
}

Figures two_together(CaseSetup const& setup)
{
    return late_comers(setup, 2, 0s, {});
}

Figures four_together(CaseSetup const& setup)
{
    return late_comers(setup, 4, 0s, {});
}

Figures four_late_400_ms(CaseSetup const& setup)
{
    return late_comers(setup, 4, 20s, {.queue = 400ms});
}

Figures two_late_100_ms(CaseSetup const& setup)
{
    return late_comers(setup, 2, 20s, {.queue = 100ms});
}

Figures four_late_rtt_10(CaseSetup const& setup)
{
    return late_comers(setup, 4, 20s, {.there = 5ms, .back = 5ms});
}

/// 20 -> 5 -> 20 Mbit/s.
Figures step_down(CaseSetup const& setup)
{
    Bottleneck link = link_of(setup);
    link.add(bulk(setup), 0s);
    link.at(30s, [&link] { link.set_rate(5e6); });
    link.at(60s, [&link] { link.set_rate(20e6); });
    link.run_until(90s);
    auto const calm = [&](Tenth const& tenth) { return tenth.queue_ms < 1.5 * target_ms(setup); };
    auto const stepped = link.tenths().begin() + 301;
    // The queue is long for a while before it is short for good.
    auto const crest = std::find_if_not(stepped, link.tenths().end(), calm);
    auto const found = std::find_if(crest, link.tenths().end(), calm);
    auto const& back = link.tenths();
    double recovery_s = 30;
    for (std::size_t i = 600; i + 10 < back.size(); ++i) {
        std::uint64_t bytes = 0;
        for (std::size_t j = i; j < i + 10; ++j) {
            bytes += back[j].bytes[0];
        }
        if (static_cast<double>(bytes) * 8 >= 0.95 * 20e6) {
            recovery_s = static_cast<double>(i - 600) / 10.0;
            break;
        }
    }
    return {
        {"calm_after_s", static_cast<double>(found - stepped + 1) / 10.0},
        {"queue_max_ms", std::max_element(stepped, stepped + 290,
                                          [](auto& a, auto& b) { return a.queue_ms < b.queue_ms; })
                             ->queue_ms},
        {"full_again_after_s", recovery_s}};
}

/// Silent from second 20 to 40: what comes after, second by second.
Figures idle_restart(CaseSetup const& setup)
{
    Bottleneck link = link_of(setup);
    Supply const supply{.silent_from = 20s, .silent_until = 40s};
    link.add(std::make_unique<ChunkConversation>(setup.ledbat, supply), 0s);
    link.run_until(60s);
    double highest = 0;
    for (std::size_t i = 400; i < 410; ++i) {
        highest = std::max(highest, link.tenths()[i].queue_ms);
    }
    return {{"first_second_share", window_of(link, 40s, 41s).link_share},
            {"second_second_share", window_of(link, 41s, 42s).link_share},
            {"queue_max_ms", highest}};
}

/// 6 Mbit/s with a key frame of 120 kB every two seconds.
Figures key_frames(CaseSetup const& setup)
{
    Bottleneck link = link_of(setup);
    Supply const supply{.unit_gap = 50ms, .unit_chunks = 35, .key_chunks = 120, .key_every = 40};
    link.add(std::make_unique<ChunkConversation>(setup.ledbat, supply), 0s);
    link.run_until(60s);
    double highest = 0;
    for (std::size_t i = 200; i < link.tenths().size(); ++i) {
        highest = std::max(highest, link.tenths()[i].queue_ms);
    }
    Window const window = window_of(link, 20s, 60s);
    double const offered = (39.0 * 35 + 120) * (data_bytes + ip_udp_bytes) * 8 / 2 / 1e6;
    return {{"carried_share", window.mbps[0] / offered},
            {"queue_ms", window.queue_ms},
            {"queue_max_ms", highest}};
}

Figures skewed(CaseSetup const& setup, double ppm)
{
    Bottleneck link = link_of(setup);
    link.add(std::make_unique<ChunkConversation>(setup.ledbat, Supply{}, ppm, 1h), 0s);
    link.run_until(600s);
    Window const window = window_of(link, 300s, 600s);
    return {{"link_share", window.link_share},
            {"queue_per_target", window.queue_ms / target_ms(setup)}};
}

Figures fast_clock(CaseSetup const& setup)
{
    return skewed(setup, 100);
}

Figures slow_clock(CaseSetup const& setup)
{
    return skewed(setup, -100);
}

} // namespace

std::vector<Case> const& cases()
{
    static std::vector<Case> const all{{"alone", alone_large_queue},
                                       {"alone-small-queue", alone_small_queue},
                                       {"alone-rtt-20", alone_rtt_20},
                                       {"alone-rtt-100", alone_rtt_100},
                                       {"alone-50-mbit-rtt-100", alone_50_mbit_rtt_100},
                                       {"random-loss", random_loss},
                                       {"before-cubic", before_cubic},
                                       {"after-cubic", after_cubic},
                                       {"before-cubic-50-ms", before_cubic_50_ms},
                                       {"after-cubic-50-ms", after_cubic_50_ms},
                                       {"two-late", two_late},
                                       {"two-late-100-ms", two_late_100_ms},
                                       {"four-late", four_late},
                                       {"four-late-400-ms", four_late_400_ms},
                                       {"four-late-rtt-10", four_late_rtt_10},
                                       {"eight-late", eight_late},
                                       {"two-together", two_together},
                                       {"four-together", four_together},
                                       {"step-down", step_down},
                                       {"idle-restart", idle_restart},
                                       {"key-frames", key_frames},
                                       {"fast-clock", fast_clock},
                                       {"slow-clock", slow_clock}};
    return all;
}

double figure(Figures const& figures, std::string const& name)
{
    auto const found = std::find_if(figures.begin(), figures.end(),
                                    [&](auto const& each) { return each.first == name; });
    PPSP_ASSERT(found != figures.end());
    return found->second;
}

} // namespace ppsp::bottleneck
