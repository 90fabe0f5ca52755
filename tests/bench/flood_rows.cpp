#include "tests/bench/bench.hpp"
#include "tests/conformance/one_engine.hpp"

#include <algorithm>

/// What ten thousand signatures a second cost that are nobody's.
namespace ppsp::bench {
namespace {

using namespace std::chrono_literals;
using test::RawPeer;
using wire::SignatureAlgorithm;

constexpr std::size_t per_millisecond = 10;
/// As many as an engine talks to; each is banned after three, so new ones come all the time.
constexpr std::size_t neighbours = 50;

/// A viewer and neighbours that never sent anything else.
class Flood {
public:
    explicit Flood(SignatureAlgorithm algorithm) : node_(options(algorithm))
    {
        bad_.emplace(node_.sign(40));
        bad_->signature[5] ^= 1;
        std::vector<Endpoint> all;
        for (std::uint32_t i = 0; i < neighbours; ++i) {
            all.push_back(Endpoint::v4(0x0a010000 + i, 6778));
            liars_.emplace_back(node_, all.back(), ChannelId{0x0bad0000 + i});
        }
        node_.introduce(all);
        for (int i = 0; i < 200; ++i) {
            for (RawPeer& liar : liars_) {
                if (to_number(liar.theirs) == 0) {
                    static_cast<void>(liar.answer());
                }
            }
            node_.run_for(50ms);
        }
        node_.run_for(1s - node_.now().time_since_epoch() % 1s);
    }

    /// A second of it.
    void run()
    {
        for (std::size_t ms = 0; ms < 1000; ++ms) {
            for (std::size_t i = 0; i < per_millisecond; ++i) {
                liars_[(ms * per_millisecond + i) % neighbours].send(bad_->munro());
            }
            node_.run_for(1ms);
        }
    }

    [[nodiscard]] std::uint64_t checked() const { return node_.figures().bad_signatures; }

private:
    static test::OneEngine::Options options(SignatureAlgorithm algorithm)
    {
        test::OneEngine::Options options{.algorithm = algorithm};
        options.node.neighbours_max = neighbours;
        options.node.neighbours_target = neighbours;
        return options;
    }

    test::OneEngine node_;
    std::optional<test::SignedUnit> bad_;
    std::vector<RawPeer> liars_;
};

Sample run_flood(SignatureAlgorithm algorithm, double seconds)
{
    double cpu = 0;
    std::uint64_t checked = 0;
    int rounds = 0;
    StopWatch const all;
    do {
        Flood flood{algorithm};
        StopWatch const watch;
        flood.run();
        cpu += watch.stop(0).cpu_seconds;
        checked += flood.checked();
        ++rounds;
    } while (all.seconds() < seconds);
    char note[96];
    std::snprintf(note, sizeof(note), "%.1f %% of a core, %.0f checked a second",
                  100 * cpu / rounds, static_cast<double>(checked) / rounds);
    // As if each were a byte: the table knows nothing else.
    return {all.seconds(), cpu, static_cast<std::uint64_t>(rounds) * 1000 * per_millisecond, note};
}

} // namespace

std::vector<Row> flood_rows()
{
    return {
        {"flood-p256", "10 000 bad signatures a second, P-256 (bytes are signatures)", "",
         [](double seconds) { return run_flood(SignatureAlgorithm::ecdsa_p256_sha256, seconds); }},
        {"flood-p384", "the same, P-384", "flood-p256",
         [](double seconds) { return run_flood(SignatureAlgorithm::ecdsa_p384_sha384, seconds); }}};
}

} // namespace ppsp::bench
