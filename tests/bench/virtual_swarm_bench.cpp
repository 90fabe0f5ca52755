#include "tests/support/virtual_swarm.hpp"

#include <algorithm>
#include <cstdio>

/// Eight seeds of six viewers that join within half a second, in virtual time: what the scheduling
/// does with an uplink of two streams and with a bad network. Same figures on every machine.
namespace {

using namespace ppsp;
using namespace ppsp::test;

constexpr std::uint64_t stream_bps = 16ULL * 1024 * 8 * 20; // 16 chunks per 50 ms

struct Case {
    char const* name;
    double source_streams; ///< 0 = unlimited
    LinkFaults faults;
};

struct Sum {
    std::size_t exact = 0;
    std::size_t viewers = 0;
    std::uint64_t late_chunks = 0;
    std::uint64_t stalls = 0;
    Duration stalled_worst{};
    std::uint64_t duplicates = 0;
    std::uint64_t media = 0;
    std::uint64_t from_peers = 0;
    std::uint64_t from_source = 0;
};

void run(Case const& wanted, std::uint64_t seed, Sum& sum)
{
    VirtualSwarm swarm{seed};
    swarm.faults = wanted.faults;
    VirtualSwarm::SourceOptions source;
    if (wanted.source_streams > 0) {
        source.uplink_bps = static_cast<std::uint64_t>(wanted.source_streams * stream_bps);
    }
    swarm.add_source(source);
    swarm.run_for(2s);
    std::vector<VirtualNode*> viewers;
    for (int i = 0; i < 6; ++i) {
        viewers.push_back(&swarm.add_viewer());
        swarm.introduce(*viewers.back());
        swarm.run_for(100ms);
    }
    swarm.run_for(20s);
    for (VirtualNode* viewer : viewers) {
        auto const figures = swarm.figures(*viewer);
        sum.viewers += 1;
        sum.exact += swarm.output_is_exact(*viewer) ? 1 : 0;
        sum.late_chunks += figures.chunks_due - figures.chunks_in_time;
        sum.stalls += figures.stalls;
        sum.stalled_worst = std::max(sum.stalled_worst, figures.stall_time);
        sum.duplicates += figures.duplicate_bytes;
        sum.media += figures.media_bytes;
        sum.from_peers += figures.from_peers_bytes;
        sum.from_source += figures.from_source_bytes;
    }
}

double percent(std::uint64_t part, std::uint64_t whole)
{
    return whole == 0 ? 0.0 : 100.0 * static_cast<double>(part) / static_cast<double>(whole);
}

} // namespace

int main()
{
    LinkFaults bad;
    bad.loss = 0.02;
    bad.duplication = 0.01;
    bad.reordering = 0.02;
    for (Case const& wanted :
         {Case{"source 2 streams, clean links", 2, {}}, Case{"source 2 streams, bad links", 2, bad},
          Case{"source unlimited, bad links", 0, bad}}) {
        Sum sum;
        for (std::uint64_t seed = 1; seed <= 8; ++seed) {
            run(wanted, seed, sum);
        }
        std::printf(
            "%-30s exact %zu/%zu, late chunks %llu, stalls %llu (worst viewer %lld ms), "
            "duplicates %.2f %%, from peers %.1f %%\n",
            wanted.name, sum.exact, sum.viewers, static_cast<unsigned long long>(sum.late_chunks),
            static_cast<unsigned long long>(sum.stalls),
            static_cast<long long>(sum.stalled_worst / 1ms), percent(sum.duplicates, sum.media),
            percent(sum.from_peers, sum.from_peers + sum.from_source));
    }
    return 0;
}
