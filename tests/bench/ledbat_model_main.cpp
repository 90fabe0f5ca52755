#include "tests/bottleneck/cases.hpp"

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

/// Every case of the LEDBAT bed in virtual time; no namespaces, no sockets, the same on every
/// machine.
namespace {

constexpr char const* usage =
    R"(usage: ledbat_model [--case TEXT] [--seed N] [--seeds N] [--target MS]
                    [--algorithm fair|rfc6817] [--forgive-link-loss yes|no]
                    [--fills-after S] [--hiccups MS]

Prints one JSON object a line: {"case": ..., "seed": ..., FIGURE: ..., ...}.
  --case TEXT   only cases whose name contains TEXT
  --seed N      first seed (1)
  --seeds N     how many seeds, one after the other (1)
  --target MS   queueing delay aimed at (25)
  --algorithm   fair, as nodes use it, or RFC 6817 to the letter
  --forgive-link-loss   whether losses with a short queue count as the link's (yes)
  --fills-after S  who fills its window for so long shares it fairly (12)
  --hiccups MS  both ends of each flow are stopped for up to that long, ten times a second (0)
)";

} // namespace

int main(int argc, char** argv)
{
    using namespace ppsp;
    std::string only;
    std::uint64_t seed = 1;
    std::uint64_t seeds = 1;
    Duration target = 25ms;
    std::string algorithm = "fair";
    bool forgive = true;
    Duration hiccups{0};
    Duration fills_after = congestion::LedbatConfig{}.fills_after;
    for (int i = 1; i < argc; ++i) {
        std::string const option = argv[i];
        if (option == "--help" || i + 1 == argc) {
            std::fputs(usage, option == "--help" ? stdout : stderr);
            return option == "--help" ? 0 : 2;
        }
        char const* const value = argv[++i];
        if (option == "--case") {
            only = value;
        } else if (option == "--seed") {
            seed = std::strtoull(value, nullptr, 0);
        } else if (option == "--seeds") {
            seeds = std::strtoull(value, nullptr, 0);
        } else if (option == "--target") {
            target = std::chrono::milliseconds{std::strtol(value, nullptr, 0)};
        } else if (option == "--algorithm") {
            algorithm = value;
        } else if (option == "--forgive-link-loss") {
            forgive = std::string{value} == "yes";
        } else if (option == "--fills-after") {
            fills_after = std::chrono::seconds{std::strtol(value, nullptr, 0)};
        } else if (option == "--hiccups") {
            hiccups = std::chrono::milliseconds{std::strtol(value, nullptr, 0)};
        } else {
            std::fputs(usage, stderr);
            return 2;
        }
    }
    auto ledbat = peer::flow_config(target, bottleneck::chunk_bytes, 64);
    ledbat.algorithm =
        algorithm == "fair" ? congestion::Algorithm::fair : congestion::Algorithm::rfc6817;
    ledbat.forgive_link_loss = forgive;
    ledbat.fills_after = fills_after;
    for (auto const& each : bottleneck::cases()) {
        if (each.name.find(only) == std::string::npos) {
            continue;
        }
        for (std::uint64_t i = 0; i < seeds; ++i) {
            bottleneck::CaseSetup const setup{
                .ledbat = ledbat, .seed = seed + i, .hiccup_max = hiccups};
            std::printf(R"({"case": "%s", "seed": %llu)", each.name.c_str(),
                        static_cast<unsigned long long>(setup.seed));
            for (auto const& [name, value] : each.run(setup)) {
                std::printf(R"(, "%s": %.3f)", name.c_str(), value);
            }
            std::puts("}");
            std::fflush(stdout);
        }
    }
    return 0;
}
